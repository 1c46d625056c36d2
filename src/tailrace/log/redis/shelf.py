"""What of the written logs stays in this process's memory, and what is still to be said to Redis."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from tailrace.log.redis.log import RedisLog
from tailrace.log.redis.lua import Command

OWED = 1000
"""Most commands that wait for Redis to come back: claims to free, creations to take back. Older ones expire anyway."""


class Shelf:
    """The logs that were or are written here. A finished one stays for ``ttl`` seconds, as Redis keeps it, or less
    when there are more than ``max_logs`` or ``max_total`` bytes: Redis has it all the same.
    """

    def __init__(self, *, ttl: float, max_logs: int, max_total: int, clock: Callable[[], float]) -> None:
        self.full = False
        self._ttl = ttl
        self._max_logs = max_logs
        self._max_total = max_total
        self._clock = clock
        self._logs: dict[str, RedisLog] = {}
        self._lost: list[str] = []

    def put(self, log: RedisLog) -> None:
        """Keep ``log``."""
        self._logs[log.info.id] = log

    def get(self, stream_id: str) -> RedisLog | None:
        """Return the log of that id, if it is here."""
        return self._logs.get(stream_id)

    def live(self, settling: float) -> Mapping[str, RedisLog]:
        """Return the logs that are being written, or ended at most ``settling`` seconds (and half their time) ago."""
        since = self._clock() - min(settling, self._ttl / 2)
        return {key: log for key, log in self._logs.items() if log.ended_at is None or log.ended_at > since}

    def lose(self, log: RedisLog) -> None:
        """Forget ``log``: what Redis has of it is another's now."""
        if self._logs.get(log.info.id) is log:
            del self._logs[log.info.id]
            self._lost.append(log.info.id)

    def expired(self, log: RedisLog) -> bool:
        """Whether the time of a finished log is over."""
        if log.ended_at is None:
            return False
        return self._clock() - log.ended_at >= self._ttl and not log.watchers

    @property
    def size(self) -> int:
        """Bytes of all logs, as far as they are kept here."""
        return sum(log.kept for log in self._logs.values())

    def __len__(self) -> int:
        return len(self._logs)

    def sweep(self, others: int) -> list[str]:
        """Forget what is over or no longer fits beside ``others`` bytes; return all that has left since."""
        gone, self._lost = self._lost, []
        over = [stream_id for stream_id, log in self._logs.items() if self.expired(log)]
        for stream_id in over:
            del self._logs[stream_id]
        gone += over
        total = self.size + others
        for stream_id, log in list(self._logs.items()):
            if len(self._logs) <= self._max_logs and total <= self._max_total:
                break
            if log.ending is not None and not log.watchers:
                total -= log.kept
                del self._logs[stream_id]
                gone.append(stream_id)
        self.full = total > self._max_total
        return gone


class Debts:
    """Commands that Redis is told with the next request, or by the keeper; again until it has heard them."""

    def __init__(self) -> None:
        self._owed: deque[Command] = deque(maxlen=OWED)

    def owe(self, command: Command) -> None:
        """Add one."""
        self._owed.append(command)

    def all(self) -> list[Command]:
        """Return what is owed, oldest first."""
        return list(self._owed)

    def paid(self, commands: Iterable[Command]) -> None:
        """Forget ``commands``: Redis has heard them."""
        for command in commands:
            if command in self._owed:
                self._owed.remove(command)
