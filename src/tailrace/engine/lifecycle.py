"""A generation's life as two tables. Pure: it decides; `tailrace.engine.generation` acts.

1. Everything that decides what may happen next to a generation is in `LIFE` and `AUDIENCE`; the code looks it up.
2. The *phase* goes ``waiting → accepted → streaming → ended``; it goes back to ask another provider, from ``accepted``
   unseen, from ``streaming`` only where route and client want that, behind a reset that voids what came. ``ended``
   absorbs everything: a second stop, a late byte or a reader that leaves afterwards changes nothing.
3. The *audience* goes between ``attended`` and what the route's policy says of an empty room: ``grace`` (cancel
   when the time is over), ``detached`` (finish into the log) or ``draining`` (finish, within a budget).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from tailrace.engine.spec import OnDisconnect, Policy
from tailrace.events import Ending

Phase: TypeAlias = Literal["waiting", "accepted", "streaming", "ended"]
Audience: TypeAlias = Literal["attended", "grace", "detached", "draining"]
Signal: TypeAlias = Literal[
    "accept",  # the provider said yes
    "retry",  # that attempt is over before its first content, another begins
    "restart",  # it broke off after its first content, and its client takes a new beginning
    "content",  # the first event that a reader waits for
    "terminal",  # the dialect's terminal marker
    "closed",  # the provider closed without it
    "fail",  # the provider, its bytes or the way to it failed
    "stop",  # somebody asked for the end
    "abandon",  # the grace is over and nobody came back
    "deadline",  # one of the deadlines passed
    "shutdown",  # this process is going away
]


class Step(NamedTuple):
    """Where a signal leads: the next phase, and the ending when it is the last."""

    phase: Phase
    ending: Ending | None = None


def _ends(ending: Ending) -> Step:
    return Step("ended", ending)


_CUT_SHORT: dict[Signal, Step] = {
    "closed": _ends("truncated"),
    "fail": _ends("failed"),
    "stop": _ends("cancelled"),
    "abandon": _ends("cancelled"),
    "deadline": _ends("timed_out"),
    "shutdown": _ends("interrupted"),
}

LIFE: dict[Phase, dict[Signal, Step]] = {
    "waiting": {"accept": Step("accepted"), **_CUT_SHORT},
    "accepted": {"retry": Step("waiting"), "content": Step("streaming"), "terminal": _ends("completed"), **_CUT_SHORT},
    "streaming": {"restart": Step("waiting"), "terminal": _ends("completed"), **_CUT_SHORT},
    "ended": {},
}
"""``phase → signal → step``. An absent pair changes nothing."""

EMPTY_ROOM: dict[OnDisconnect, Audience] = {"cancel": "grace", "detach": "detached", "drain": "draining"}
"""What the audience becomes when the last reader leaves, by the route's policy."""

TIMED: dict[Audience, Callable[[Policy], float]] = {
    "grace": lambda policy: policy.grace,
    "draining": lambda policy: policy.budget.seconds,
}
"""Audiences that end by a timer, and its seconds."""


class Lifecycle:
    """Looks up the tables for one generation."""

    __slots__ = ("_policy", "audience", "ending", "phase")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.phase: Phase = "waiting"
        self.audience: Audience = "attended"
        self.ending: Ending | None = None

    def on(self, signal: Signal) -> Step | None:
        """Take a signal; return what it changed, or None when it changes nothing here."""
        step = LIFE[self.phase].get(signal)
        if step is not None:
            self.phase, self.ending = step
        return step

    def readers(self, count: int) -> float | None:
        """Take the number of readers now; return the seconds after which to call `abandon`, or None for no timer."""
        if self.phase == "ended":
            return None
        self.audience = "attended" if count else EMPTY_ROOM[self._policy.on_disconnect]
        seconds = TIMED.get(self.audience)
        return None if seconds is None else seconds(self._policy)
