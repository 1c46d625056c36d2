"""A whole answer in this dialect's JSON: what a client that does not stream gets."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.dialects.gemini.blocks import is_citation, own_part, seal, text_part
from tailrace.dialects.gemini.names import stop_word
from tailrace.dialects.gemini.usage import write_usage
from tailrace.dialects.marks import write_label
from tailrace.events import (
    Block,
    Finish,
    Message,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    StopReason,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    Usage,
)


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return the GenerateContentResponse that says ``message``; what it cannot say is left out, as in a stream."""
    reasons: dict[int, StopReason | None] = {0: message.stop_reason, **message.stop_reasons}
    for block in message.blocks:
        reasons.setdefault(block.choice, None)
    marks = write_label(message.usage_label)
    if message.stop_sequence is not None:
        marks["stop_sequence"] = message.stop_sequence
    body: dict[str, Any] = {
        "candidates": [_candidate(number, message, reason, reply) for number, reason in sorted(reasons.items())],
        "modelVersion": message.model or reply.model,
        "responseId": message.id or reply.id,
    }
    if message.usage != Usage():
        body["usageMetadata"] = write_usage(message.usage)
    return {**body, "tailrace": marks} if marks else body


def _candidate(number: int, message: Message, reason: StopReason | None, reply: Reply) -> dict[str, Any]:
    blocks = [block for block in message.blocks if block.choice == number]
    parts = [part for i, block in enumerate(blocks) if (part := _part(block, f"call_{reply.id}_{i}")) is not None]
    candidate: dict[str, Any] = {"content": {"parts": parts or [{"text": ""}], "role": "model"}, "index": number}
    if reason is not None:
        finish = Finish(reason, native=None if number else message.native_reason)
        refused = any(isinstance(block, RefusalBlock) for block in blocks)
        cut = any(isinstance(block, ToolCall) and not block.server and not _whole(block) for block in blocks)
        candidate["finishReason"] = stop_word(finish, refused=refused, cut=cut)
    if found := [c for b in blocks if isinstance(b, TextBlock) for c in b.citations if is_citation(c)]:
        candidate["citationMetadata"] = {"citationSources": found}
    return candidate


def _part(block: Block, spare_id: str) -> dict[str, Any] | None:
    match block:
        case TextBlock(text=text, signature=signature):
            return text_part(text, signature)
        case RefusalBlock(text=text):
            return text_part(text)
        case ThinkingBlock(text=text, signature=signature):
            return text_part(text, signature, thought=True)
        case ToolCall(server=False) if _whole(block):
            call = {"functionCall": {"id": block.id or spare_id, "name": block.name, "args": block.input}}
            return call if block.signature is None else {**call, "thoughtSignature": seal(block.signature)}
        case ToolCall(server=True, data=data, dialect=dialect, signature=signature):
            return own_part(data, dialect, signature)
        case OtherBlock(data=data, dialect=dialect):
            return own_part(data, dialect)
        case ToolCall() | RedactedThinkingBlock():
            return None


def _whole(call: ToolCall) -> bool:
    return call.complete and isinstance(call.input, dict)
