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


_NOTHING = WireUsage()


class Totals:
    """The figures of one answer as its provider reports them, one report over the other."""

    __slots__ = ("_figures", "_said")

    def __init__(self) -> None:
        self._figures: tuple[int | None, ...] = (None,) * 5
        self._said: UsageReport | None = None

    def report(self, wire: WireUsage | None, tailrace: Any) -> UsageReport | None:
        """Take a later report, with a relay's marks on it; return what it changes, None for nothing."""
        label = read_label(tailrace)
        if label is None and (wire is None or wire == _NOTHING):
            return None
        if wire is not None:
            self._take(wire)
        report = UsageReport(self._usage(), label or "exact")
        if report == self._said:
            return None
        self._said = report
        return report

    def _take(self, wire: WireUsage) -> None:
        prompt, output, thoughts, tools, cached = self._figures
        self._figures = (
            prompt if wire.prompt_token_count is None else wire.prompt_token_count,
            output if wire.candidates_token_count is None else wire.candidates_token_count,
            thoughts if wire.thoughts_token_count is None else wire.thoughts_token_count,
            tools if wire.tool_use_prompt_token_count is None else wire.tool_use_prompt_token_count,
            cached if wire.cached_content_token_count is None else wire.cached_content_token_count,
        )

    def _usage(self) -> Usage:
        prompt, output, thoughts, tools, cached = self._figures
        return Usage(_sum(prompt, tools), _sum(output, thoughts), cached, None, thoughts)


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
