"""Token counts, both ways.

This dialect's ``input_tokens`` leaves out what was read from and written to the cache; the vocabulary's includes
both. Figures are cumulative: one that is absent or null keeps its earlier value.

Where the SDKs require a number and none is known, 0 is written and the field is named in ``tailrace.placeholders``,
so that our own reader does not take it for a count.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from tailrace.events import Usage, UsageLabel

_Count = Annotated[int, msgspec.Meta(ge=0)] | None

LABELS: dict[str, UsageLabel] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}
"""Values of ``tailrace.usage_label``."""


class OutputDetails(msgspec.Struct, gc=False):
    """Parts of ``output_tokens``."""

    thinking_tokens: _Count = None


class WireUsage(msgspec.Struct, gc=False):
    """The ``usage`` object of ``message_start`` and ``message_delta``, as far as it is read."""

    input_tokens: _Count = None
    output_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cache_read_input_tokens: _Count = None
    output_tokens_details: OutputDetails | None = None


class Totals:
    """The figures of one answer as its provider reports them, one report over the other."""

    __slots__ = ("_figures",)

    def __init__(self) -> None:
        self._figures: dict[str, int] = {}

    def update(self, wire: WireUsage, placeholders: frozenset[str]) -> bool:
        """Take a later report, but not the fields that only stand in for a number; say whether it had any."""
        details = wire.output_tokens_details
        said = False
        for name, value in (
            ("input_tokens", wire.input_tokens),
            ("output_tokens", wire.output_tokens),
            ("cache_read_input_tokens", wire.cache_read_input_tokens),
            ("cache_creation_input_tokens", wire.cache_creation_input_tokens),
            ("thinking_tokens", None if details is None else details.thinking_tokens),
        ):
            if value is not None and name not in placeholders:
                self._figures[name] = value
                said = True
        return said

    def usage(self) -> Usage:
        """Return the figures in the vocabulary's meaning."""
        known = self._figures.get
        fresh = known("input_tokens")
        read, written = known("cache_read_input_tokens"), known("cache_creation_input_tokens")
        whole = None if fresh is None else fresh + (read or 0) + (written or 0)
        return Usage(whole, known("output_tokens"), read, written, known("thinking_tokens"))


def write_usage(usage: Usage, *required: str) -> tuple[dict[str, Any], list[str]]:
    """Return the ``usage`` object that says ``usage``, and which of the ``required`` fields are placeholders."""
    whole, output, cache_read, cache_write, reasoning = usage.values
    fresh = None if whole is None else max(0, whole - (cache_read or 0) - (cache_write or 0))
    fields = {
        "input_tokens": fresh,
        "output_tokens": output,
        "cache_creation_input_tokens": cache_write,
        "cache_read_input_tokens": cache_read,
        "output_tokens_details": None if reasoning is None else {"thinking_tokens": reasoning},
    }
    placeholders = [name for name in required if fields[name] is None]
    written = {name: value for name, value in fields.items() if value is not None}
    return {**dict.fromkeys(placeholders, 0), **written}, placeholders


def read_marks(tailrace: Any) -> tuple[UsageLabel | None, frozenset[str]]:
    """Return the label and the placeholders that a relay's ``tailrace`` field names, if it is one."""
    if not isinstance(tailrace, dict):
        return None, frozenset()
    label, names = tailrace.get("usage_label"), tailrace.get("placeholders")
    return (
        LABELS.get(label) if isinstance(label, str) else None,
        frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset(),
    )


def write_marks(label: UsageLabel | None, placeholders: list[str]) -> dict[str, Any]:
    """Return the ``tailrace`` field, as an object to merge, for figures that are not simply exact."""
    marks: dict[str, Any] = {}
    if label is not None and label != "exact":
        marks["usage_label"] = label
    if placeholders:
        marks["placeholders"] = placeholders
    return {"tailrace": marks} if marks else {}
