"""A whole answer for a client that does not stream."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.events import Message


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return the object that says ``message``; figures that nobody knows are null."""
    usage = message.usage
    return {
        "id": message.id or reply.id,
        "model": message.model or reply.model,
        "text": message.text,
        "stop_reason": message.stop_reason,
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "label": message.usage_label,
        },
    }
