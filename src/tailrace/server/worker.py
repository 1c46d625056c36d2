"""One worker, seen from both sides: the process as its parent holds it, and the seat that it serves from."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeAlias

from tailrace.server.run import make_server, run

if TYPE_CHECKING:
    from tailrace.engine import Relay
    from tailrace.server.spec import ServerSpec

SIGHUP: int = getattr(signal, "SIGHUP", 0)
"""0 on Windows, which has none."""

TERMINAL_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, SIGHUP)
"""What a supervisor listens to. A terminal sends the first and the last to every process that runs in it."""


class Seat:
    """What a worker is given: its number from 1 on, the shared socket, and a way to say that it is ready."""

    def __init__(self, number: int, sock: socket.socket, parent: Connection) -> None:
        self.number = number
        self._sock = sock
        self._parent = parent

    def serve(self, relay: Relay, spec: ServerSpec, said: str = "") -> None:
        """Serve until the parent wants the end, or has gone. ``said`` is shown by the parent once all are ready."""
        parent = multiprocessing.parent_process()

        def ready() -> None:
            if parent is not None:
                # Readable once the parent has gone, however it went.
                asyncio.get_running_loop().add_reader(parent.sentinel, orphaned)
            with contextlib.suppress(OSError):
                self._parent.send(said)

        def orphaned() -> None:
            if parent is not None:
                asyncio.get_running_loop().remove_reader(parent.sentinel)
            server.handle_exit(signal.SIGTERM, None)

        server = make_server(relay, spec, ready, worker=self.number)
        run(server, self._sock)


Work: TypeAlias = Callable[[Seat], Any]
"""What a worker does. It crosses into another interpreter: a module's function, with arguments that can be pickled."""


class Worker:
    """The process of one worker, for its parent; ``over`` is its exit code, or minus the signal that ended it.

    ``said`` is what it said when it was ready.
    """

    def __init__(self, work: Work, seat: int, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self.seat = seat
        self.said = ""
        self.over: asyncio.Future[int] = self._loop.create_future()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._started = time.monotonic()
        self._pipe, theirs = multiprocessing.Pipe(duplex=False)
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_begin, args=(work, seat, sock, theirs), name=f"tailrace worker {seat}")
        with _held_back():
            self._process.start()
        theirs.close()
        self._loop.add_reader(self._pipe.fileno(), self._spoke)
        self._loop.add_reader(self._process.sentinel, self._ended)

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    async def came_up(self, within: float | None) -> bool:
        """Wait until it is ready or over, or ``within`` seconds are; return whether it is ready."""
        news: set[asyncio.Future[Any]] = {self._ready, self.over}
        await asyncio.wait(news, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        return self._ready.done() and not self.over.done()

    def end(self, within: float) -> None:
        """Ask it to end, once more if it has been asked before; kill it after ``within`` seconds."""
        if not self.over.done():
            self._process.terminate()
            self._loop.call_later(within, self.kill)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if not self.over.done():
            self._process.kill()

    def _spoke(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        # Its end of the pipe is closed as well when it has died: that is heard from elsewhere.
        with contextlib.suppress(EOFError, OSError):
            self.said = self._pipe.recv()
            self._ready.set_result(None)

    def _ended(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._loop.remove_reader(self._pipe.fileno())
        self._process.join()
        self._pipe.close()
        self.over.set_result(self._process.exitcode or 0)


def _begin(work: Work, seat: int, sock: socket.socket, parent: Connection) -> None:
    """Run in the worker: its signals are those of its parent, which has held them back so far."""
    for number in {signal.SIGINT, SIGHUP} - {0}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL_SIGNALS)
    work(Seat(seat, sock, parent))


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Hold signals back, also in processes that are started: a Ctrl-C would end an interpreter that boots."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
