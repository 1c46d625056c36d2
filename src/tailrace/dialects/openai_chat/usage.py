"""Token counts, both ways.

``prompt_tokens`` includes what came from a cache, ``completion_tokens`` what went into reasoning, as in the
vocabulary. Where clients expect a number and none is known, 0 is written and the field is named in
``tailrace.placeholders``, so that our own reader does not take it for a count.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.openai_chat.names import USAGE_LABELS
from tailrace.events import Usage, UsageLabel, UsageReport


class PromptDetails(msgspec.Struct, gc=False):
    """Parts of ``prompt_tokens``."""

    cached_tokens: int | float | None = None
    cache_write_tokens: int | float | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    """Parts of ``completion_tokens``."""

    reasoning_tokens: int | float | None = None


class WireUsage(msgspec.Struct, gc=False):
    """The ``usage`` object, as far as it is read.

    ``prompt_cache_hit_tokens`` is DeepSeek's word for the cached part; ``cached_tokens`` at this place is Moonshot's.
    """

    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    total_tokens: int | float | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | float | None = None
    cached_tokens: int | float | None = None


def read_usage(wire: WireUsage | None, tailrace: Any) -> UsageReport | None:
    """Return what a chunk's ``usage`` and a relay's marks on it say; None when that is nothing."""
    marks = tailrace if isinstance(tailrace, dict) else {}
    label = marks.get("usage_label")
    known = USAGE_LABELS.get(label) if isinstance(label, str) else None
    if wire is None:
        return None if known is None else UsageReport(Usage(), known)
    placeholders = marks.get("placeholders")
    return UsageReport(_usage(wire, placeholders if isinstance(placeholders, list) else ()), known or "exact")


def _usage(wire: WireUsage, placeholders: list[Any] | tuple[()]) -> Usage:
    prompt = None if "prompt_tokens" in placeholders else _count(wire.prompt_tokens)
    output = None if "completion_tokens" in placeholders else _count(wire.completion_tokens)
    details = wire.prompt_tokens_details or PromptDetails()
    hits = (details.cached_tokens, wire.cached_tokens, wire.prompt_cache_hit_tokens)
    cached = next((_count(hit) for hit in hits if hit is not None), None)
    reasoning = _count((wire.completion_tokens_details or CompletionDetails()).reasoning_tokens)
    if prompt is not None and output is not None and reasoning and wire.total_tokens == prompt + output + reasoning:
        # xAI counts reasoning beside completion_tokens, all others in it; the total tells the two apart.
        output += reasoning
    return Usage(prompt, output, cached, _count(details.cache_write_tokens), reasoning)


def _count(value: float | None) -> int | None:
    """Return a token count; what is none (a fraction, a negative number) is not known."""
    return int(value) if value is not None and value >= 0 and value == int(value) else None


def write_usage(usage: Usage) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the ``usage`` object, or None when nothing is known, and which of its fields are placeholders."""
    if usage == Usage():
        return None, []
    prompt, output, cache_read, cache_write, reasoning = usage.values
    body: dict[str, Any] = {
        "prompt_tokens": prompt or 0,
        "completion_tokens": output or 0,
        "total_tokens": (prompt or 0) + (output or 0),
    }
    details = {"cached_tokens": cache_read, "cache_write_tokens": cache_write}
    if known := {name: value for name, value in details.items() if value is not None}:
        body["prompt_tokens_details"] = known
    if reasoning is not None:
        body["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    placeholders = {"prompt_tokens": prompt, "completion_tokens": output}
    return body, [name for name, value in placeholders.items() if value is None]


def write_marks(label: UsageLabel, placeholders: list[str]) -> dict[str, Any]:
    """Return the ``tailrace`` field that says how far the figures can be trusted; empty when they are exact."""
    marks: dict[str, Any] = {} if label == "exact" else {"usage_label": label}
    if placeholders:
        marks["placeholders"] = placeholders
    return {"tailrace": marks} if marks else {}
