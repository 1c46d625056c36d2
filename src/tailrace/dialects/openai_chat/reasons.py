"""Why the model stopped: this dialect's words and the vocabulary's.

Several servers add words of their own; one that is in neither table stands for `other` and is kept as it is.
"""

from __future__ import annotations

from tailrace.events import Finish, StopReason

FROM_WIRE: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "model_length": "context_window",  # Mistral
    "eos_token": "end_turn",  # Text Generation Inference
    "stop_sequence": "stop_sequence",  # Text Generation Inference
}
"""``finish_reason`` → the vocabulary's word."""

TO_WIRE: dict[StopReason, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    # A paused turn is unfinished and can be continued: of the words that clients know, only this one says so.
    "pause": "length",
    "context_window": "length",
}
"""The vocabulary's word → ``finish_reason``, one of those that OpenAI's own clients know."""


def wire_reason(finish: Finish) -> str:
    """Return the ``finish_reason`` that says ``finish``.

    For ``other`` the provider's own word, where there is one, says more than a natural end that never was.
    """
    return TO_WIRE.get(finish.reason) or finish.native or "stop"
