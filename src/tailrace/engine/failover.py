"""Who is asked next after a failure before the first content. Pure: faults and counts in, a target and a delay out.

The targets of a route are gone through in rounds. A fault of the request itself ends everything at once; one that this
target will have again (a wrong key, no such model, a deadline it used up) takes the target out; any other leaves it in
for the next round. Between two rounds there is a backoff, or what the provider asked for with ``Retry-After``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from tailrace.engine.spec import Retry
from tailrace.events import Error

Verdict: TypeAlias = Literal["final", "elsewhere", "again"]

VERDICTS: dict[str, Verdict] = {
    "authentication": "elsewhere",
    "permission": "elsewhere",
    "not_found": "elsewhere",
    "billing": "elsewhere",
    "conflict": "again",
    "rate_limit": "again",
    "overloaded": "again",
    "timeout": "elsewhere",
    "unreachable": "again",
    "upstream": "again",
    "protocol": "elsewhere",
    "truncated": "again",
    "invalid_request": "final",
    "too_large": "final",
    "cancelled": "final",
    "interrupted": "again",
    "internal": "elsewhere",
}
"""Kind of error → may another target do better (``elsewhere``), this one too, later (``again``), or nobody."""


CODES: dict[str | None, Verdict] = {"connect": "again", "ledger_unavailable": "final"}
"""The same by the error's code, which wins."""


STATUSES: dict[int, Verdict] = {
    401: "elsewhere",
    402: "elsewhere",
    403: "elsewhere",
    404: "elsewhere",
    408: "again",
    409: "again",
    429: "again",
}
"""The same by the status of a refusal whose body says nothing; any other below 500 is the request's own fault."""


class Next(NamedTuple):
    """The target to ask, by its place in the route, and the seconds to wait before."""

    target: int
    delay: float


def verdict(error: Error) -> Verdict:
    """Return what ``error``, met before the first content, says about asking again."""
    if error.kind == "upstream" and error.status is not None and error.status < 500:
        # The provider's own words could not be read, so its status must do (RFC 9110 section 15.5).
        return STATUSES.get(error.status, "final")
    return CODES.get(error.code) or VERDICTS[error.kind]


class Schedule:
    """The order of the attempts at one request. ``jitter`` gives numbers from 0 to 1."""

    def __init__(self, targets: int, retry: Retry, jitter: Callable[[], float]) -> None:
        self._retry = retry
        self._jitter = jitter
        self._left = list(range(targets))
        self._waiting = self._left[1:]
        self._round = 1
        self._asked_to_wait = 0.0
        self.first = Next(0, 0.0)

    def after(self, target: int, error: Error) -> Next | None:
        """Return who is asked after ``target`` failed with ``error``; None when that is what the client is told."""
        judged = verdict(error)
        if judged == "final":
            return None
        if judged == "elsewhere" or (error.retry_after or 0.0) > self._retry.longest:
            self._left.remove(target)
        elif error.retry_after:
            self._asked_to_wait = max(self._asked_to_wait, error.retry_after)
        if self._waiting:
            return Next(self._waiting.pop(0), 0.0)
        if not self._left or self._round >= self._retry.attempts:
            return None
        backoff = min(self._retry.longest, self._retry.backoff * 2 ** (self._round - 1)) * self._jitter()
        delay = max(backoff, self._asked_to_wait)
        self._round += 1
        self._asked_to_wait = 0.0
        first, *self._waiting = self._left
        return Next(first, delay)

    def may_follow(self, target: int, error: Error) -> bool:
        """Whether anybody would be asked after ``target`` failed with ``error``; changes nothing."""
        return copy.deepcopy(self).after(target, error) is not None

    def rival(self) -> int | None:
        """Take the next target out of its turn, to be asked beside the present one; None when there is none."""
        return self._waiting.pop(0) if self._waiting else None
