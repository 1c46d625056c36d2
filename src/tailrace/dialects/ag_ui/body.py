"""A whole answer as AG-UI's messages: what a client that does not stream gets.

The protocol only streams. This is what its events add up to, with what ``RUN_FINISHED`` says beside it.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects.ag_ui.frames import marked
from tailrace.dialects.ag_ui.names import BROKEN_INPUT, REDACTED
from tailrace.dialects.ag_ui.usage import write_usage
from tailrace.dialects.base import Reply
from tailrace.dialects.wire_json import to_json
from tailrace.events import (
    Message,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
)

_Wire = dict[str, Any]


def message_body(message: Message, reply: Reply) -> _Wire:
    """Return ``{threadId, runId, messages, outcome, usage?, metadata}``."""
    said: _Wire = {"id": reply.id, "role": "assistant"}
    messages: list[_Wire] = [said]
    thoughts: list[_Wire] = []
    pending: list[str] = []
    for index, block in enumerate(message.blocks):
        name = f"{reply.id}-{index}"
        match block:
            case _ if block.choice:
                continue
            case TextBlock(text=text) | RefusalBlock(text=text):
                said["content"] = said.get("content", "") + text
            case ThinkingBlock(text=text, signature=signature):
                thoughts.append({"id": name, "role": "reasoning", "content": text, **_encrypted(signature)})
            case RedactedThinkingBlock(data=data):
                value = to_json({REDACTED: data}).decode()
                thoughts.append({"id": name, "role": "reasoning", "content": "", **_encrypted(value)})
            case ToolCall():
                call = _call(block, f"call_{name}")
                said.setdefault("toolCalls", []).append(call)
                if not block.complete:
                    messages.append({"id": name, "role": "tool", "toolCallId": call["id"], "content": BROKEN_INPUT})
                elif not block.server:
                    pending.append(call["id"])
            case OtherBlock(kind="server_tool_result", id=str(call_id), data=data):
                content = to_json(data).decode()
                messages.append({"id": name, "role": "tool", "toolCallId": call_id, "content": content})
            case _:
                pass
    outcome = {"type": "success", **({"pendingToolCallIds": pending} if pending else {})}
    return {
        "threadId": reply.echo.get("thread") or reply.id,
        "runId": reply.echo.get("run") or reply.id,
        "messages": [*thoughts, *messages],
        "outcome": outcome,
        **write_usage(message.usage, message.model or reply.model),
        **marked(stop_reason=message.stop_reason, stop_sequence=message.stop_sequence, usage_label=message.usage_label),
    }


def _call(call: ToolCall, spare_id: str) -> _Wire:
    function = {"name": call.name, "arguments": call.json or "{}"}
    return {"id": call.id or spare_id, "type": "function", "function": function, **_encrypted(call.signature)}


def _encrypted(value: str | None) -> _Wire:
    return {} if value is None else {"encryptedValue": value}
