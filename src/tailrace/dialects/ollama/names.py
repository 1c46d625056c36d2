"""The dialect's own words beside the vocabulary's, each once.

Source: the types of Ollama's Python SDK (``ollama._types``, 0.6.3) and the API's own server (``api/types.go``).
"""

from __future__ import annotations

from tailrace.events import Finish, StopReason

NAME = "ollama"
"""The dialect's name: in the configuration, and on data that only it can write."""

STOP_REASONS: dict[str, StopReason] = {
    # Also for a stop sequence, and for tool calls: those are told by the message that has them.
    "stop": "end_turn",
    "length": "max_tokens",
    # Not Ollama's: the word that is written for a refusal, which it cannot say.
    "refusal": "refusal",
}
"""``done_reason`` → the vocabulary's word; any other (``load``, ``unload``) is ``other``, kept in `Finish.native`."""

STOP_WORDS: dict[StopReason, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    # A paused turn is unfinished and can be continued: of the words that clients know, only this one says so.
    "pause": "length",
    "context_window": "length",
    # Any word is a valid one; "stop" would claim a natural end.
    "refusal": "refusal",
}
"""The vocabulary's word → ``done_reason``."""

EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""Word for an effort → value of ``think``."""


def stop_word(finish: Finish) -> str:
    """Return the ``done_reason`` that says ``finish``: for ``other`` the provider's own word, where there is one."""
    return STOP_WORDS.get(finish.reason) or finish.native or "stop"
