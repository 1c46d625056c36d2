"""When to give up on a provider. Pure: told the time, it says what has expired or when to ask again.

One timer a generation, re-armed only when it fires: an event merely notes the time (`content`), it starts and
cancels nothing.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from tailrace.engine.spec import Deadlines

Kind: TypeAlias = Literal["first_content", "idle", "total"]


class Expired(NamedTuple):
    """A deadline that has passed, and its length in seconds."""

    kind: Kind
    seconds: float


class Watch:
    """Watches one generation's deadlines. All times are monotonic seconds."""

    __slots__ = ("_limits", "_started", "_waiting_since", "has_content")

    def __init__(self, limits: Deadlines, now: float) -> None:
        self._limits = limits
        self._started = now
        self._waiting_since = now
        self.has_content = False

    def content(self, now: float) -> None:
        """Note that something a reader waits for has come."""
        self._waiting_since = now
        self.has_content = True

    def held(self, now: float) -> None:
        """Note that the provider was held back by us until now: its silence was not its own."""
        self._waiting_since = now

    def check(self, now: float) -> Expired | float | None:
        """Return what has expired, else the seconds until the next check, else None (nothing to wait for)."""
        limits = self._limits
        kind: Kind = "idle" if self.has_content else "first_content"
        gap = limits.idle if self.has_content else limits.first_content
        due: list[float] = []
        if limits.total is not None:
            due.append(self._started + limits.total)
            if now >= due[-1]:
                return Expired("total", limits.total)
        if gap is not None:
            due.append(self._waiting_since + gap)
            if now >= due[-1]:
                return Expired(kind, gap)
        return min(due) - now if due else None
