"""A circuit breaker: a provider that fails and fails is left alone for a while. Pure: the time is passed in.

``closed`` lets everything through. After so many failures in a row it is ``open``: nobody asks. When its time is over
one request may try (``half-open``): its success closes the breaker, its failure opens it for as long again.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from tailrace.events import Error

State: TypeAlias = Literal["closed", "open", "half_open"]

COUNTS = frozenset({"overloaded", "timeout", "unreachable", "upstream", "truncated", "protocol"})
"""Kinds of error that speak of the provider's health. A refusal of this request or of this key does not."""


class Breaker:
    """One provider's. ``failures`` in a row open it for ``seconds``; 0 means that nothing does."""

    __slots__ = ("_failed", "_failures", "_seconds", "_until", "state")

    def __init__(self, failures: int, seconds: float) -> None:
        self._failures = failures
        self._seconds = seconds
        self._failed = 0
        self._until = 0.0
        self.state: State = "closed"

    def wait(self, now: float) -> float:
        """Return the seconds for which the provider should not be asked; 0 when it may be. Begins a probe."""
        if self.state == "closed":
            return 0.0
        if now < self._until:
            return self._until - now
        # One tries; whoever comes before its answer waits as long again. A probe that is never heard of again (its
        # client stopped it) therefore costs one more pause and blocks nothing for ever.
        self.state = "half_open"
        self._until = now + self._seconds
        return 0.0

    def succeeded(self) -> None:
        """Take note that the provider's answer has begun."""
        self._failed = 0
        self.state = "closed"

    def failed(self, error: Error, now: float) -> None:
        """Take note of a failure."""
        if not self._failures or error.kind not in COUNTS or (error.status is not None and error.status < 500):
            return
        self._failed += 1
        if self.state == "half_open" or self._failed >= self._failures:
            self.state = "open"
            self._until = now + self._seconds
