"""Faults in what the provider says: steps in, steps out."""

from __future__ import annotations

from collections.abc import Iterator

from tailrace.errors import BadRequest
from tailrace.events import ERROR_STATUS, Error, ErrorKind, Ping, UsageReport
from tailrace.simulator.scenario import Fault
from tailrace.simulator.script import Step

RETRYABLE = frozenset({"rate_limit", "overloaded", "timeout", "unreachable", "upstream", "internal", "interrupted"})
"""The kinds of error after which the same request may work."""

_KINDS: dict[str, ErrorKind] = {kind: kind for kind in ERROR_STATUS}  # type: ignore[misc]


def failure(kind: str, *, status: int | None = None, retry_after: float | None = None) -> Error:
    """Return the error that the simulator was asked to give; raise `BadRequest` for an unknown ``kind``."""
    known = _KINDS.get(kind)
    if known is None:
        raise BadRequest(f"no error kind {kind!r}; known: {', '.join(_KINDS)}", param="model")
    return Error(
        known,
        f"the simulator was asked to fail: {kind}",
        retryable=kind in RETRYABLE,
        status=status,
        retry_after=retry_after,
    )


def no_usage(steps: Iterator[Step], _fault: Fault) -> Iterator[Step]:
    """Leave every usage report out."""
    return (step for step in steps if not isinstance(step.event, UsageReport))


def pings(steps: Iterator[Step], fault: Fault) -> Iterator[Step]:
    """Say a ping before every ``at``-th step (a dialect without the word says nothing)."""
    every = max(1, fault.at or 1)
    for number, step in enumerate(steps):
        if number % every == 0:
            yield Step(0.0, Ping())
        yield step


def error(steps: Iterator[Step], fault: Fault) -> Iterator[Step]:
    """Say ``at`` events, then an error of the kind ``argument``, and nothing more.

    Usage reports are not counted: no dialect has a wire event for one alone.
    """
    said = 0
    for step in steps:
        counts = not isinstance(step.event, UsageReport)
        if counts and said == fault.at:
            yield Step(step.delay, failure(fault.argument or "overloaded"))
            return
        said += counts
        yield step
