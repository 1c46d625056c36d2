"""Flow: slow readers pause the provider, and nothing else does.

A reader says when it is full (it lags past the high-water mark) and when it has drained (below the low-water mark).
While at least one is full the source should not be read. The two marks keep a reader that hovers at one of them
from switching the source on and off for every event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Flow:
    """The valve between one source and its readers.

    ``clock`` gives monotonic seconds; `blocked_seconds` adds up how long the source has been paused.
    """

    __slots__ = ("_blocked", "_clock", "_full", "_since", "_waiter")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full: set[object] = set()
        self._waiter: asyncio.Future[None] | None = None
        self._since = 0.0
        self._blocked = 0.0

    @property
    def paused(self) -> bool:
        """Whether the source should hold back."""
        return bool(self._full)

    @property
    def blocked_seconds(self) -> float:
        """Seconds the source has been paused, the present pause included."""
        return self._blocked + (self._clock() - self._since if self._full else 0.0)

    def holds(self, reader: object) -> bool:
        """Whether ``reader`` is one of those that hold the source back."""
        return reader in self._full

    def full(self, reader: object) -> None:
        """Take note that ``reader`` cannot take more."""
        if not self._full:
            self._since = self._clock()
        self._full.add(reader)

    def drained(self, reader: object) -> None:
        """Take note that ``reader`` can take more again, or has left."""
        if reader not in self._full:
            return
        self._full.discard(reader)
        if not self._full:
            self._blocked += self._clock() - self._since
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    async def ready(self) -> None:
        """Wait until the source may be read."""
        while self._full:
            if self._waiter is None or self._waiter.done():
                self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
