"""The table of faults: what can go wrong, by its name in a scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from tailrace.dialects import Dialect
from tailrace.errors import BadRequest
from tailrace.simulator import script_faults as script
from tailrace.simulator import wire_faults as wire
from tailrace.simulator.actions import Action
from tailrace.simulator.scenario import Fault, Scenario
from tailrace.simulator.script import Step
from tailrace.simulator.wire_faults import WireFault, after_byte, after_event, closing, stalling

MAX_SECONDS = 86_400.0
"""Longest delay that can be asked for: a day, which is longer than any deadline worth testing."""

ANY = range(1 << 40)
"""Positions and sizes; a terabyte is further than any answer goes."""

FAILURES = range(400, 600)
"""HTTP statuses that say that something is wrong (RFC 9110 section 15)."""


class FaultKind(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the table.

    :ivar does: what it does, for people.
    :ivar steps: changes what is said; None where it does not.
    :ivar actions: changes what is written; None where it does not.
    :ivar at: the number meant when none is given; None where one must be given, 0 where none is used.
    :ivar within: what the number may be.
    :ivar argument: checks the text after the colon; None where there may be none.
    :ivar stream_only: means nothing for an answer that is not streamed.
    """

    does: str
    steps: Callable[[Iterator[Step], Fault], Iterator[Step]] | None = None
    actions: WireFault | None = None
    at: int | None = 0
    within: range = ANY
    argument: Callable[[str], None] | None = None
    stream_only: bool = False

    def check(self, fault: Fault) -> Fault:
        """Return ``fault`` with its number filled in; raise `BadRequest` where a number or argument is wrong."""
        at = self.at if fault.at is None else fault.at
        if at is None:
            raise BadRequest(f"fault={fault.name} wants a number, as in {fault.name}@3", param="model")
        if at not in self.within:
            raise BadRequest(
                f"fault={fault.name} wants a number from {self.within[0]} to {self.within[-1]}, not {at}", param="model"
            )
        if fault.argument is not None:
            if self.argument is None:
                raise BadRequest(f"fault={fault.name} takes no argument after a colon", param="model")
            self.argument(fault.argument)
        return Fault(fault.name, at, fault.argument)


def _seconds(text: str) -> None:
    try:
        fine = 0 <= float(text) <= MAX_SECONDS
    except ValueError:
        fine = False
    if not fine:
        raise BadRequest(f"{text!r} is not a number of seconds from 0 to {MAX_SECONDS:g}", param="model")


def _error_kind(text: str) -> None:
    script.failure(text)


FAULTS: dict[str, FaultKind] = {
    "no_usage": FaultKind(does="no usage is reported", steps=script.no_usage),
    "pings": FaultKind(does="a ping before every N-th event", steps=script.pings, at=1),
    "error": FaultKind(
        does="an error event of a kind after N events", steps=script.error, at=None, argument=_error_kind
    ),
    "status": FaultKind(
        does="HTTP status N, with retry-after seconds", actions=wire.status, at=500, within=FAILURES, argument=_seconds
    ),
    "html": FaultKind(does="HTTP status N with a page instead of JSON", actions=wire.html, at=502, within=FAILURES),
    "junk": FaultKind(does="the JSON of event N is cut in half", actions=wire.junk, at=2),
    "badutf8": FaultKind(
        does="a byte that is not UTF-8 in the first text from event N on", actions=wire.bad_utf8, at=2
    ),
    "no_terminator": FaultKind(
        does="a clean end without the terminal marker", actions=wire.no_terminator, stream_only=True
    ),
    "comments": FaultKind(does="a comment before every N-th event", actions=wire.comments, at=1, stream_only=True),
    "huge_line": FaultKind(
        does="a comment line of N bytes", actions=wire.huge_line, at=16 * 1024 * 1024, stream_only=True
    ),
    "crlf": FaultKind(does="lines end with CR LF", actions=wire.crlf, stream_only=True),
    "bom": FaultKind(does="a byte-order mark comes first", actions=wire.bom, stream_only=True),
    "stall": FaultKind(
        does="silence after byte N, for seconds or for ever", actions=stalling(after_byte), at=None, argument=_seconds
    ),
    "stall_event": FaultKind(
        does="silence after event N, for seconds or for ever", actions=stalling(after_event), at=None, argument=_seconds
    ),
    "cut": FaultKind(does="the connection closes after byte N", actions=closing(after_byte, "fin"), at=None),
    "cut_event": FaultKind(does="the connection closes after event N", actions=closing(after_event, "fin"), at=None),
    "rst": FaultKind(does="the connection is reset after byte N", actions=closing(after_byte, "rst"), at=None),
    "rst_event": FaultKind(does="the connection is reset after event N", actions=closing(after_event, "rst"), at=None),
    "end": FaultKind(does="a clean end after byte N", actions=closing(after_byte, "end"), at=None),
    "end_event": FaultKind(does="a clean end after event N", actions=closing(after_event, "end"), at=None),
    "split": FaultKind(does="every byte is its own write", actions=wire.chunk),
    "chunk": FaultKind(does="writes of N bytes", actions=wire.chunk, at=None),
    "unframed": FaultKind(does="no length and no chunks: the end is the connection's", actions=wire.unframed),
    "slow_headers": FaultKind(does="seconds of silence before the head", actions=wire.slow_headers, argument=_seconds),
    "hang": FaultKind(does="no answer at all, not even a head", actions=wire.hang),
}
"""``name → fault``, in the order in which they are applied."""

_ORDER = {name: number for number, name in enumerate(FAULTS)}


def checked(fault: Fault) -> Fault:
    """Return ``fault`` with its number filled in; raise `BadRequest` where its name, number or argument is wrong."""
    if fault.name not in FAULTS:
        raise BadRequest(f"no fault {fault.name!r}; known: {', '.join(FAULTS)}", param="model")
    return FAULTS[fault.name].check(fault)


def _sorted(faults: Iterable[Fault]) -> list[tuple[FaultKind, Fault]]:
    good = sorted(map(checked, faults), key=lambda fault: _ORDER[fault.name])
    return [(FAULTS[fault.name], fault) for fault in good]


def faulty_steps(steps: Iterator[Step], scenario: Scenario) -> Iterator[Step]:
    """Return ``steps`` with the scenario's faults of speech."""
    for kind, fault in _sorted(scenario.faults):
        if kind.steps:
            steps = kind.steps(steps, fault)
    return steps


def faulty_actions(
    actions: Iterator[Action], scenario: Scenario, dialect: Dialect, *, stream: bool
) -> Iterator[Action]:
    """Return ``actions`` with the scenario's faults of the wire."""
    for kind, fault in _sorted(scenario.faults):
        if kind.actions and (stream or not kind.stream_only):
            actions = kind.actions(actions, fault, dialect)
    return actions
