"""The items of an answer while they are read: a row of blocks each.

A message has a block for each of its content parts; a reasoning item, a function call and every other item are one
block. What the vocabulary has no field for (an item's own id, the ``phase`` of a message) rides in the block's
``data``. An item of a type that is not read is carried whole: its opening in ``data``, and each event that it grows
by as a `BlockDelta`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tailrace.dialects.openai_responses.names import ITEM_KINDS, NAME, read_foreign, seal
from tailrace.dialects.openai_responses.wire import optional_text, text_of
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Event,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)

PARTS: dict[str, tuple[BlockKind, str]] = {"output_text": ("text", "text"), "refusal": ("refusal", "refusal")}
"""Type of a message's content part → its kind of block, and the field with its text."""

_READ = {
    "message": frozenset({"type", "role", "status", "content"}),
    "reasoning": frozenset({"type", "status", "summary", "content", "encrypted_content"}),
    "function_call": frozenset({"type", "status", "call_id", "name", "arguments", "tailrace"}),
}
"""Type of item → the fields that say what its events and blocks say anyway."""

_BETWEEN_PARTS = "\n\n"
"""What stands between the parts of one reasoning item, which are paragraphs."""


class Part:
    """A content part of a message. ``said`` is whether any of its text has come."""

    __slots__ = ("block", "citations", "field", "kind", "open", "said")

    def __init__(self, block: int, kind: BlockKind, field: str) -> None:
        self.block = block
        self.kind = kind
        self.field = field
        self.open = True
        self.said = False
        self.citations = 0

    def grow(self, text: str, out: list[Event]) -> None:
        """Add ``text``."""
        if not self.open:
            raise RemoteProtocolError("text for a content part that is done")
        self.said = self.said or bool(text)
        out.append(TextDelta(self.block, text))

    def complete(self, whole: Any, out: list[Event]) -> None:
        """Take the whole text, where no delta has said any of it."""
        text = optional_text(whole, self.field)
        if text and not self.said:
            self.grow(text, out)

    def cite(self, annotation: Any, out: list[Event]) -> None:
        """Add an annotation."""
        if not isinstance(annotation, dict) or self.kind != "text" or not self.open:
            raise RemoteProtocolError("an annotation of a responses event is none, or has no text")
        self.citations += 1
        out.append(CitationDelta(self.block, annotation))

    def finish(self, part: dict[str, Any] | None, out: list[Event]) -> None:
        """End it; ``part`` is the whole part, for what no delta has said."""
        if not self.open or self.kind == "opaque":
            return
        if part is not None:
            self.complete(part.get(self.field), out)
            annotations = part.get("annotations")
            if self.kind == "text" and isinstance(annotations, list):
                for annotation in annotations[self.citations :]:
                    self.cite(annotation, out)
        self.open = False
        out.append(BlockStop(self.block))


class Item:
    """One item. ``block`` is -1 for a message, whose parts have the blocks."""

    __slots__ = ("_again", "_indexes", "block", "data", "kind", "parts", "said")

    def __init__(self, data: dict[str, Any], indexes: Iterator[int], out: list[Event]) -> None:
        self.kind = text_of(data.get("type"), "an item's type")
        self.data = data
        self.block = -1
        self.said = False
        self.parts: dict[int, Part] = {}
        self._again = False
        self._indexes = indexes
        if self.kind == "reasoning":
            self._open_reasoning(out)
        elif self.kind == "function_call":
            call = optional_text(data.get("call_id") or data.get("id"), "call_id") or None
            self._open("tool_call", out, call, text_of(data.get("name"), "a call's name"))
            marks = data.get("tailrace")
            if isinstance(marks, dict) and isinstance(marks.get("signature"), str):
                out.append(SignatureDelta(self.block, marks["signature"]))
        elif self.kind != "message":
            self.block = next(indexes)
            identity = data.get("id")
            named = identity if isinstance(identity, str) else None
            block = ITEM_KINDS.get(self.kind, "opaque")
            out.append(BlockStart(self.block, block, named, self.kind, data=data, dialect=NAME))

    @property
    def carried(self) -> bool:
        """Whether it is of a type that is not read."""
        return self.kind not in _READ

    def _open_reasoning(self, out: list[Event]) -> None:
        encrypted = self.data.get("encrypted_content")
        _, redacted = read_foreign(encrypted) if isinstance(encrypted, str) else (None, None)
        if redacted is None:
            self._open("thinking", out)
        else:
            self.block = next(self._indexes)
            out.append(BlockStart(self.block, "redacted_thinking", data=redacted))

    def _open(self, kind: BlockKind, out: list[Event], identity: str | None = None, name: str | None = None) -> None:
        self.block = next(self._indexes)
        out.append(self._start(self.block, kind, identity, name))

    def _start(self, block: int, kind: BlockKind, identity: str | None = None, name: str | None = None) -> BlockStart:
        rest = {field: value for field, value in self.data.items() if field not in _READ[self.kind]}
        return BlockStart(block, kind, identity, name, data=rest or None, dialect=NAME if rest else None)

    # ---- a message ---------------------------------------------------------------------------------------------

    def add_part(self, index: int, part: dict[str, Any], out: list[Event]) -> bool:
        """Open a content part of a message, or begin a part of reasoning; False for one of a type that is not read."""
        if self.kind == "reasoning":
            self.next_paragraph()
            return True
        if self.kind != "message" or index in self.parts:
            raise RemoteProtocolError(f"content part {index} of an item of type {self.kind!r}, which has one or none")
        kind, field = PARTS.get(text_of(part.get("type"), "a part's type"), ("opaque", ""))
        if kind == "opaque":
            self.parts[index] = Part(-1, kind, field)
            return False
        opened = self.parts[index] = Part(next(self._indexes), kind, field)
        out.append(self._start(opened.block, kind))
        if text := optional_text(part.get(field), field):
            opened.grow(text, out)
        return True

    def part(self, index: int | None, kind: BlockKind) -> Part:
        """Return the part at ``index``, which must hold ``kind``."""
        found = self.parts.get(index or 0)
        if found is None or found.kind != kind:
            raise RemoteProtocolError(f"{kind} for content part {index}, which is not open")
        return found

    # ---- reasoning and calls -------------------------------------------------------------------------------------

    def next_paragraph(self) -> None:
        """Note that another part of the reasoning begins."""
        self._again = self.said

    def think(self, text: str, out: list[Event]) -> None:
        """Add reasoning, whether it is a summary of it or the thing itself."""
        if self.kind != "reasoning":
            raise RemoteProtocolError(f"reasoning for an item of type {self.kind!r}")
        if self._again:
            self._again = False
            out.append(ThinkingDelta(self.block, _BETWEEN_PARTS))
        self.said = self.said or bool(text)
        out.append(ThinkingDelta(self.block, text))

    def call(self, text: str, out: list[Event]) -> None:
        """Add to a call's arguments."""
        if self.kind != "function_call":
            raise RemoteProtocolError(f"arguments for an item of type {self.kind!r}")
        self.said = self.said or bool(text)
        out.append(ToolInputDelta(self.block, text))

    def complete_call(self, whole: Any, out: list[Event]) -> None:
        """Take a call's whole arguments, where no delta has said any of them."""
        text = optional_text(whole, "arguments")
        if text and not self.said:
            self.call(text, out)

    # ---- the end -------------------------------------------------------------------------------------------------

    def finish(self, data: dict[str, Any] | None, out: list[Event]) -> None:
        """End it; ``data`` is the whole item, for what no event has said."""
        if data is not None and data.get("type") != self.kind:
            raise RemoteProtocolError(f"an item of type {self.kind!r} ends as {str(data.get('type'))[:100]!r}")
        if self.kind == "message":
            self._finish_message(data or {}, out)
            return
        if self.kind == "reasoning":
            self._finish_reasoning(data or {}, out)
        elif self.kind == "function_call":
            self.complete_call((data or self.data).get("arguments"), out)
        elif data is not None:
            out.append(BlockDelta(self.block, {"type": "response.output_item.done", "item": data}, NAME))
        out.append(BlockStop(self.block))

    def _finish_message(self, data: dict[str, Any], out: list[Event]) -> None:
        content = data.get("content")
        whole = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        if not self.parts:
            for index, part in enumerate(whole):
                self.add_part(index, {"type": part.get("type")}, out)
                self.parts[index].finish(part, out)
        for index, opened in self.parts.items():
            opened.finish(whole[index] if index < len(whole) else None, out)

    def _finish_reasoning(self, data: dict[str, Any], out: list[Event]) -> None:
        if not self.said:
            for field in ("summary", "content"):
                parts = data.get(field)
                for part in parts if isinstance(parts, list) else ():
                    text = part.get("text") if isinstance(part, dict) else None
                    if isinstance(text, str) and text:
                        self.next_paragraph()
                        self.think(text, out)
        if (signature := _carried_signature(data)) is not None:
            out.append(SignatureDelta(self.block, signature))


def _carried_signature(data: dict[str, Any]) -> str | None:
    """Return the signature that a whole reasoning item carries: another dialect's, or this one's id and cipher."""
    identity, encrypted = data.get("id"), data.get("encrypted_content")
    if not isinstance(encrypted, str) or not encrypted:
        return None
    signature, redacted = read_foreign(encrypted)
    if signature is not None or redacted is not None:
        return signature
    return seal(identity if isinstance(identity, str) else "", encrypted)
