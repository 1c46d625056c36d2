"""A whole answer in this dialect's JSON: what ``Converse``, which does not stream, answers."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.dialects.bedrock.converse import SERVER_CALL, write_redacted
from tailrace.dialects.bedrock.names import stop_word
from tailrace.dialects.bedrock.wire import write_usage
from tailrace.events import (
    Block,
    Finish,
    Message,
    RedactedThinkingBlock,
    RefusalBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
)


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return ``message`` as the service's ``ConverseResponse``; what it cannot say is left out, as in a stream."""
    blocks = [block for block in message.blocks if not block.choice]
    content = [_block(block, f"tooluse_{reply.id}_{index}") for index, block in enumerate(blocks)]
    usage, marks = write_usage(message.usage, message.usage_label)
    finish = Finish(message.stop_reason or "other", message.stop_sequence, native=message.native_reason)
    return {
        "output": {"message": {"role": "assistant", "content": [block for block in content if block is not None]}},
        "stopReason": stop_word(finish),
        "usage": usage,
        "metrics": {},
        **({"tailrace": marks} if marks else {}),
    }


def _block(block: Block, spare_id: str) -> dict[str, Any] | None:
    match block:
        case TextBlock(text=text) | RefusalBlock(text=text):
            return {"text": text} if text else None
        case ThinkingBlock(text=text, signature=signature):
            said = {"text": text} if signature is None else {"text": text, "signature": signature}
            return {"reasoningContent": {"reasoningText": said}}
        case RedactedThinkingBlock(data=data):
            content = write_redacted(data)
            return None if content is None else {"reasoningContent": {"redactedContent": content}}
        case ToolCall():
            kind = {"type": SERVER_CALL} if block.server else {}
            call = {"toolUseId": block.id or spare_id, "name": block.name, **kind}
            # An input that broke off must not pass for an empty one.
            rest = {"input": block.input} if block.complete else {"input": {}, "tailrace": {"complete": False}}
            return {"toolUse": {**call, **rest}}
        case _:
            return None
