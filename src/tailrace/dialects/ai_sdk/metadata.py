"""What an answer says of itself: a message's metadata, both ways.

``{model}`` with the start and ``{usage, usageLabel, stopReason, stopSequence}`` with the end, each where it is known.
``usage`` has the form of the AI SDK's ``LanguageModelUsage``; ``inputTokens`` is the whole prompt, as in the
vocabulary. The client merges the parts into ``message.metadata``, which no model ever sees.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects.ai_sdk.names import STOP_WORDS
from tailrace.events import Finish, StopReason, Usage, UsageLabel, UsageReport

LABELS: dict[str, UsageLabel] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}
"""Values of ``usageLabel``."""

KEPT = ("model", "stopReason", "stopSequence")
"""What is read from an answer's metadata once it is over, beside usage; an application may add its own."""

_REASONS: dict[str, StopReason] = {str(reason): reason for reason in STOP_WORDS}


def write_usage(usage: Usage, label: UsageLabel) -> dict[str, Any]:
    """Return the metadata that say ``usage``; no figure is there that nobody knows."""
    whole, output, cache_read, cache_write, reasoning = usage.values
    if usage == Usage():
        return {"usageLabel": label}
    cached = (cache_read or 0) + (cache_write or 0)
    partly_cached = whole is not None and (cache_read is not None or cache_write is not None)
    figures = {
        "inputTokens": whole,
        "inputTokenDetails": _known(
            noCacheTokens=max(0, (whole or 0) - cached) if partly_cached else None,
            cacheReadTokens=cache_read,
            cacheWriteTokens=cache_write,
        ),
        "outputTokens": output,
        "outputTokenDetails": _known(
            textTokens=None if output is None or reasoning is None else max(0, output - reasoning),
            reasoningTokens=reasoning,
        ),
        "totalTokens": None if whole is None or output is None else whole + output,
    }
    return {"usage": _known(**figures), "usageLabel": label}


def _known(**figures: Any) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if value is not None}


def read_usage(metadata: dict[str, Any]) -> UsageReport | None:
    """Return what ``metadata`` say of usage; None when that is nothing."""
    figures, label = metadata.get("usage"), metadata.get("usageLabel")
    known = LABELS.get(label) if isinstance(label, str) else None
    if not isinstance(figures, dict):
        return None if known is None else UsageReport(Usage(), known)
    given, produced = _object(figures, "inputTokenDetails"), _object(figures, "outputTokenDetails")
    usage = Usage(
        _count(figures.get("inputTokens")),
        _count(figures.get("outputTokens")),
        _count(given.get("cacheReadTokens")),
        _count(given.get("cacheWriteTokens")),
        _count(produced.get("reasoningTokens")),
    )
    return UsageReport(usage, known or ("unknown" if usage == Usage() else "exact"))


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def write_finish(finish: Finish) -> dict[str, Any]:
    """Return the metadata that say why the model stopped, more exactly than ``finishReason`` can."""
    return {"stopReason": finish.reason, **_known(stopSequence=finish.sequence)}


def read_finish(word: str, reason: StopReason, metadata: dict[str, Any]) -> Finish:
    """Return why the model stopped: ``reason``, or what ``metadata`` know better, if ``word`` may stand for it."""
    said, sequence = metadata.get("stopReason"), metadata.get("stopSequence")
    exact = _REASONS.get(said) if isinstance(said, str) else None
    if exact is None or STOP_WORDS[exact] != word:
        exact = reason
    return Finish(exact, sequence if isinstance(sequence, str) else None)
