"""A whole answer in this dialect's JSON: what a client that does not stream gets."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.dialects.ollama.dates import rfc3339
from tailrace.dialects.ollama.names import NAME, stop_word
from tailrace.dialects.ollama.wire import IMAGES, INCOMPLETE, write_usage
from tailrace.events import Finish, Message, OtherBlock, RefusalBlock, TextBlock, ThinkingBlock, ToolCall


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return the object that says ``message``; what it cannot say is left out, as in a stream."""
    blocks = [block for block in message.blocks if not block.choice]
    said: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(b.text for b in blocks if isinstance(b, TextBlock | RefusalBlock)),
    }
    if thinking := "".join(b.text for b in blocks if isinstance(b, ThinkingBlock)):
        said["thinking"] = thinking
    calls = [b for b in blocks if isinstance(b, ToolCall) and not b.server]
    if whole := [call for call in calls if _is_whole(call)]:
        said["tool_calls"] = [_call(call, index) for index, call in enumerate(whole)]
    counts, marks = write_usage(message.usage, message.usage_label)
    if images := [image for block in blocks for image in _images(block)]:
        marks[IMAGES] = images
    if broken := [call for call in calls if not _is_whole(call)]:
        marks[INCOMPLETE] = [{**_id(call), "name": call.name, "arguments": call.json} for call in broken]
    return {
        "model": message.model or reply.model,
        "created_at": rfc3339(reply.created),
        "message": said,
        "done": True,
        "done_reason": stop_word(Finish(message.stop_reason or "other", native=message.native_reason)),
        **counts,
        **({"tailrace": marks} if marks else {}),
    }


def _is_whole(call: ToolCall) -> bool:
    return call.complete and isinstance(call.input, dict)


def _call(call: ToolCall, index: int) -> dict[str, Any]:
    return {**_id(call), "function": {"index": index, "name": call.name, "arguments": call.input}}


def _id(call: ToolCall) -> dict[str, str]:
    return {"id": call.id} if call.id else {}


def _images(block: object) -> list[str]:
    if isinstance(block, OtherBlock) and block.kind == "media" and block.dialect == NAME:
        return list(block.data)
    return []
