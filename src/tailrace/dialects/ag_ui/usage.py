"""Token counts, both ways: one entry, for one model. Counts mean what they mean in the vocabulary."""

from __future__ import annotations

from typing import Any

from tailrace.events import Usage, UsageLabel, UsageReport

LABELS: dict[str, UsageLabel] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}
"""Values of the mark ``usage_label``."""


def write_usage(usage: Usage | None, model: str) -> dict[str, Any]:
    """Return the field ``usage``, as an object to merge; empty when no figure is known."""
    if usage is None or usage == Usage():
        return {}
    whole, output, cache_read, cache_write, reasoning = usage.values
    figures = {
        "model": model or None,
        "inputTokens": whole,
        "outputTokens": output,
        "totalTokens": None if whole is None or output is None else whole + output,
        "reasoningTokens": reasoning,
        "cachedInputTokens": cache_read,
        "cacheWriteInputTokens": cache_write,
    }
    return {"usage": [{name: value for name, value in figures.items() if value is not None}]}


def read_usage(event: dict[str, Any], marks: dict[str, Any]) -> UsageReport | None:
    """Return what the entries of ``usage`` add up to, labelled as ``marks`` say; None when nothing is said."""
    entries, label = event.get("usage"), marks.get("usage_label")
    known = LABELS.get(label) if isinstance(label, str) else None
    rows = [_row(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if not rows:
        return None if known is None else UsageReport(Usage(), known)
    columns = zip(*rows, strict=True)
    usage = Usage(*(_total([n for n in column if n is not None]) for column in columns))
    return UsageReport(usage, known or ("unknown" if usage == Usage() else "exact"))


def _total(counts: list[int]) -> int | None:
    return sum(counts) if counts else None


def _row(entry: dict[str, Any]) -> tuple[int | None, ...]:
    names = ("inputTokens", "outputTokens", "cachedInputTokens", "cacheWriteInputTokens", "reasoningTokens")
    return tuple(_count(entry.get(name)) for name in names)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
