"""Parts of a UI message as they come, to blocks: text, reasoning, tool calls and their results.

Rules as the SDK's own client has them: pieces and ends need their start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from tailrace.dialects.ai_sdk.names import MARKS, NAME
from tailrace.dialects.ai_sdk.sources import read_source
from tailrace.dialects.wire_json import to_json
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

_Chunk = dict[str, Any]


class _Text(NamedTuple):
    """An open text or reasoning part, and the index of its block."""

    at: int
    kind: BlockKind


class _Call:
    """A tool call whose input is still coming."""

    __slots__ = ("index", "written")

    def __init__(self, index: int) -> None:
        self.index = index
        self.written = False


class Blocks:
    """The blocks of one answer. `read` takes a chunk of a type in `Blocks.RULES` and returns what it says."""

    __slots__ = ("_calls", "_next", "_texts")

    def __init__(self) -> None:
        self._next = 0
        self._texts: dict[tuple[str, str], _Text] = {}  # by part and id
        self._calls: dict[str, _Call] = {}

    def read(self, chunk: _Chunk) -> list[Event]:
        """Return what ``chunk`` says; raise `RemoteProtocolError` where it may not stand or lacks a field."""
        return self.RULES[chunk["type"]](self, chunk)

    def close(self) -> list[Event]:
        """End the answer. An open text is closed, as it is shown all the same; an open call is a fault."""
        if self._calls:
            raise RemoteProtocolError(f"the end, but the input of call {next(iter(self._calls))!r} is not complete")
        return [BlockStop(text.at) for text in self._texts.values()]

    def _start(self, kind: BlockKind, **fields: Any) -> BlockStart:
        start = BlockStart(self._next, kind, **fields)
        self._next += 1
        return start

    # ---- text and reasoning -----------------------------------------------------------------------------------

    def _text_start(self, chunk: _Chunk) -> list[Event]:
        return [self._open("text", chunk, "text")]

    def _reasoning_start(self, chunk: _Chunk) -> list[Event]:
        marks = _marks(chunk)
        if "redacted" not in marks:
            return [self._open("reasoning", chunk, "thinking")]
        dialect = _optional(marks, "dialect")
        return [self._open("reasoning", chunk, "redacted_thinking", data=marks["redacted"], dialect=dialect)]

    def _open(self, part: str, chunk: _Chunk, kind: BlockKind, **fields: Any) -> BlockStart:
        key = (part, _string(chunk, "id"))
        if key in self._texts:
            raise RemoteProtocolError(f"{part}-start for {key[1]!r}, which is open")
        self._texts[key] = _Text(self._next, kind)
        return self._start(kind, **fields)

    def _text_delta(self, chunk: _Chunk) -> list[Event]:
        return [TextDelta(self._opened(chunk, ("text", _string(chunk, "id"))).at, _string(chunk, "delta"))]

    def _reasoning_delta(self, chunk: _Chunk) -> list[Event]:
        text = self._opened(chunk, ("reasoning", _string(chunk, "id")))
        if text.kind != "thinking":
            raise RemoteProtocolError("reasoning-delta for reasoning that nobody can read")
        return [ThinkingDelta(text.at, _string(chunk, "delta"))]

    def _opened(self, chunk: _Chunk, key: tuple[str, str]) -> _Text:
        text = self._texts.get(key)
        if text is None:
            raise RemoteProtocolError(f"{chunk['type']} for {key[1]!r}, which is not open")
        return text

    def _text_end(self, chunk: _Chunk) -> list[Event]:
        key = (chunk["type"].removesuffix("-end"), _string(chunk, "id"))
        index, kind = self._opened(chunk, key)
        del self._texts[key]
        signature = _optional(_marks(chunk), "signature")
        signed = [] if signature is None or kind == "redacted_thinking" else [SignatureDelta(index, signature)]
        return [*signed, BlockStop(index)]

    def _source(self, chunk: _Chunk) -> list[Event]:
        """Take a source as a citation of the text that is being written; elsewhere it belongs to nothing."""
        index = next((text.at for text in reversed(self._texts.values()) if text.kind == "text"), None)
        return [Opaque(NAME, chunk, chunk["type"])] if index is None else [CitationDelta(index, read_source(chunk))]

    # ---- tools and files --------------------------------------------------------------------------------------

    def _call_start(self, chunk: _Chunk) -> list[Event]:
        name, marks = _string(chunk, "toolCallId"), _marks(chunk)
        if name in self._calls:
            raise RemoteProtocolError(f"tool-input-start for {name!r}, which is open")
        self._calls[name] = _Call(self._next)
        return [
            self._start(
                "server_tool_call" if chunk.get("providerExecuted") is True else "tool_call",
                id=name,
                name=_string(chunk, "toolName"),
                data=marks.get("data"),
                dialect=_optional(marks, "dialect"),
            )
        ]

    def _call_delta(self, chunk: _Chunk) -> list[Event]:
        call = self._calls.get(_string(chunk, "toolCallId"))
        if call is None:
            raise RemoteProtocolError(f"tool-input-delta for {chunk['toolCallId']!r}, which is not open")
        call.written = True
        return [ToolInputDelta(call.index, _string(chunk, "inputTextDelta"))]

    def _call_end(self, chunk: _Chunk) -> list[Event]:
        """Take the whole input. The pieces, where there were any, have said it already."""
        name = _string(chunk, "toolCallId")
        out = [] if name in self._calls else self._call_start(chunk)
        call = self._calls.pop(name)
        value = chunk.get("input")
        if not call.written and value not in ({}, None):
            failed = chunk["type"] == "tool-input-error" and isinstance(value, str)
            out.append(ToolInputDelta(call.index, value if failed else to_json(value).decode()))
        if (signature := _optional(_marks(chunk), "signature")) is not None:
            out.append(SignatureDelta(call.index, signature))
        return [*out, BlockStop(call.index)]

    def _output(self, chunk: _Chunk) -> list[Event]:
        """Take a result: whoever ran the tool, it was not the caller."""
        name, dialect = _string(chunk, "toolCallId"), _optional(_marks(chunk), "dialect")
        data = chunk if dialect is None else chunk.get("output")
        return self._whole("server_tool_result", id=name, data=data, dialect=dialect or NAME)

    def _file(self, chunk: _Chunk) -> list[Event]:
        return self._whole("media", data=chunk, dialect=NAME)

    def _whole(self, kind: BlockKind, **fields: Any) -> list[Event]:
        start = self._start(kind, **fields)
        return [start, BlockStop(start.index)]

    RULES: ClassVar[dict[str, Callable[[Blocks, _Chunk], list[Event]]]] = {
        "text-start": _text_start,
        "text-delta": _text_delta,
        "text-end": _text_end,
        "reasoning-start": _reasoning_start,
        "reasoning-delta": _reasoning_delta,
        "reasoning-end": _text_end,
        "source-url": _source,
        "source-document": _source,
        "tool-input-start": _call_start,
        "tool-input-delta": _call_delta,
        "tool-input-available": _call_end,
        "tool-input-error": _call_end,
        "tool-output-available": _output,
        "tool-output-error": _output,
        "tool-output-denied": _output,
        "file": _file,
    }


def _string(chunk: _Chunk, name: str) -> str:
    value = chunk.get(name)
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{name!r} of a {chunk['type']} chunk is not a string")
    return value


def _marks(chunk: _Chunk) -> _Chunk:
    """Return what a relay noted in ``chunk``."""
    metadata = chunk.get("providerMetadata")
    marks = metadata.get(MARKS) if isinstance(metadata, dict) else None
    return marks if isinstance(marks, dict) else {}


def _optional(value: _Chunk, name: str) -> str | None:
    inner = value.get(name)
    return inner if isinstance(inner, str) else None
