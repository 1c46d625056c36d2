"""A whole answer, for a client that does not stream."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.anthropic.blocks import write_block
from tailrace.dialects.anthropic.names import stop_word
from tailrace.dialects.anthropic.usage import write_marks, write_usage
from tailrace.dialects.base import Reply
from tailrace.events import Finish, Message, RefusalBlock


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return ``message`` as the API's Message object; what it cannot say is left out, as in a stream."""
    usage, placeholders = write_usage(message.usage, "input_tokens", "output_tokens")
    blocks = [block for block in message.blocks if not block.choice]
    content: list[dict[str, Any]] = []
    for block in blocks:
        written = write_block(block, f"toolu_{reply.id}_{len(content)}")
        if written is not None:
            content.append(written)
    return {
        "id": message.id or reply.id,
        "type": "message",
        "role": "assistant",
        "model": message.model or reply.model,
        "content": content,
        "stop_reason": _reason(message, refused=any(isinstance(block, RefusalBlock) for block in blocks)),
        "stop_sequence": message.stop_sequence,
        "usage": usage,
        **write_marks(message.usage_label, placeholders),
    }


def _reason(message: Message, *, refused: bool) -> str | None:
    if message.stop_reason is None:
        return None
    return stop_word(Finish(message.stop_reason, native=message.native_reason), refused=refused)
