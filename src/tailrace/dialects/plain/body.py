"""A whole answer for a client that does not stream."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.events import Message, RefusalBlock, TextBlock


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return the object that says ``message``; figures that nobody knows are null."""
    usage = message.usage
    return {
        "id": message.id or reply.id,
        "model": message.model or reply.model,
        # What a stream says: the model's declining words are text to whoever reads them.
        "text": "".join(b.text for b in message.blocks if isinstance(b, TextBlock | RefusalBlock) and not b.choice),
        "stop_reason": message.stop_reason,
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "label": message.usage_label,
        },
    }
