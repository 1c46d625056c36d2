"""Flow: the provider is paused when nobody can take more, and when the log cannot.

A reader says when it is full (it lags past the high-water mark) and when it has drained (below the low-water mark).
While every reader is full the source should not be read. One that still can take more keeps it going, for the log has
what the others miss: a stuck phone does not stop the same answer on the desk beside it, and is cut by its own deadline.
The two marks keep a reader that hovers at one of them from switching the source on and off for every event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Flow:
    """The valve between one source and its readers.

    ``clock`` gives monotonic seconds; `blocked_seconds` adds up how long the source has been paused.
    """

    __slots__ = ("_blocked", "_clock", "_full", "_gates", "_paused", "_readers", "_since", "_waiter")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._readers: set[object] = set()
        self._full: set[object] = set()
        self._gates: set[object] = set()
        self._waiter: asyncio.Future[None] | None = None
        self._since = 0.0
        self._blocked = 0.0
        self._paused = False

    @property
    def paused(self) -> bool:
        """Whether the source should hold back."""
        return self._paused

    @property
    def blocked_seconds(self) -> float:
        """Seconds the source has been paused, the present pause included."""
        return self._blocked + (self._clock() - self._since if self._paused else 0.0)

    def joined(self, reader: object) -> None:
        """Take note of a reader that can take all there is."""
        self._readers.add(reader)
        self._decide()

    def left(self, reader: object) -> None:
        """Take note that ``reader`` has gone."""
        self._readers.discard(reader)
        self._full.discard(reader)
        self._decide()

    def full(self, reader: object) -> None:
        """Take note that ``reader`` cannot take more."""
        self._full.add(reader)
        self._decide()

    def drained(self, reader: object) -> None:
        """Take note that ``reader`` can take more again."""
        if reader in self._full:
            self._full.discard(reader)
            self._decide()

    def holds(self, gate: object) -> bool:
        """Whether ``gate`` is closed."""
        return gate in self._gates

    def close(self, gate: object) -> None:
        """Hold the source back whatever the readers say: ``gate`` is what it must pass to reach any of them."""
        self._gates.add(gate)
        self._decide()

    def open(self, gate: object) -> None:
        """Let ``gate`` no longer hold the source back."""
        self._gates.discard(gate)
        self._decide()

    def _decide(self) -> None:
        paused = bool(self._gates) or (bool(self._full) and len(self._full) == len(self._readers))
        if paused == self._paused:
            return
        self._paused = paused
        if paused:
            self._since = self._clock()
            return
        self._blocked += self._clock() - self._since
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def ready(self) -> None:
        """Wait until the source may be read."""
        while self._paused:
            if self._waiter is None or self._waiter.done():
                self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
