"""Token counts, both ways.

``candidatesTokenCount`` leaves out what went into thoughts, and ``promptTokenCount`` what the provider's own tools
put into the prompt; the vocabulary's figures include both. Every figure may be missing, so none has to be invented.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from tailrace.dialects.marks import read_label
from tailrace.events import Usage, UsageReport

_Count = Annotated[int, msgspec.Meta(ge=0)] | None


class WireUsage(msgspec.Struct, rename="camel", gc=False):
    """The ``usageMetadata`` object, as far as it is read."""

    prompt_token_count: _Count = None
    candidates_token_count: _Count = None
    thoughts_token_count: _Count = None
    tool_use_prompt_token_count: _Count = None
    cached_content_token_count: _Count = None


_FIGURES = tuple(field.name for field in msgspec.structs.fields(WireUsage))


class Totals:
    """The figures of one answer as its provider reports them, one report over the other."""

    __slots__ = ("_figures", "_said")

    def __init__(self) -> None:
        self._figures: dict[str, int] = {}
        self._said: UsageReport | None = None

    def report(self, wire: WireUsage | None, tailrace: Any) -> UsageReport | None:
        """Take a later report, with a relay's marks on it; return what it changes, None for nothing."""
        label = read_label(tailrace)
        said = label is not None
        for name in _FIGURES if wire is not None else ():
            value = getattr(wire, name)
            if value is not None:
                self._figures[name] = value
                said = True
        report = UsageReport(self._usage(), label or "exact")
        if not said or report == self._said:
            return None
        self._said = report
        return report

    def _usage(self) -> Usage:
        known = self._figures.get
        thoughts = known("thoughts_token_count")
        return Usage(
            _sum(known("prompt_token_count"), known("tool_use_prompt_token_count")),
            _sum(known("candidates_token_count"), thoughts),
            known("cached_content_token_count"),
            None,
            thoughts,
        )


def _sum(one: int | None, other: int | None) -> int | None:
    """Return the sum of two figures of which the wire leaves out those that are 0."""
    return None if one is None and other is None else (one or 0) + (other or 0)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Return the ``usageMetadata`` object that says ``usage``; what was written to a cache has no word."""
    whole, output, cache_read, _, thoughts = usage.values
    figures = {
        "promptTokenCount": whole,
        "candidatesTokenCount": None if output is None else max(0, output - (thoughts or 0)),
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": cache_read,
        "totalTokenCount": None if whole is None or output is None else whole + output,
    }
    return {name: value for name, value in figures.items() if value is not None}
