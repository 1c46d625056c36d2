"""A whole answer in this dialect's JSON: what a client that does not stream gets."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.dialects.openai_chat.reasons import wire_reason
from tailrace.events import (
    Block,
    Finish,
    Message,
    RefusalBlock,
    StopReason,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    Usage,
)


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return the ``chat.completion`` object that says ``message``; ``created`` is in Unix seconds."""
    reasons: dict[int, StopReason | None] = {0: message.stop_reason, **message.stop_reasons}
    for block in message.blocks:
        reasons.setdefault(block.choice, None)
    return {
        "id": message.id or reply.id,
        "object": "chat.completion",
        "created": reply.created,
        "model": message.model or reply.model,
        "choices": [
            _choice(number, reason, [b for b in message.blocks if b.choice == number])
            for number, reason in sorted(reasons.items())
        ],
        "usage": usage_body(message.usage),
        "tailrace": {"usage_label": message.usage_label},
    }


def usage_body(usage: Usage) -> dict[str, Any] | None:
    """Return the ``usage`` object; a figure that nobody knows is null, and None when nobody knows any."""
    if usage == Usage():
        return None
    prompt, output = usage.input_tokens, usage.output_tokens
    body: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output if prompt is not None and output is not None else None,
    }
    details = {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}
    if known := {name: value for name, value in details.items() if value is not None}:
        body["prompt_tokens_details"] = known
    if usage.reasoning_tokens is not None:
        body["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return body


def _choice(number: int, reason: StopReason | None, blocks: list[Block]) -> dict[str, Any]:
    texts = [b for b in blocks if isinstance(b, TextBlock)]
    refusals = [b.text for b in blocks if isinstance(b, RefusalBlock)]
    body: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(b.text for b in texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if thinking := [b.text for b in blocks if isinstance(b, ThinkingBlock)]:
        body["reasoning_content"] = "".join(thinking)
    if annotations := [c for b in texts for c in b.citations if c.get("type") == "url_citation"]:
        body["annotations"] = annotations
    if calls := [b for b in blocks if isinstance(b, ToolCall) and not b.server]:
        body["tool_calls"] = [_call(call, position) for position, call in enumerate(calls)]
    return {
        "index": number,
        "message": body,
        "logprobs": None,
        "finish_reason": wire_reason(Finish(reason)) if reason is not None else None,
    }


def _call(call: ToolCall, position: int) -> dict[str, Any]:
    return {
        "id": call.id or f"call_{position}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.json or "{}"},
    }
