"""Running the app: the socket, the event loop, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from tailrace.engine import Limits, Relay
from tailrace.errors import ConfigError
from tailrace.server.app import create_app
from tailrace.server.hosts import is_loopback
from tailrace.server.protocol import GuardedProtocol, raise_file_limit
from tailrace.server.spec import ServerSpec

SEND_BUFFER = 128 * 1024
"""Kernel memory for one client that does not read. Left alone, Linux grows it to about 2.8 MB on loopback, which
ten thousand stuck readers turn into 28 GB; 128 KiB still fills a 100 ms path with 1.3 MB/s, far above any model."""

NOTSENT = 32 * 1024
"""Bytes that the kernel takes beyond what it has sent: a client that does not read then costs it 45 KB instead of
260 (measured with ``SO_MEMINFO``), and what is written last, an error or a stop, waits behind 32 KiB, not 128."""

UNFINISHED = "ASGI callable returned without completing response."
"""What uvicorn calls an error of the app. It is how a reader that was cut is left: its body must not look whole."""

BACKLOG = 4096
"""Connections the kernel holds while the loop is busy; Linux caps it at net.core.somaxconn, 4096 by default."""

KEEP_ALIVE = 75
"""Seconds an idle client connection stays open: longer than the 60 s of usual load balancers, which must be the
ones to close first."""


class Server(uvicorn.Server):
    """uvicorn, told to let streams end before it closes connections."""

    def __init__(self, config: uvicorn.Config, relay: Relay, spec: ServerSpec, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._relay = relay
        self._spec = spec
        self._on_ready = on_ready
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say so. Raises `ConfigError` when the relay cannot start: no traceback of uvicorn's."""
        self._loop = asyncio.get_running_loop()
        await self._relay.__aenter__()
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain. uvicorn itself then waits for the connections to close; a second one forces it."""
        if self._loop is not None and not self.should_exit:
            self._loop.call_soon_threadsafe(self._drain)
        elif self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)

    def _drain(self) -> None:
        self._draining = asyncio.ensure_future(self._relay.drain(self._spec.shutdown_grace))


def bind(spec: ServerSpec, reader_stall: float = Limits().reader_stall) -> socket.socket:
    """Return a listening socket. Raises `ConfigError` for an address that cannot be had, or is open to all.

    A client that takes nothing for ``reader_stall`` seconds loses its connection, whatever is still to be sent.
    """
    if not spec.keys and not is_loopback(spec.host):
        raise ConfigError(
            f"refusing to listen on {spec.host} without keys: anybody who reaches it could spend your money. "
            "Set server.keys, or bind 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in spec.host else socket.AF_INET
    # With the protocol named: asyncio switches Nagle's algorithm off only for sockets that say they are TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Closing is not enough: a transport with unsent bytes waits for its client, which may never read.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, math.ceil(reader_stall * 1000))
    try:
        sock.bind((spec.host, spec.port))
    except OSError as error:
        sock.close()
        raise ConfigError(f"cannot listen on {spec.host}:{spec.port}: {error.strerror}") from error
    sock.listen(BACKLOG)
    return sock


def make_server(relay: Relay, spec: ServerSpec, on_ready: Callable[[], None]) -> Server:
    """Return the server, not yet started."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    config = uvicorn.Config(
        create_app(relay, spec),
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
        # The relay's own drain ends every stream within its grace; this is the net below it.
        timeout_graceful_shutdown=int(spec.shutdown_grace) + 2,
    )
    return Server(config, relay, spec, on_ready)


def serve(relay: Relay, spec: ServerSpec | None = None, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until a signal ends it; ``on_ready`` is called with the server's URL once it listens."""
    spec = spec or ServerSpec()
    raise_file_limit()
    sock = bind(spec, relay.limits.reader_stall)
    url = url_of(sock)

    def ready() -> None:
        if on_ready is not None:
            on_ready(url)

    server = make_server(relay, spec, ready)
    with sock:
        server.run(sockets=[sock])


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != UNFINISHED


def url_of(sock: socket.socket) -> str:
    """Return the URL at which ``sock`` answers."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
