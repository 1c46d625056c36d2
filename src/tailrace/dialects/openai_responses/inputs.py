"""The input of a request, as items: a row of messages, calls, results and reasoning, to turns.

What the model said and what it was told alternate: consecutive items of one side are one turn, which is what other
dialects understand by a message.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from tailrace.dialects import fields
from tailrace.dialects.openai_responses.names import NAME, read_foreign, seal
from tailrace.dialects.openai_responses.parts import note_rest, read_content
from tailrace.dialects.openai_responses.wire import JSON_ERRORS, decode_any
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    RedactedThinkingPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Turn,
)

_Side = Literal["user", "assistant", "system"]

_SIDES: dict[str, _Side] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}

_BOOKKEEPING = frozenset({"id", "status", "phase", "metadata", "internal_chat_message_metadata_passthrough"})
"""Fields of an item that only say how the provider filed it."""

_ANSWERS = ("_output", "_response")
"""Ends of the types of item with which the client answers a call of the model's; all others are the model's own."""


class Input(NamedTuple):
    """Instructions that the conversation begins with, and its turns."""

    system: tuple[TextPart, ...]
    turns: tuple[Turn, ...]


def read_input(body: dict[str, Any], extra: dict[str, Any]) -> Input:
    """Return what ``instructions`` and ``input`` say."""
    instructions = fields.text(body, "instructions")
    system = [TextPart(instructions)] if instructions else []
    given = body.get("input")
    if given is None:
        raise fields.refuse("input", "is required")
    if isinstance(given, str):
        return Input(tuple(system), (Turn("user", (TextPart(given),)),))
    gathered = _Gathered(system)
    for i, item in enumerate(fields.objects(body, "input")):
        _read_item(item, f"input.{i}", extra, gathered)
    gathered.close()
    if not gathered.turns:
        raise fields.refuse("input", "must have at least one item that is not an instruction")
    return Input(tuple(gathered.system), tuple(gathered.turns))


class _Gathered:
    """Turns so far. The last one grows while items of its side come; a message of the user's is a turn of its own."""

    def __init__(self, system: list[TextPart]) -> None:
        self.system = system
        self.turns: list[Turn] = []
        self._side: _Side | None = None
        self._parts: list[Part] = []

    def add(self, side: _Side, parts: tuple[Part, ...], *, results: bool = False) -> None:
        """Add parts; ``results`` are answers to calls, which stand together in one turn."""
        grows = self._side == side and (
            side == "assistant" or (results and all(isinstance(part, ToolResultPart) for part in self._parts))
        )
        if not grows:
            self.close()
            self._side = side
        self._parts += parts

    def close(self) -> None:
        """End the last turn."""
        if self._side is not None and self._parts:
            self.turns.append(Turn(self._side, tuple(self._parts)))
        self._side, self._parts = None, []

    @property
    def begun(self) -> bool:
        """Whether anything but instructions has come."""
        return bool(self.turns or self._parts)


def _read_item(item: dict[str, Any], path: str, extra: dict[str, Any], gathered: _Gathered) -> None:
    kind = fields.text(item, "type", path) or ("message" if "role" in item else "item_reference")
    match kind:
        case "message":
            _read_message(item, path, extra, gathered)
        case "function_call":
            gathered.add("assistant", (_read_call(item, path, extra),))
        case "function_call_output":
            gathered.add("user", (_read_result(item, path, extra),), results=True)
        case "reasoning":
            gathered.add("assistant", _read_reasoning(item, path))
        case _:
            side: _Side = "user" if kind.endswith(_ANSWERS) else "assistant"
            gathered.add(side, (OpaquePart(NAME, kind, item),))


def _read_message(item: dict[str, Any], path: str, extra: dict[str, Any], gathered: _Gathered) -> None:
    role = fields.required_text(item, "role", path)
    side = _SIDES.get(role)
    if side is None:
        raise fields.refuse(f"{path}.role", f"{role!r} is not a role")
    note_rest(item, "message", _BOOKKEEPING | {"role", "content"}, extra)
    here = f"{path}.content"
    parts = read_content(item.get("content"), here, extra)
    if side != "system" or gathered.begun:
        gathered.add(side, _only_text(parts, here) if side == "system" else parts)
    else:
        gathered.system += _only_text(parts, here)


def _only_text(parts: tuple[Part, ...], path: str) -> tuple[TextPart, ...]:
    texts: list[TextPart] = []
    for i, part in enumerate(parts):
        if not isinstance(part, TextPart):
            raise fields.refuse(f"{path}.{i}", "must be text")
        texts.append(part)
    return tuple(texts)


def _read_call(item: dict[str, Any], path: str, extra: dict[str, Any]) -> ToolCallPart:
    note_rest(item, "function_call", _BOOKKEEPING | {"call_id", "name", "arguments", "tailrace"}, extra)
    marks = item.get("tailrace")
    signature = marks.get("signature") if isinstance(marks, dict) else None
    return ToolCallPart(
        fields.required_text(item, "call_id", path),
        fields.required_text(item, "name", path),
        _read_arguments(item, path),
        signature if isinstance(signature, str) else None,
    )


def _read_arguments(item: dict[str, Any], path: str) -> Any:
    """Return the value of ``arguments``; the empty text, which models do send, is no arguments."""
    arguments = fields.text(item, "arguments", path)
    if not arguments or not arguments.strip():
        return {}
    try:
        return decode_any(arguments)
    except JSON_ERRORS as error:
        raise fields.refuse(f"{path}.arguments", f"must be JSON: {error}") from error


def _read_result(item: dict[str, Any], path: str, extra: dict[str, Any]) -> ToolResultPart | OpaquePart:
    known = _BOOKKEEPING | {"call_id", "output", "name"}
    note_rest(item, "function_call_output", known, extra)
    call = fields.required_text(item, "call_id", path)
    texts: list[TextPart | ImagePart | FilePart] = []
    for part in read_content(item.get("output"), f"{path}.output", extra):
        if not isinstance(part, TextPart | ImagePart | FilePart):
            return OpaquePart(NAME, "function_call_output", item)
        texts.append(part)
    return ToolResultPart(call, tuple(texts), name=fields.text(item, "name", path))


def _read_reasoning(item: dict[str, Any], path: str) -> tuple[Part, ...]:
    """Return reasoning with what signs it: this dialect's own cipher, or what a relay put there for another's."""
    texts = [
        text
        for name in ("summary", "content")
        for i, part in enumerate(fields.objects(item, name, path))
        if (text := fields.text(part, "text", f"{path}.{name}.{i}"))
    ]
    encrypted = fields.text(item, "encrypted_content", path) or ""
    signature, redacted = read_foreign(encrypted)
    if redacted is not None:
        return (RedactedThinkingPart(redacted),)
    if signature is None and encrypted:
        signature = seal(fields.text(item, "id", path) or "", encrypted)
    return (ThinkingPart("\n\n".join(texts), signature),)
