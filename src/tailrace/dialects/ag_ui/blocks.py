"""AG-UI's streamed entities to blocks: text messages, reasoning messages, tool calls and their results.

Rules as the client's verifier has them: content and ends need their start, and no start stands twice. The short forms
(``TEXT_MESSAGE_CHUNK`` and its kin) open what they name, and whatever is not the next piece of it closes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeAlias

from tailrace.dialects.ag_ui.names import CITATION, MARKS, NAME
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Event,
    Opaque,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)

_Wire = dict[str, Any]
_Rule: TypeAlias = "Callable[[Blocks, _Wire], list[Event]]"

MAX_FOREIGN = 100
"""Most open messages that the agent says in somebody else's name: nobody else counts them, and real runs have none."""


class _Open(NamedTuple):
    """An open entity: the index of its block, and what may grow it."""

    at: int
    kind: BlockKind


_NOT_OURS = _Open(-1, "opaque")
"""A message that the agent says in somebody else's name: no part of the answer."""


class Blocks:
    """The blocks of one run. `read` takes an event of a type in `Blocks.RULES` and returns what it says."""

    __slots__ = ("_chunk", "_next", "_open", "_span")

    def __init__(self) -> None:
        self._next = 0
        self._open: dict[tuple[str, str], _Open] = {}  # by what it is ("text", "reasoning", "call") and its id
        self._span: tuple[str, _Wire] | None = None  # the last span of reasoning, and what was noted in it
        self._chunk: tuple[str, str] | None = None

    def read(self, event: _Wire) -> list[Event]:
        """Return what ``event`` says; raise `RemoteProtocolError` where it may not stand or lacks a field."""
        kind = event["type"]
        return [*([] if kind.endswith("_CHUNK") else self.end_chunk()), *self.RULES[kind](self, event)]

    def end_chunk(self) -> list[Event]:
        """Close what the last short form has opened."""
        if self._chunk is None:
            return []
        place, self._chunk = self._open.pop(self._chunk), None
        return [] if place is _NOT_OURS else [BlockStop(place.at)]

    def close(self) -> None:
        """End the run: raise `RemoteProtocolError` where something is still open."""
        for what, name in self._open:
            raise RemoteProtocolError(f"RUN_FINISHED, but {what} {name!r} is open")

    def _begin(self, what: str, entity: str, kind: BlockKind, **fields: Any) -> list[Event]:
        if (what, entity) in self._open:
            raise RemoteProtocolError(f"{what} {entity!r} is open already")
        self._open[what, entity] = _Open(self._next, kind)
        start = BlockStart(self._next, kind, **fields)
        self._next += 1
        return [start]

    def _found(self, what: str, event: _Wire) -> _Open:
        name = _string(event, "toolCallId" if what == "call" else "messageId")
        place = self._open.get((what, name))
        if place is None:
            raise RemoteProtocolError(f"{event['type']} for {name!r}, which is not open")
        return place

    # ---- text and reasoning -----------------------------------------------------------------------------------

    def _text_start(self, event: _Wire) -> list[Event]:
        name = _string(event, "messageId")
        if event.get("role", "assistant") != "assistant":
            if sum(place is _NOT_OURS for place in self._open.values()) >= MAX_FOREIGN:
                raise RemoteProtocolError(f"more than {MAX_FOREIGN} open messages that are not the assistant's")
            self._open["text", name] = _NOT_OURS
            return [Opaque(NAME, event, event["type"])]
        return self._begin("text", name, "text")

    def _text_content(self, event: _Wire) -> list[Event]:
        place = self._found("text", event)
        if place is _NOT_OURS:
            return [Opaque(NAME, event, event["type"])]
        return [TextDelta(place.at, _string(event, "delta"))]

    def _text_end(self, event: _Wire) -> list[Event]:
        place = self._found("text", event)
        del self._open["text", event["messageId"]]
        return [Opaque(NAME, event, event["type"])] if place is _NOT_OURS else [BlockStop(place.at)]

    def _span_start(self, event: _Wire) -> list[Event]:
        self._span = (_string(event, "messageId"), marks_of(event))
        return []

    def _span_end(self, _event: _Wire) -> list[Event]:
        self._span = None
        return []

    def _thought_start(self, event: _Wire) -> list[Event]:
        name = _string(event, "messageId")
        marks = self._span[1] if self._span is not None and self._span[0] == name else {}
        if "redacted" not in marks:
            return self._begin("reasoning", name, "thinking")
        dialect = _optional(marks, "dialect")
        return self._begin("reasoning", name, "redacted_thinking", data=marks["redacted"], dialect=dialect)

    def _thought_content(self, event: _Wire) -> list[Event]:
        place = self._found("reasoning", event)
        if place.kind != "thinking":
            raise RemoteProtocolError("content for reasoning that nobody can read")
        return [ThinkingDelta(place.at, _string(event, "delta"))]

    def _thought_end(self, event: _Wire) -> list[Event]:
        place = self._found("reasoning", event)
        del self._open["reasoning", event["messageId"]]
        return [BlockStop(place.at)]

    def _encrypted(self, event: _Wire) -> list[Event]:
        """Take a value that the client is to keep: a signature, where what it belongs to is still open."""
        name, value = _string(event, "entityId"), _string(event, "encryptedValue")
        kinds = ("call",) if event.get("subtype") == "tool-call" else ("reasoning", "text")
        place = next((place for what in kinds if (place := self._open.get((what, name))) is not None), None)
        if place is not None and place.kind == "redacted_thinking":
            return []
        if place is None or place is _NOT_OURS:
            return [Opaque(NAME, event, event["type"])]
        return [SignatureDelta(place.at, value)]

    def _custom(self, event: _Wire) -> list[Event]:
        """Take a citation; everything else is the application's own."""
        value = event.get("value")
        if event.get("name") == CITATION and isinstance(value, dict) and isinstance(value.get("citation"), dict):
            place = self._open.get(("text", str(value.get("messageId"))))
            if place is not None and place is not _NOT_OURS:
                return [CitationDelta(place.at, value["citation"])]
        return [Opaque(NAME, event, event["type"])]

    # ---- tools ------------------------------------------------------------------------------------------------

    def _call_start(self, event: _Wire) -> list[Event]:
        name, marks = _string(event, "toolCallId"), marks_of(event)
        kind: BlockKind = "server_tool_call" if marks.get("server") is True else "tool_call"
        rest = {"data": marks.get("data"), "dialect": _optional(marks, "dialect")}
        return self._begin("call", name, kind, id=name, name=_string(event, "toolCallName"), **rest)

    def _call_args(self, event: _Wire) -> list[Event]:
        return [ToolInputDelta(self._found("call", event).at, _string(event, "delta"))]

    def _call_end(self, event: _Wire) -> list[Event]:
        place = self._found("call", event)
        del self._open["call", event["toolCallId"]]
        return [BlockStop(place.at)]

    def _result(self, event: _Wire) -> list[Event]:
        """Take a result: whoever ran the tool, it was not the caller. What only says that nobody ran it is none."""
        marks, call = marks_of(event), _string(event, "toolCallId")
        if marks.get("error") is True:
            return []
        dialect = _optional(marks, "dialect")
        data = event if dialect is None else marks.get("data")
        start = BlockStart(self._next, "server_tool_result", id=call, data=data, dialect=dialect or NAME)
        self._next += 1
        return [start, BlockStop(start.index)]

    # ---- the short forms --------------------------------------------------------------------------------------

    def _text_chunk(self, event: _Wire) -> list[Event]:
        return self._short("text", event, "messageId", Blocks._text_start, Blocks._text_content)

    def _thought_chunk(self, event: _Wire) -> list[Event]:
        return self._short("reasoning", event, "messageId", Blocks._thought_start, Blocks._thought_content)

    def _call_chunk(self, event: _Wire) -> list[Event]:
        return self._short("call", event, "toolCallId", Blocks._call_start, Blocks._call_args)

    def _short(self, what: str, event: _Wire, field: str, start: _Rule, grow: _Rule) -> list[Event]:
        """Take a short form: it goes on with what the last one opened unless it names something else."""
        out: list[Event] = []
        last = self._chunk
        if last is None or last[0] != what or event.get(field) not in {None, last[1]}:
            out += [*self.end_chunk(), *start(self, event)]
            last = self._chunk = (what, event[field])
            if self._open[last] is _NOT_OURS:
                return out
        if event.get("delta") is not None:
            out += grow(self, {**event, field: last[1]})
        return out

    RULES: ClassVar[dict[str, _Rule]] = {
        "TEXT_MESSAGE_START": _text_start,
        "TEXT_MESSAGE_CONTENT": _text_content,
        "TEXT_MESSAGE_END": _text_end,
        "TEXT_MESSAGE_CHUNK": _text_chunk,
        "REASONING_START": _span_start,
        "REASONING_MESSAGE_START": _thought_start,
        "REASONING_MESSAGE_CONTENT": _thought_content,
        "REASONING_MESSAGE_END": _thought_end,
        "REASONING_MESSAGE_CHUNK": _thought_chunk,
        "REASONING_END": _span_end,
        "REASONING_ENCRYPTED_VALUE": _encrypted,
        "TOOL_CALL_START": _call_start,
        "TOOL_CALL_ARGS": _call_args,
        "TOOL_CALL_END": _call_end,
        "TOOL_CALL_CHUNK": _call_chunk,
        "TOOL_CALL_RESULT": _result,
        "CUSTOM": _custom,
    }


def marks_of(event: _Wire) -> _Wire:
    """Return what a relay noted in ``event``."""
    metadata = event.get("metadata")
    marks = metadata.get(MARKS) if isinstance(metadata, dict) else None
    return marks if isinstance(marks, dict) else {}


def _string(event: _Wire, name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{name!r} of a {event['type']} event is not a string")
    return value


def _optional(value: _Wire, name: str) -> str | None:
    inner = value.get(name)
    return inner if isinstance(inner, str) else None
