"""When to give up on a provider that has begun to answer. Pure: told the time, it says what has expired or when to ask.

One timer a generation, re-armed only when it fires: an event merely notes the time (`content`), it starts and
cancels nothing. The deadlines before the first content belong to an attempt, and are a timeout around it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from tailrace.engine.spec import Deadlines
from tailrace.engine.usage import CHARACTERS_PER_TOKEN

Kind: TypeAlias = Literal["first_content", "idle", "total", "floor"]


class Expired(NamedTuple):
    """A deadline that has passed, and its length in seconds (of a floor: its tokens a second)."""

    kind: Kind
    seconds: float


class Watch:
    """Watches one generation's deadlines. All times are monotonic seconds."""

    __slots__ = ("_limits", "_mark", "_marked_at", "_started", "_waiting_since", "has_content")

    def __init__(self, limits: Deadlines, now: float) -> None:
        self._limits = limits
        self._started = now
        self._waiting_since = now
        self._marked_at = now
        self._mark = 0
        self.has_content = False

    def content(self, now: float) -> None:
        """Note that something a reader waits for has come."""
        self._waiting_since = now
        if not self.has_content:
            self.has_content = True
            self._marked_at = now
            self._mark = 0

    def restart(self) -> None:
        """Note that the answer begins anew: nothing of it has come."""
        self.has_content = False

    def held(self, now: float) -> None:
        """Note that the provider was held back by us until now: its silence, or its slowness, was not its own."""
        self._waiting_since = self._marked_at = now

    def check(self, now: float, characters: int = 0) -> Expired | float | None:
        """Return what has expired, else the seconds until the next check, else None (nothing to wait for).

        ``characters`` of content have come so far.
        """
        limits = self._limits
        due: list[float] = []
        if limits.total is not None:
            due.append(self._started + limits.total)
            if now >= due[-1]:
                return Expired("total", limits.total)
        if self.has_content and limits.idle is not None:
            due.append(self._waiting_since + limits.idle)
            if now >= due[-1]:
                return Expired("idle", limits.idle)
        if self.has_content and limits.floor is not None:
            end = self._marked_at + limits.floor_window
            if now >= end:
                if characters - self._mark < limits.floor * (now - self._marked_at) * CHARACTERS_PER_TOKEN:
                    return Expired("floor", limits.floor)
                end = now + limits.floor_window
                self._mark, self._marked_at = characters, now
            due.append(end)
        return min(due) - now if due else None
