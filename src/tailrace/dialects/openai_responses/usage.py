"""Token counts, both ways.

``input_tokens`` includes what came from a cache, ``output_tokens`` what went into reasoning, as in the vocabulary.
Where the SDKs demand a number and none is known, 0 is written and the field is named in ``tailrace.placeholders``, so
that our own reader does not take it for a count.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.events import Usage, UsageLabel, UsageReport

LABELS: dict[str, UsageLabel] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}
"""Values of ``tailrace.usage_label``."""


class InputDetails(msgspec.Struct, gc=False):
    """Parts of ``input_tokens``."""

    cached_tokens: int | float | None = None
    cache_write_tokens: int | float | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """Parts of ``output_tokens``."""

    reasoning_tokens: int | float | None = None


class WireUsage(msgspec.Struct, gc=False):
    """The ``usage`` object of a response, as far as it is read."""

    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


def read_usage(wire: WireUsage | None, tailrace: Any) -> list[UsageReport]:
    """Return what a response's ``usage`` and a relay's marks on it say, which may be nothing."""
    marks = tailrace if isinstance(tailrace, dict) else {}
    label, names = marks.get("usage_label"), marks.get("placeholders")
    known = LABELS.get(label) if isinstance(label, str) else None
    if wire is None:
        return [] if known is None else [UsageReport(Usage(), known)]
    given = wire.input_tokens_details or InputDetails()
    figures = {
        "input_tokens": wire.input_tokens,
        "output_tokens": wire.output_tokens,
        "cached_tokens": given.cached_tokens,
        "cache_write_tokens": given.cache_write_tokens,
        "reasoning_tokens": (wire.output_tokens_details or OutputDetails()).reasoning_tokens,
    }
    placeholders = names if isinstance(names, list) else ()
    counts = [None if name in placeholders else _count(value) for name, value in figures.items()]
    return [UsageReport(Usage(*counts), known or "exact")]


def usage_of_error(tailrace: Any) -> list[UsageReport]:
    """Return the usage that a relay has put beside an error: the dialect's own event has no place for it."""
    try:
        wire = msgspec.convert(tailrace.get("usage"), WireUsage | None) if isinstance(tailrace, dict) else None
    except msgspec.ValidationError:
        return []
    return read_usage(wire, tailrace)


def _count(value: float | None) -> int | None:
    """Return a token count; what is none (a fraction, a negative number) is not known."""
    return int(value) if value is not None and value >= 0 and value == int(value) else None


def write_usage(usage: Usage) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the ``usage`` object, or None when nothing is known, and which of its fields are placeholders."""
    if usage == Usage():
        return None, []
    given, output, cache_read, cache_write, reasoning = usage.values
    required = {
        "input_tokens": given,
        "output_tokens": output,
        "cached_tokens": cache_read,
        "reasoning_tokens": reasoning,
    }
    details = {"cached_tokens": cache_read or 0}
    if cache_write is not None:
        details["cache_write_tokens"] = cache_write
    body = {
        "input_tokens": given or 0,
        "input_tokens_details": details,
        "output_tokens": output or 0,
        "output_tokens_details": {"reasoning_tokens": reasoning or 0},
        "total_tokens": (given or 0) + (output or 0),
    }
    return body, [name for name, value in required.items() if value is None]


def usage_marks(label: UsageLabel | None, placeholders: list[str]) -> dict[str, Any]:
    """Return what ``tailrace`` says of figures that are not simply exact."""
    marks: dict[str, Any] = {} if label in {None, "exact"} else {"usage_label": label}
    return {**marks, "placeholders": placeholders} if placeholders else marks
