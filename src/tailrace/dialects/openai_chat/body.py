"""A whole answer in this dialect's JSON: what a client that does not stream gets."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.dialects.openai_chat.names import annotation, stop_word
from tailrace.dialects.openai_chat.usage import write_marks, write_usage
from tailrace.events import (
    Block,
    Finish,
    Message,
    RefusalBlock,
    StopReason,
    TextBlock,
    ThinkingBlock,
    ToolCall,
)


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return the ``chat.completion`` object that says ``message``; ``created`` is in Unix seconds."""
    reasons: dict[int, StopReason | None] = {0: message.stop_reason, **message.stop_reasons}
    for block in message.blocks:
        reasons.setdefault(block.choice, None)
    usage, placeholders = write_usage(message.usage)
    return {
        "id": message.id or reply.id,
        "object": "chat.completion",
        "created": reply.created,
        "model": message.model or reply.model,
        "choices": [
            _choice(number, reason, [b for b in message.blocks if b.choice == number], reply)
            for number, reason in sorted(reasons.items())
        ],
        "usage": usage,
        **write_marks(message.usage_label, placeholders),
    }


def _choice(number: int, reason: StopReason | None, blocks: list[Block], reply: Reply) -> dict[str, Any]:
    texts = [b for b in blocks if isinstance(b, TextBlock)]
    refusals = [b.text for b in blocks if isinstance(b, RefusalBlock)]
    body: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(b.text for b in texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if thinking := [b.text for b in blocks if isinstance(b, ThinkingBlock)]:
        body["reasoning_content"] = "".join(thinking)
    if annotations := [found for b in texts for c in b.citations if (found := annotation(c)) is not None]:
        body["annotations"] = annotations
    if calls := [b for b in blocks if isinstance(b, ToolCall) and not b.server]:
        body["tool_calls"] = [_call(call, f"call_{reply.id}_{i}") for i, call in enumerate(calls)]
    return {
        "index": number,
        "message": body,
        "logprobs": _logprobs(blocks),
        "finish_reason": stop_word(Finish(reason)) if reason is not None else None,
    }


def _logprobs(blocks: list[Block]) -> dict[str, Any] | None:
    content = [token for b in blocks if isinstance(b, TextBlock) for token in b.logprobs]
    refusal = [token for b in blocks if isinstance(b, RefusalBlock) for token in b.logprobs]
    return {"content": content or None, "refusal": refusal or None} if content or refusal else None


def _call(call: ToolCall, spare_id: str) -> dict[str, Any]:
    return {
        # Clients answer a call by its id, so one whose provider gave none gets one.
        "id": call.id or spare_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.json or "{}"},
    }
