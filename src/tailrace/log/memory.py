"""Stream logs in this process's memory: durability level D0, for one process."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from tailrace.errors import LimitExceeded
from tailrace.events import Ending
from tailrace.log.base import StreamInfo, StreamLog
from tailrace.log.cursor import stamp_id


class MemoryLog:
    """One stream's frames in a list, with the running total of their sizes.

    The totals (8 bytes a frame) make a reader's lag one subtraction and a bounded read one bisection.
    """

    __slots__ = ("_ends", "_frames", "_ids", "_max_bytes", "_max_frames", "_watchers", "closed_at", "ending", "info")

    def __init__(self, info: StreamInfo, *, ids: bool, max_bytes: int, max_frames: int) -> None:
        self.info = info
        self.ending: Ending | None = None
        self.closed_at: float | None = None
        self._ids = ids
        self._max_bytes = max_bytes
        self._max_frames = max_frames
        self._frames: list[bytes] = []
        self._ends = array("Q")
        self._watchers: tuple[Callable[[], None], ...] = ()

    @property
    def tail(self) -> int:
        """The number of the newest frame."""
        return len(self._frames)

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return self._ends[-1] if self._ends else 0

    def append(self, frames: Sequence[bytes]) -> None:
        """Add ``frames``; all of them or, past a cap, none."""
        if self.ending is None and frames:
            self._store(frames, capped=True)
            self._notify()

    def close(self, ending: Ending, frames: Sequence[bytes] = ()) -> None:
        """End the log with ``frames``, whatever the caps; the first ending stays."""
        if self.ending is None:
            self._store(frames, capped=False)
            self.ending = ending
            self._notify()

    def _store(self, frames: Sequence[bytes], *, capped: bool) -> None:
        number, total = len(self._frames), self.size
        stamped: list[bytes] = []
        ends: list[int] = []
        for frame in frames:
            number += 1
            data = stamp_id(number, frame) if self._ids else frame
            total += len(data)
            stamped.append(data)
            ends.append(total)
        if capped:
            self._check(number, total)
        self._frames += stamped
        self._ends.extend(ends)

    def _check(self, count: int, size: int) -> None:
        if size > self._max_bytes:
            raise LimitExceeded(f"an answer of more than {self._max_bytes} bytes", limit=self._max_bytes)
        if count > self._max_frames:
            raise LimitExceeded(f"an answer of more than {self._max_frames} events", limit=self._max_frames)

    def read(self, after: int, limit: int) -> tuple[bytes, int]:
        """Return frames after ``after``, joined: what one write to a client takes."""
        tail = len(self._frames)
        if after >= tail:
            return b"", after
        if after == tail - 1:
            return self._frames[after], tail
        last = max(after + 1, bisect_right(self._ends, self.size_at(after) + limit))
        return b"".join(self._frames[after:last]), last

    def size_at(self, number: int) -> int:
        """Return the bytes of the frames 1 … ``number``."""
        return self._ends[number - 1] if number > 0 else 0

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each append and at the close."""
        self._watchers = (*self._watchers, callback)

        def unwatch() -> None:
            self._watchers = tuple(watcher for watcher in self._watchers if watcher is not callback)

        return unwatch

    @property
    def watchers(self) -> int:
        """How many follow this log."""
        return len(self._watchers)

    def _notify(self) -> None:
        # The tuple is replaced, never changed, so a watcher may leave while it is being called.
        for watcher in self._watchers:
            watcher()


class MemoryStore:
    """All logs of this process.

    ``clock`` gives monotonic seconds. Finished logs go ``ttl`` seconds after their end, or earlier, oldest first,
    when there are more than ``max_logs`` or ``max_total`` bytes; a log that is still being written or read stays.
    `full` is as of the last `sweep`: counting at each frame would cost every stream for a limit that few reach.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        ttl: float = 300.0,
        max_logs: int = 10_000,
        max_total: int = 512 * 1024 * 1024,
        max_bytes: int = 64 * 1024 * 1024,
        max_frames: int = 1_000_000,
    ) -> None:
        self._clock = clock
        self._ttl = ttl
        self._max_logs = max_logs
        self._max_total = max_total
        self._max_bytes = max_bytes
        self._max_frames = max_frames
        self._logs: dict[str, MemoryLog] = {}
        self.full = False

    def create(self, info: StreamInfo, *, ids: bool) -> MemoryLog:
        """Begin the log of a new stream."""
        log = MemoryLog(info, ids=ids, max_bytes=self._max_bytes, max_frames=self._max_frames)
        self._logs[info.id] = log
        return log

    def get(self, stream_id: str) -> StreamLog | None:
        """Return the log, unless it is unknown or its time is over."""
        log = self._logs.get(stream_id)
        if log is None or self._expired(log, self._clock()):
            return None
        return log

    def owned_by(self, owner: str) -> Iterator[StreamLog]:
        """Yield the logs of ``owner``, newest first."""
        return (log for log in reversed(list(self._logs.values())) if log.info.owner == owner)

    def sweep(self) -> list[str]:
        """Forget what is over or no longer fits; to be called every few seconds."""
        now = self._clock()
        gone = [stream_id for stream_id, log in self._logs.items() if self._expired(log, now)]
        for stream_id in gone:
            del self._logs[stream_id]
        return gone + self._shrink()

    def _shrink(self) -> list[str]:
        total = sum(log.size for log in self._logs.values())
        gone: list[str] = []
        for stream_id, log in list(self._logs.items()):
            if len(self._logs) <= self._max_logs and total <= self._max_total:
                break
            if log.ending is not None and not log.watchers:
                total -= log.size
                del self._logs[stream_id]
                gone.append(stream_id)
        self.full = total > self._max_total
        return gone

    def _expired(self, log: MemoryLog, now: float) -> bool:
        if log.ending is None:
            return False
        if log.closed_at is None:
            # The close is noticed here, not in `close`: the log itself has no clock.
            log.closed_at = now
        return now - log.closed_at >= self._ttl and not log.watchers

    def __len__(self) -> int:
        return len(self._logs)
