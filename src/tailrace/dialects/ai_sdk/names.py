"""The dialect's own words beside the vocabulary's, each once.

Source: ``uiMessageChunkSchema`` and the types of npm ``ai``, 7.0.173.
"""

from __future__ import annotations

from tailrace.events import StopReason

NAME = "ai_sdk"
"""The dialect's name: in the configuration, and on data that only it can write."""

STOP_WORDS: dict[StopReason, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool-calls",
    "refusal": "content-filter",
    # Unfinished, and to be continued: not the model's natural end.
    "pause": "other",
    "context_window": "length",
    "other": "other",
}
"""The vocabulary's word → ``finishReason``; the client refuses the whole chat for a word of any other kind."""

STOP_REASONS: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool-calls": "tool_use",
    "content-filter": "refusal",
    "other": "other",
}
"""``finishReason`` → the vocabulary's word. ``error`` and ``interrupted`` are no reasons to have stopped well."""

INTERRUPTED = "interrupted"
"""``finishReason`` of an answer that was cut short: clients send nothing by themselves after it, as they would after a
stream that simply ends behind a tool's result. Npm ``ai`` 5 and 6 do not know it, and show an error instead: that is no
success either, and they have no word that is one and keeps them from going on."""

MARKS = "tailrace"
"""The key of ``providerMetadata`` under which this relay keeps what it must get back, or what the dialect has no
field for; and, behind ``data-``, the part that tells how an answer ended."""

ENDING_PART = f"data-{MARKS}"

BROKEN_INPUT = "the model's input for this tool is not whole JSON"
"""What is told of a call that nobody may run: the model was cut off in it, or made a mistake."""
