"""Running the app: the event loop, signals, and an orderly end.

What happens at the first SIGTERM or SIGINT (t = 0), whatever clients do:

    at once              not ready; new work is refused with 503; readers of other nodes' streams are cut, to come back
    ready_delay          the port closes; whoever has connected by then is still answered
    + LINGER             connections that ask nothing are closed, all others after the answer they are getting
    shutdown_grace       what still runs ends as ``interrupted``, and every reader is told
    + LAST_WORDS         connections that have not taken even that are cut

A second signal jumps to the last two lines. The end of the first is exit code 0, of the second the signal's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import structlog
import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from tailrace.engine import Relay
from tailrace.server.app import create_app
from tailrace.server.descriptors import raise_file_limit
from tailrace.server.draining import DrainingApp
from tailrace.server.listen import BACKLOG, bind, url_of
from tailrace.server.protocol import GuardedProtocol
from tailrace.server.spec import ServerSpec
from tailrace.server.terminal import Terminal

UNFINISHED = "ASGI callable returned without completing response."
"""What uvicorn calls an error of the app. It is how a reader that was cut is left: its body must not look whole."""

START_FAILED = "Application startup failed. Exiting."
"""What uvicorn says, after a traceback, of an error that `Server.startup` raises."""

KEEP_ALIVE = 75
"""Seconds an idle client connection stays open: longer than the 60 s of usual load balancers, which must be the
ones to close first."""

LINGER = 0.5
"""Seconds in which a connection that asks nothing may still ask, and be refused in words: closed at once, it would
break the request that is on its way. Within the grace; a balancer's round trip is far shorter."""

LAST_WORDS = 0.5
"""Seconds for the words of an interrupted end to reach the clients that read. The promise is grace + 1 s in all."""

HUNG = 5.0
"""Seconds past the grace at which the process is ended by force, with every thread's stack on stderr: by then a
thread hangs in the operating system (a name server that does not answer) or there is a bug."""

LEAVING = 0.3
"""Seconds at least, all that is left of the grace at most, for closing files and connections of our own."""

POLL = 0.02
"""Seconds between two looks at whether all connections are closed, during a shutdown only."""

_log = structlog.get_logger("tailrace.server")


class Server(uvicorn.Server):
    """uvicorn, told to let streams end before it closes connections.

    ``signals``: whether SIGTERM and SIGINT are taken over while it serves; `handle_exit` does the same by hand.
    ``shared``: other processes go on accepting from its sockets.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        app: DrainingApp,
        relay: Relay,
        spec: ServerSpec,
        on_ready: Callable[[], None],
        *,
        signals: bool = True,
        shared: bool = False,
    ) -> None:
        super().__init__(config)
        self._app = app
        self._relay = relay
        self._grace = spec.shutdown_grace
        self._ready_delay = min(spec.ready_delay, spec.shutdown_grace)
        self._on_ready = on_ready
        self._signals = signals
        self._shared = shared
        self._before: dict[int, Any] = {}
        self._asked: list[int] = []
        self._drain: asyncio.Task[None] | None = None
        self._began = self._deadline = 0.0
        self._terminal = Terminal()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_hangup: Callable[[], None] | None = None
        """What SIGHUP does, where signals are taken over; None leaves it alone."""

    @property
    def forced_by(self) -> int | None:
        """The second signal, when there was one."""
        return self._asked[1] if len(self._asked) > 1 else None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the relay and listen, then say so. Raises what the relay raises, `ConfigError` among it."""
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        except SystemExit:
            raise self._app.failure or RuntimeError("the server could not start") from None
        # Not earlier: until something can have begun, a signal may simply end the process.
        if self._signals and threading.current_thread() is threading.main_thread():
            # A terminal sends its Ctrl-C to workers as well, whose parent tells them: twice would be by force.
            numbers = (signal.SIGTERM,) if self._shared else HANDLED_SIGNALS
            self._before = {number: signal.signal(number, self.handle_exit) for number in numbers}
            # Without keys to read again SIGHUP stays what it is: the end, when the terminal goes.
            if self.on_hangup is not None and hasattr(signal, "SIGHUP"):
                self._loop.add_signal_handler(signal.SIGHUP, self._hung_up, self.on_hangup)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised once more at the end."""
        try:
            yield
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the form of a signal handler
        """Drain at the first call, end at once at the second. May be called from another thread."""
        # If the terminal's end is the reason, the first line about it would be an error.
        self._terminal.gone()
        self._asked.append(sig)
        # The loop is closed for who asks when all is over.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._obey)

    def _hung_up(self, reload: Callable[[], None]) -> None:
        # A terminal that is closed says SIGHUP as well; workers are told by their parent.
        if self._shared or not self._terminal.gone():
            reload()
        else:
            self.handle_exit(signal.SIGTERM, None)

    def _obey(self) -> None:
        if self._drain is None:
            self._begin(self._grace)
            asyncio.get_running_loop().call_later(self._ready_delay, setattr, self, "should_exit", True)
        elif self.forced_by is not None:
            self._begin(0)
            self.should_exit = True

    def _begin(self, grace: float) -> None:
        """Take no new work, and see to it that what there is ends within ``grace`` seconds."""
        if self._before:
            faulthandler.dump_traceback_later(grace + HUNG, exit=True)
        now = asyncio.get_running_loop().time()
        self._began, self._deadline = self._began or now, now + grace
        self._drain = asyncio.ensure_future(self._relay.drain(grace))
        _log.info("draining", streams=self._relay.live, connections=len(self.server_state.connections), grace=grace)
        # Those that are being answered are closed after it, as their heads may not have said.
        self._close_connections(idle=False)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port, wait for the answers that are being sent, cut those that are not taken, leave the relay."""
        now = asyncio.get_running_loop().time
        if self._drain is None:
            self._begin(self._grace)
        await self._close_port(sockets or [])
        # Nobody comes any more, but who has asked nothing yet may be about to.
        lingering = now() + LINGER
        await self._quiet(lambda: min(lingering, self._deadline))
        self._close_connections(idle=True)
        await self._quiet(lambda: self._deadline + LAST_WORDS)
        await self._cut()
        # What is owed to the ledger and the log is written, if they answer; if not, a later start finds it open.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(max(self._deadline + LAST_WORDS, now()) + LEAVING):
                await self.lifespan.shutdown()
        _log.info("ended", seconds=round(now() - self._began, 3))

    async def _quiet(self, until: Callable[[], float]) -> None:
        """Wait for the end of all that goes on, at most until the time of ``until``, which a second signal changes."""
        now = asyncio.get_running_loop().time
        while self._busy() and now() < until():  # noqa: ASYNC110 - uvicorn keeps its sets, and tells nobody
            await asyncio.sleep(POLL)

    def _busy(self) -> bool:
        state = self.server_state
        return bool(state.connections or state.tasks) or not (self._drain is None or self._drain.done())

    def _close_connections(self, *, idle: bool) -> None:
        """Have connections closed after the answer they are getting; with ``idle`` also those that get none."""
        connections: list[Any] = list(self.server_state.connections)
        for connection in connections:
            if idle or (connection.cycle is not None and not connection.cycle.response_complete):
                connection.shutdown()

    async def _close_port(self, sockets: list[socket.socket]) -> None:
        if not self._shared:
            # Closing a listening socket resets whoever waits in its queue, with the request already sent perhaps.
            for sock in sockets:
                with contextlib.suppress(OSError):
                    while True:
                        await self._take(sock.accept()[0])
        for server in self.servers:
            server.close()
        for sock in sockets:
            sock.close()

    async def _take(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        make: Any = self.config.http_protocol_class
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state), accepted
        )

    async def _cut(self) -> None:
        """Close every connection that is left, whatever it has not been sent, and let its request end."""
        state = self.server_state
        _log.info("drained", cut=len(state.connections))
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(list(state.tasks), timeout=LAST_WORDS / 5)
        for task in list(state.tasks):
            task.cancel()


def make_server(
    relay: Relay, spec: ServerSpec, on_ready: Callable[[], None], *, signals: bool = True, worker: int = 0
) -> Server:
    """Return the server, not yet started; ``worker`` as in `create_app`."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    inner = create_app(relay, spec, worker=worker)
    app = DrainingApp(inner, relay)
    config = uvicorn.Config(
        app,
        http=GuardedProtocol,
        loop="auto",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
    )
    server = Server(config, app, relay, spec, on_ready, signals=signals, shared=worker > 0)
    if inner.state.key_watch is not None:
        server.on_hangup = inner.state.key_watch.ask
    return server


def serve(relay: Relay, spec: ServerSpec | None = None, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until a signal ends it; ``on_ready`` is called with the server's URL once it listens.

    Returns after an orderly end. A second signal is raised again once what could be told has been told.
    """
    spec = spec or ServerSpec()
    sock = bind(spec, relay.limits.reader_stall)
    url = url_of(sock)

    def ready() -> None:
        if on_ready is not None:
            on_ready(url)

    run(make_server(relay, spec, ready), sock)


def run(server: Server, sock: socket.socket) -> None:
    """Run ``server`` on ``sock`` to its end; a second signal is raised again then."""
    raise_file_limit()
    try:
        with sock:
            server.run(sockets=[sock])
    finally:
        faulthandler.cancel_dump_traceback_later()
    if server.forced_by is not None:
        signal.raise_signal(server.forced_by)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether uvicorn has something to say: not of readers that were cut, requests that the end cancelled, and starts
    that failed, whose reason is raised.
    """
    cancelled = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    failed = record.msg == START_FAILED or str(record.msg).startswith("Traceback")
    return record.msg != UNFINISHED and not cancelled and not failed
