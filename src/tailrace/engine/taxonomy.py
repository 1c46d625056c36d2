"""What becomes of an answer whose provider failed: one table, by what happened and when. Pure.

`tailrace.engine.failures` looks it up, docs/errors.md is drawn from it, and each row has a test through the door.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from tailrace.events import Ending, ErrorKind

When: TypeAlias = Literal["before", "accepted", "answering"]
"""``before`` the head of the provider's answer; ``accepted``: after its 200, before the first content; ``answering``:
after that, when the readers have had a part of it."""

Cause: TypeAlias = Literal[
    "refused",
    "unreachable",
    "closed",
    "reported",
    "garbled",
    "connect",
    "first_content",
    "idle",
    "total",
    "floor",
    "circuit_open",
]


class Fate(NamedTuple):
    """What the client is told: the kind of error, how the answer ended, and whether asking again may help.

    None is what the provider itself said; where it said nothing of asking again, its status decides (`asks_again`).
    """

    kind: ErrorKind | None
    ending: Ending
    retryable: bool | None


MEANING: dict[Cause, str] = {
    "refused": "it answers with an HTTP error",
    "unreachable": "no connection, or it is lost",
    "closed": "it closes its answer without the terminal marker",
    "reported": "it sends an error event",
    "garbled": "bytes or events that no rule allows, or more than the caps do",
    "connect": "no connection within `deadlines.connect`",
    "first_content": "nothing to read within `deadlines.first_content`",
    "idle": "silence for `deadlines.idle`",
    "total": "longer than `deadlines.total` in all",
    "floor": "fewer tokens a second than `deadlines.floor`",
    "circuit_open": "it failed so often that it is left alone for a while",
}

_CUT = Fate("truncated", "truncated", retryable=True)
_ITS_OWN = Fate(None, "failed", retryable=None)
_GARBLED = Fate("protocol", "failed", retryable=False)  # the same request would bring the same bytes
_LATE = Fate("timeout", "timed_out", retryable=True)

TAXONOMY: dict[Cause, dict[When, Fate]] = {
    "refused": {"before": _ITS_OWN},
    "unreachable": {"before": Fate("unreachable", "failed", retryable=True), "accepted": _CUT, "answering": _CUT},
    "closed": {"accepted": _CUT, "answering": _CUT},
    "reported": {"accepted": _ITS_OWN, "answering": _ITS_OWN},
    "garbled": {"before": _GARBLED, "accepted": _GARBLED, "answering": _GARBLED},
    "connect": {"before": _LATE},
    "first_content": {"before": _LATE, "accepted": _LATE},
    "idle": {"answering": _LATE},
    "total": {"before": _LATE, "accepted": _LATE, "answering": _LATE},
    "floor": {"answering": _LATE},
    "circuit_open": {"before": Fate("overloaded", "failed", retryable=True)},
}
"""``cause → when → fate``. An absent pair cannot happen. What is told depends on ``when`` only in that nothing can be
cut off that had not begun: see `fate`."""


OVERALL: frozenset[Cause] = frozenset({"total", "idle", "floor"})
"""Those that belong to the answer, not to an attempt at it: nobody else is asked."""


def fate(cause: Cause, *, begun: bool) -> Fate:
    """Return what a client is told of ``cause``; ``begun`` when the provider had accepted the request."""
    row = TAXONOMY[cause]
    if not begun and "before" in row:
        return row["before"]
    return row.get("answering") or next(iter(row.values()))


def asks_again(status: int) -> bool:
    """Return whether the same request may go better after an HTTP error (RFC 9110 section 15.5 and 15.6)."""
    return status in {408, 409, 429} or status >= 500
