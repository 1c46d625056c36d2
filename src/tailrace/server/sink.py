"""A reader: one client's connection, following a log from its own cursor.

The end of the push. When the log has grown, `AsgiSink` writes at once, in the same turn of the event loop: it takes
the first step of ASGI's ``send`` by hand. A server whose connection has room completes it in that step, and no task
or future exists for the event. Only when the connection is full does ``send`` suspend; then one task waits out the
rest of it, and what piled up in the log meanwhile leaves in one write (docs/decisions/0004-push-through-asgi.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from typing import Any, TypeAlias, cast

import structlog

from tailrace.engine import Generation, Readers
from tailrace.log import StreamLog

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

WRITE = 64 * 1024
"""Most bytes in one write: the high-water mark of asyncio transports, so a replay fills it once and then waits."""

_log = structlog.get_logger("tailrace.reader")


class AsgiSink:
    """Writes a log's frames to one ASGI connection.

    ``generation`` is given while the stream is live in this process: the sink then counts as its reader, and says
    that it is full when this client lags more than ``high_water`` bytes, until it is below ``low_water`` again.
    `finished` is done when the log's end has been written, the client was cut (``stall`` seconds without progress), its
    connection broke, or `close` was called; only in the first case is it `complete`. ``heartbeat`` is written after
    ``interval`` seconds of silence; interval 0 means never.
    """

    def __init__(
        self,
        log: StreamLog,
        send: Send,
        *,
        after: int,
        generation: Generation | None,
        high_water: int,
        low_water: int,
        stall: float,
        heartbeat: bytes,
        interval: float,
        readers: Readers | None = None,
        resumed: bool = False,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._send = send
        self._generation = generation
        self._high = high_water
        self._low = low_water
        self._stall = stall
        self._heartbeat = heartbeat
        self._interval = interval
        self._readers = readers or Readers()
        self._resumed = resumed
        self._open = False
        self._cut: str | None = None
        self.cursor = after
        self.complete = False
        self._parted = False
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self._blocked: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] | None = None
        self._last_write = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, first: bytes = b"") -> None:
        """Begin: write ``first`` and all that the log has, then follow it."""
        if self._generation is not None:
            self._generation.attach(self)
            self._generation.flow.joined(self)
        self._open = True
        self._readers.came(resumed=self._resumed, behind=self._log.size - self._log.size_at(self.cursor))
        self._unwatch = self._log.watch(self._push)
        if self._interval > 0 and self._heartbeat:
            self._timer = self._loop.call_later(self._interval, self._beat)
        if first:
            self._write(first)
        self._push()

    def close(self) -> None:
        """Stop following. Idempotent; the cursor stays where the client was served."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        if self._timer is not None:
            self._timer.cancel()
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None
        if self._generation is not None:
            self._generation.detach(self)
            self._generation = None
        if not self.finished.done():
            self.finished.set_result(None)
        if self._open:
            self._open = False
            self._readers.left(self._cut)

    def _push(self) -> None:
        """Write what the log has beyond the cursor, as far as the connection takes it."""
        while self._blocked is None and not self.finished.done():
            data, number = self._log.read(self.cursor, WRITE)
            if not data:
                self._at_the_tail()
                return
            # Moved before the write: bytes handed to the server count as sent, those it refuses are lost with the
            # connection, and the client's own Last-Event-ID says which arrived.
            self.cursor = number
            self._write(data)
        self._measure()

    def _at_the_tail(self) -> None:
        if self._log.ending is not None:
            if self._log.parting and not self._parted:
                # When the connection is full the next push, behind these words, finds the end.
                self._parted = True
                self._write(self._log.parting)
                if self._blocked is not None or self.finished.done():
                    return
            self.complete = True
            self.finished.set_result(None)
        elif self._log.severed:
            self.close()

    def _write(self, data: bytes) -> None:
        self._last_write = self._loop.time()
        try:
            rest = first_step(self._send({"type": "http.response.body", "body": data, "more_body": True}))
        except Exception as error:  # noqa: BLE001 - each server has its own; none may reach the log, or its other readers
            self._lost(error)
            return
        if rest is not None:
            self._blocked = self._loop.create_task(self._unblock(rest), name="tailrace blocked reader")

    async def _unblock(self, rest: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._stall):
                await rest
        except Exception as error:  # noqa: BLE001 - as above
            self._blocked = None
            self._lost(error)
            return
        self._blocked = None
        self._push()
        self._measure()

    def _lost(self, error: Exception) -> None:
        reason = self._cut = "stalled" if isinstance(error, TimeoutError) else type(error).__name__
        _log.info("reader_cut", stream=self._log.info.id[:8], reason=reason, frame=self.cursor)
        self.close()

    def _measure(self) -> None:
        """Tell the flow whether this reader lags."""
        if self._generation is None:
            return
        lag = self._log.size - self._log.size_at(self.cursor)
        if self._blocked is not None and lag > self._high:
            self._generation.flow.full(self)
        elif lag <= self._low:
            self._generation.flow.drained(self)

    def _beat(self) -> None:
        quiet = self._loop.time() - self._last_write
        if quiet >= self._interval and self._blocked is None:
            self._readers.heartbeats += 1
            self._write(self._heartbeat)
            quiet = 0.0
        if not self.finished.done():
            self._timer = self._loop.call_later(max(self._interval - quiet, 0.05), self._beat)


class _Rest:
    """Awaits what is left of a coroutine whose first step has been taken."""

    __slots__ = ("_coroutine", "_pending")

    def __init__(self, coroutine: Coroutine[Any, Any, None], pending: Any) -> None:
        self._coroutine = coroutine
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, None]:
        pending = self._pending
        try:
            while True:
                try:
                    value = yield pending
                except GeneratorExit:
                    self._coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the coroutine
                    pending = self._coroutine.throw(error)
                else:
                    pending = self._coroutine.send(value)
        except StopIteration:
            return


def first_step(awaitable: Awaitable[None]) -> Awaitable[None] | None:
    """Run ``awaitable`` up to its first suspension; return what is left to await, or None when it is done."""
    coroutine = cast("Coroutine[Any, Any, None]", awaitable)
    try:
        pending = coroutine.send(None)
    except StopIteration:
        return None
    return _Rest(coroutine, pending)
