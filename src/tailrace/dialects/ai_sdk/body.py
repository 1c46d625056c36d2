"""A whole answer as a ``UIMessage``: what a client that does not stream gets, and what a stream adds up to."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.ai_sdk.files import write_file
from tailrace.dialects.ai_sdk.metadata import write_finish, write_usage
from tailrace.dialects.ai_sdk.names import BROKEN_INPUT, MARKS, NAME
from tailrace.dialects.ai_sdk.sources import write_source
from tailrace.dialects.base import Reply
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

_Part = dict[str, Any]


def message_body(message: Message, reply: Reply) -> dict[str, Any]:
    """Return the ``UIMessage`` that says ``message``."""
    finish = Finish(message.stop_reason or "other", message.stop_sequence)
    parts: list[_Part] = [{"type": "step-start"}]
    sources = 0
    for index, block in enumerate(message.blocks):
        if block.choice:
            continue
        if isinstance(block, OtherBlock) and block.kind == "server_tool_result":
            _answer(parts, block)
            continue
        parts += _parts(block, f"call_{reply.id}_{index}")
        for citation in block.citations if isinstance(block, TextBlock) else ():
            sources += 1
            parts.append(write_source(citation, f"{reply.id}-{sources}"))
    return {
        "id": reply.echo.get("message") or reply.id,
        "role": "assistant",
        "metadata": {
            "model": message.model or reply.model,
            **write_usage(message.usage, message.usage_label),
            **write_finish(finish),
        },
        "parts": parts,
    }


def _parts(block: Block, spare_id: str) -> list[_Part]:
    match block:
        case TextBlock(text=text, signature=signature):
            return [{"type": "text", "text": text, "state": "done", **_marks("providerMetadata", signature=signature)}]
        case RefusalBlock(text=text):
            return [{"type": "text", "text": text, "state": "done"}]
        case ThinkingBlock(text=text, signature=signature):
            marks = _marks("providerMetadata", signature=signature)
            return [{"type": "reasoning", "text": text, "state": "done", **marks}]
        case RedactedThinkingBlock(data=data):
            marks = _marks("providerMetadata", redacted=data)
            return [{"type": "reasoning", "text": "", "state": "done", **marks}]
        case ToolCall():
            return [_call(block, spare_id)]
        case OtherBlock(kind="media", dialect=dialect, data=data) if (file := write_file(data, dialect)) is not None:
            return [file]
        case _:
            return []


def _call(call: ToolCall, spare_id: str) -> _Part:
    marks = {"data": call.data, "dialect": None if call.data is None else call.dialect, "signature": call.signature}
    part: _Part = {"type": f"tool-{call.name}", "toolCallId": call.id or spare_id}
    if call.complete:
        part |= {"state": "input-available", "input": call.input}
    else:
        part |= {"state": "output-error", "input": call.json, "errorText": BROKEN_INPUT}
    if call.server:
        part["providerExecuted"] = True
    return part | _marks("callProviderMetadata", **marks)


def _answer(parts: list[_Part], result: OtherBlock) -> None:
    """Write ``result`` into the part of its call, if that is there."""
    calls = [part for part in parts if part.get("toolCallId") == result.id]
    if result.id is None:
        # It belongs to the call before it (Gemini).
        calls = [part for part in parts if part.get("providerExecuted") is True][-1:]
    call = next(iter(calls), None)
    if call is not None:
        ours = result.dialect == NAME and isinstance(result.data, dict)
        call |= {"state": "output-available", "output": result.data.get("output") if ours else result.data}


def _marks(name: str, **marks: Any) -> _Part:
    known = {mark: value for mark, value in marks.items() if value is not None}
    return {name: {MARKS: known}} if known else {}
