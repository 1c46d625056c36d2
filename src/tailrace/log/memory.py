"""Stream logs in this process's memory: durability level D0, for one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tailrace.events import Ending
from tailrace.log.base import Claim, Claimed, Entry, Held, StoreListener, StreamInfo, StreamLog
from tailrace.log.frames import Frames, Watchers


class MemoryLog:
    """One stream's frames; stored the moment they are appended."""

    __slots__ = ("_call", "_frames", "_watchers", "closed_at", "ending", "info")

    first = 0
    backlog = 0
    parting = b""
    severed = False

    def __init__(
        self,
        info: StreamInfo,
        *,
        ids: bool,
        max_bytes: int,
        max_frames: int,
        call: Callable[[str, str], None] | None = None,
    ) -> None:
        self.info = info
        self.ending: Ending | None = None
        self.closed_at: float | None = None
        self._frames = Frames(ids=ids, max_bytes=max_bytes, max_frames=max_frames)
        self._watchers = Watchers()
        self._call = call

    @property
    def tail(self) -> int:
        """The number of the newest frame."""
        return len(self._frames)

    count = tail  # nothing waits to be stored

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return self._frames.size

    def append(self, frames: Sequence[bytes]) -> None:
        """Add ``frames``; all of them or, past a cap, none."""
        if self.ending is None and frames:
            self._frames.add(frames, capped=True)
            self._watchers.call()

    def close(self, ending: Ending, frames: Sequence[bytes] = ()) -> None:
        """End the log with ``frames``, whatever the caps; the first ending stays."""
        if self.ending is None:
            self._frames.add(frames, capped=False)
            self.ending = ending
            self._watchers.call()

    def call(self, name: str) -> None:
        """Let the owner find it by ``name``."""
        if self._call is not None:
            self._call(name, self.info.id)

    def read(self, after: int, limit: int) -> tuple[bytes, int]:
        """Return frames after ``after``, joined: what one write to a client takes."""
        return self._frames.read(after, limit, len(self._frames))

    def size_at(self, number: int) -> int:
        """Return the bytes of the frames 1 … ``number``."""
        return self._frames.size_at(number)

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each append and at the close."""
        return self._watchers.add(callback)

    @property
    def watchers(self) -> int:
        """How many follow this log."""
        return len(self._watchers)


class MemoryStore:
    """All logs of this process.

    ``clock`` gives monotonic seconds. Finished logs go ``ttl`` seconds after their end, or earlier, oldest first,
    when there are more than ``max_logs`` or ``max_total`` bytes; a log that is still being written or read stays.
    `full` is as of the last `sweep`: counting at each frame would cost every stream for a limit that few reach.
    """

    shared = False

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
        # Each stream adds few of both, and they leave with it: bounded as the logs are.
        self._names: dict[tuple[str, str], str] = {}
        self._claims: dict[tuple[str, str], tuple[Claim, str]] = {}
        self.full = False

    async def start(self, listener: StoreListener) -> None:
        """Memory needs no connection, and nobody else can write or stop here."""

    async def create(self, info: StreamInfo, *, ids: bool, claim: Claim | None = None) -> StreamLog:
        """Begin the log of a new stream, or return the one that has ``claim``."""
        if claim is not None:
            holder = await self.find_claimed(info.owner, claim.key)
            if holder is not None:
                return holder.by(claim)
            self._claims[info.owner, claim.key] = (claim, info.id)

        def call(name: str, stream_id: str) -> None:
            self._names[info.owner, name] = stream_id

        log = MemoryLog(info, ids=ids, max_bytes=self._max_bytes, max_frames=self._max_frames, call=call)
        self._logs[info.id] = log
        for name in info.names:
            log.call(name)
        return log

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return the log, unless it is unknown or its time is over."""
        return self._get(stream_id)

    async def find_named(self, owner: str, name: str) -> StreamLog | None:
        """Return the newest log that ``owner`` calls ``name``."""
        return self._get(self._names.get((owner, name), ""))

    async def find_claimed(self, owner: str, key: str) -> Claimed | None:
        """Return the log whose stream has a claim by ``key``."""
        held = self._claims.get((owner, key))
        log = held and self._get(held[1])
        return Claimed(held[0], log) if held and log else None

    async def owned_by(self, owner: str, limit: int) -> list[Entry]:
        """Return the newest streams of ``owner``."""
        mine = [log for log in reversed(self._logs.values()) if log.info.owner == owner]
        return [Entry(log.info, log.tail, log.ending) for log in mine[:limit]]

    async def ask_stop(self, stream_id: str) -> None:
        """Every stream is written here, where its generation can be stopped itself."""

    async def followed_elsewhere(self, stream_id: str) -> bool:  # noqa: ARG002 - the protocol's
        """There is no other node."""
        return False

    def release(self, owner: str, claim: Claim) -> None:
        """Free ``claim``."""
        self._claims.pop((owner, claim.key), None)

    def sever(self) -> None:
        """Nobody else writes here."""

    async def aclose(self) -> None:
        """Nothing is waiting."""

    def _get(self, stream_id: str) -> MemoryLog | None:
        log = self._logs.get(stream_id)
        return None if log is None or self._expired(log, self._clock()) else log

    def held(self) -> Held:
        """Return how many logs there are, and their bytes."""
        return Held(len(self._logs), sum(log.size for log in self._logs.values()))

    def sweep(self) -> list[str]:
        """Forget what is over or no longer fits; to be called every few seconds."""
        now = self._clock()
        gone = [stream_id for stream_id, log in self._logs.items() if self._expired(log, now)]
        for stream_id in gone:
            del self._logs[stream_id]
        gone += self._shrink()
        if gone:
            self._names = {name: of for name, of in self._names.items() if of in self._logs}
            self._claims = {key: held for key, held in self._claims.items() if held[1] in self._logs}
        return gone

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
