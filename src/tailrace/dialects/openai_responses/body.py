"""A whole answer, for a client that does not stream."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.dialects.openai_responses.names import NAME, response_id
from tailrace.dialects.openai_responses.response import (
    annotation,
    call_item,
    call_marks,
    closed,
    content_part,
    encrypted_content,
    identify,
    message_item,
    reasoning_item,
    redacted_content,
    response,
)
from tailrace.dialects.openai_responses.wire import JSON_ERRORS, decode_any
from tailrace.events import (
    Block,
    Finish,
    Message,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
)

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Events that carry the whole response."""


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return ``message`` as a response object, ``in_progress`` while it has no stop reason.

    What it cannot say is left out, as in a stream. ``created_at`` is in Unix seconds.
    """
    output: list[dict[str, Any]] = []
    taken: set[str] = set()
    for block in message.blocks:
        item = None if block.choice else _item(block, reply, len(output), taken)
        if item is not None:
            output.append(item)
    begun = response(response_id(message.id, reply), message.model or reply.model, reply, "in_progress", output)
    if message.stop_reason is None:
        return begun
    finish = Finish(message.stop_reason, message.stop_sequence, native=message.native_reason)
    return closed(begun, finish, message.usage, message.usage_label)


def whole_body(frame: bytes) -> dict[str, Any] | None:
    """Return the response object that the last frame of a stream holds; None where it holds none."""
    value = _event(frame)
    found = value.get("response") if value.get("type") in TERMINAL else None
    return found if isinstance(found, dict) else None


def public_name(frame: bytes) -> str | None:
    """Return ``response:ID`` for the response that the first frame of a stream announces; None where it has none."""
    found = _event(frame).get("response")
    return f"response:{found['id']}" if isinstance(found, dict) and isinstance(found.get("id"), str) else None


def _event(frame: bytes) -> dict[str, Any]:
    for line in frame.split(b"\n"):
        if line.startswith(b"data: "):
            try:
                value = decode_any(line.removeprefix(b"data: "))
            except JSON_ERRORS:
                return {}
            return value if isinstance(value, dict) else {}
    return {}


def _item(block: Block, reply: Reply, number: int, taken: set[str]) -> dict[str, Any] | None:
    match block:
        case TextBlock(text=text, citations=citations):
            found = [one for one in map(annotation, citations) if one is not None]
            identity = identify("message", {}, reply, number, taken)
            return message_item(identity, content_part("text", text, found), "completed", {})
        case RefusalBlock(text=text):
            identity = identify("message", {}, reply, number, taken)
            return message_item(identity, content_part("refusal", text, []), "completed", {})
        case ThinkingBlock(text=text, signature=signature):
            identity = identify("reasoning", {}, reply, number, taken)
            return reasoning_item(identity, text, encrypted_content(signature), "completed", {})
        case RedactedThinkingBlock(data=data):
            identity = identify("reasoning", {}, reply, number, taken)
            return reasoning_item(identity, "", redacted_content(data), "completed", {})
        case ToolCall():
            return None if block.server else _call(block, reply, number, taken)
        case OtherBlock(data=data, dialect=dialect):
            return _own(data) if dialect == NAME else None


def _call(call: ToolCall, reply: Reply, number: int, taken: set[str]) -> dict[str, Any]:
    given = call.data if call.dialect == NAME and isinstance(call.data, dict) else {}
    identity = identify("function_call", given, reply, number, taken)
    names = (call.id or f"call_{identity.partition('_')[2]}", call.name)
    # Arguments that broke off must not pass for whole ones.
    status, empty = ("completed", "{}") if call.complete else ("incomplete", "")
    item = call_item(identity, names, call.json or empty, status, given)
    return {**item, **call_marks(call.signature)}


def _own(data: Any) -> dict[str, Any] | None:
    """Return an item as its last event said it."""
    if not isinstance(data, dict):
        return None
    if data.keys() != {"start", "deltas"}:
        return data
    item = data["start"]
    for delta in data["deltas"]:
        if isinstance(delta, dict) and delta.get("type") == "response.output_item.done":
            item = delta.get("item")
    return item if isinstance(item, dict) else None
