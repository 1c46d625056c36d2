"""A conversation's turns as the items of an input: the way back of `tailrace.dialects.openai_responses.inputs`."""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.openai_responses.names import NAME, unseal
from tailrace.dialects.openai_responses.parts import build_part
from tailrace.dialects.openai_responses.wire import to_json
from tailrace.events import (
    OpaquePart,
    Part,
    RedactedThinkingPart,
    RefusalPart,
    Request,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Turn,
)


def build_input(request: Request, ignored: list[str]) -> list[dict[str, Any]]:
    """Return the items that say the conversation; what may be left out goes into ``ignored``.

    Raises `BadRequest` for what the provider cannot be told.
    """
    items: list[dict[str, Any]] = []
    if len(request.system) > 1:
        # One is given as instructions; several stay apart.
        items.append({"role": "system", "content": _texts(request.system)})
    for i, turn in enumerate(request.turns):
        path = f"messages.{i}"
        if turn.role == "assistant":
            items += _assistant(turn, path, ignored)
        else:
            items += _told(turn, path, ignored)
    return items


def _texts(parts: tuple[TextPart, ...]) -> list[dict[str, Any]]:
    return [{"type": "input_text", "text": part.text} for part in parts]


def _told(turn: Turn, path: str, ignored: list[str]) -> list[dict[str, Any]]:
    """Return what the model is told: results of its calls first, whatever their place in the turn."""
    items: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    for i, part in enumerate(turn.parts):
        here = f"{path}.content.{i}"
        if isinstance(part, ToolResultPart):
            items.append(_result(part, here, ignored))
        elif isinstance(part, OpaquePart) and part.dialect == NAME and not part.kind.startswith("input_"):
            items.append(part.data)
        else:
            rest.append(build_part(part, here))
    if len(rest) == 1 and rest[0].get("type") == "input_text":
        items.append({"role": turn.role, "content": rest[0]["text"]})
    elif rest or not items:
        items.append({"role": turn.role, "content": rest})
    return items


def _result(part: ToolResultPart, path: str, ignored: list[str]) -> dict[str, Any]:
    if part.is_error:
        ignored.append("tool_result.is_error")
    only = part.parts[0] if len(part.parts) == 1 else None
    output: Any = [build_part(inner, path) for inner in part.parts]
    if isinstance(only, TextPart) or not part.parts:
        # A string is what every server takes.
        output = only.text if isinstance(only, TextPart) else ""
    return {"type": "function_call_output", "call_id": part.tool_call_id, "output": output}


def _assistant(turn: Turn, path: str, ignored: list[str]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for i, part in enumerate(turn.parts):
        item = _said(part, f"{path}.content.{i}", ignored)
        if item is None:
            continue
        if items and "role" in item and "role" in items[-1]:
            items[-1]["content"] += item["content"]
        else:
            items.append(item)
    return items


def _said(part: Part, path: str, ignored: list[str]) -> dict[str, Any] | None:
    """Return the item that says ``part`` of an earlier answer; None for one that is left out."""
    match part:
        case TextPart(text=text):
            return {"role": "assistant", "content": [{"type": "output_text", "text": text}]} if text else None
        case RefusalPart(text=text):
            return {"role": "assistant", "content": [{"type": "refusal", "refusal": text}]}
        case ToolCallPart(id=call, name=name, input=value):
            arguments = to_json(value).decode()
            return {"type": "function_call", "call_id": call, "name": name, "arguments": arguments}
        case ThinkingPart() | RedactedThinkingPart():
            return _reasoned(part, ignored)
        case OpaquePart(dialect=dialect, data=dict(data)) if dialect == NAME:
            return data
        case _:
            # Refuses what cannot be said at all, and names it.
            build_part(part, path)
            raise fields.refuse(path, "cannot stand in an assistant's message")


def _reasoned(part: ThinkingPart | RedactedThinkingPart, ignored: list[str]) -> dict[str, Any] | None:
    """Return reasoning that a provider of this dialect signed; it refuses any other, and does without."""
    found = unseal(part.signature) if isinstance(part, ThinkingPart) else None
    if found is None or not isinstance(part, ThinkingPart):
        ignored.append("thinking")
        return None
    identity, encrypted = found
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    item: dict[str, Any] = {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}
    return {**item, "id": identity} if identity else item
