"""How each kind of block is written: an item that opens, grows and is done, with the events that each step takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from tailrace.dialects.base import Reply
from tailrace.dialects.openai_responses.response import (
    annotation,
    call_item,
    call_marks,
    content_part,
    encrypted_content,
    identify,
    message_item,
    reasoning_item,
    redacted_content,
)
from tailrace.dialects.openai_responses.wire import to_json
from tailrace.events import BlockKind, BlockStart
from tailrace.sse import encode as frame

Say: TypeAlias = Callable[..., bytes]
"""``say(type, **fields)`` → the wire event, with the next sequence number."""


class Writer:
    """Writes one block as the item ``number`` of the output.

    ``item`` is the item as it stands; ``before`` and ``after`` are the bytes around a delta's text, the sequence number
    and the closing brace follow. ``own`` kinds are written only where they are this dialect's; ``may_be_cut`` says
    whether an error ends the item.
    """

    kind: ClassVar[str] = ""
    own: ClassVar[bool] = False
    may_be_cut: ClassVar[bool] = True

    __slots__ = ("after", "before", "given", "identity", "item", "number", "pieces", "signature", "start")

    def __init__(self, start: BlockStart, given: dict[str, Any], reply: Reply, number: int, taken: set[str]) -> None:
        self.start = start
        self.given = given
        self.number = number
        self.identity = identify(self.kind, given, reply, number, taken) if self.kind else ""
        self.pieces: list[str] = []
        self.signature: str | None = None
        self.item: dict[str, Any] = {}
        self.before = self.after = b""

    def begin(self, say: Say) -> list[bytes]:
        """Open the item."""
        return [say("response.output_item.added", output_index=self.number, item=self.item)]

    def grow(self, _say: Say) -> list[bytes]:
        """Return what comes before the next delta: nothing, mostly."""
        return []

    def cite(self, _citation: dict[str, Any], _say: Say) -> list[bytes]:
        """Add a citation, where there is a place for it."""
        return []

    def carry(self, _data: dict[str, Any], _say: Say) -> list[bytes]:
        """Write a delta that is this dialect's own event."""
        return []

    def finish(self, _status: str, say: Say) -> list[bytes]:
        """End the item."""
        return [say("response.output_item.done", output_index=self.number, item=self.item)]

    @property
    def text(self) -> str:
        """All that the deltas have said."""
        return "".join(self.pieces)

    def _around(self, kind: str, after: bytes = b"", **places: int) -> None:
        """Prepare the bytes around a delta's text."""
        head = to_json({"type": kind, **self.place, **places})[:-1]
        self.before = frame(head, event=kind).removesuffix(b"\n\n") + b',"delta":'
        self.after = after + b',"sequence_number":'

    @property
    def place(self) -> dict[str, Any]:
        """The fields with which an event names this item."""
        return {"item_id": self.identity, "output_index": self.number}


class _Text(Writer):
    """Text or a refusal: a message with one content part."""

    kind = "message"

    __slots__ = ("_citations",)

    def begin(self, say: Say) -> list[bytes]:
        self._citations: list[dict[str, Any]] = []
        refusal = self.start.kind == "refusal"
        kind, after = ("refusal", b"") if refusal else ("output_text", b',"logprobs":[]')
        self._around(f"response.{kind}.delta", after, content_index=0)
        self.item = message_item(self.identity, None, "in_progress", self.given)
        added = super().begin(say)
        part = content_part(self.start.kind, "", [])
        return [*added, say("response.content_part.added", **self.place, content_index=0, part=part)]

    def cite(self, citation: dict[str, Any], say: Say) -> list[bytes]:
        found = annotation(citation)
        if found is None or self.start.kind != "text":
            return []
        number = len(self._citations)
        self._citations.append(found)
        kind = "response.output_text.annotation.added"
        return [say(kind, **self.place, content_index=0, annotation_index=number, annotation=found)]

    def finish(self, status: str, say: Say) -> list[bytes]:
        text = self.text
        part = content_part(self.start.kind, text, self._citations)
        place = {**self.place, "content_index": 0}
        if self.start.kind == "refusal":
            done = say("response.refusal.done", **place, refusal=text)
        else:
            done = say("response.output_text.done", **place, text=text, logprobs=[])
        self.item = message_item(self.identity, part, status, self.given)
        return [done, say("response.content_part.done", **place, part=part), *super().finish(status, say)]


class _Thinking(Writer):
    """Thinking: a reasoning item, whose summary has a part once there is something to say."""

    kind = "reasoning"

    __slots__ = ()

    def begin(self, say: Say) -> list[bytes]:
        self._around("response.reasoning_summary_text.delta", summary_index=0)
        self.item = reasoning_item(self.identity, "", None, "in_progress", self.given)
        return super().begin(say)

    def grow(self, say: Say) -> list[bytes]:
        return [] if self.pieces else [self._part("added", "", say)]

    def _part(self, word: str, text: str, say: Say) -> bytes:
        part = {"type": "summary_text", "text": text}
        return say(f"response.reasoning_summary_part.{word}", **self.place, summary_index=0, part=part)

    def finish(self, status: str, say: Say) -> list[bytes]:
        frames, text = [], self.text
        if self.pieces:
            frames.append(say("response.reasoning_summary_text.done", **self.place, summary_index=0, text=text))
            frames.append(self._part("done", text, say))
        encrypted = encrypted_content(self.signature)
        self.item = reasoning_item(self.identity, text, encrypted, status, self.given)
        return [*frames, *super().finish(status, say)]


class _Redacted(Writer):
    """Redacted thinking: a reasoning item that only its provider can read."""

    kind = "reasoning"

    __slots__ = ()

    def begin(self, say: Say) -> list[bytes]:
        encrypted = redacted_content(self.start.data)
        self.item = reasoning_item(self.identity, "", encrypted, "completed", {})
        return super().begin(say)


class _Call(Writer):
    """A call of the client's own tool."""

    kind = "function_call"
    may_be_cut = False

    __slots__ = ("_call",)

    def begin(self, say: Say) -> list[bytes]:
        start = self.start
        # Clients answer a call by its id, so one whose provider gave none gets one.
        self._call = (start.id or f"call_{self.identity.partition('_')[2]}", start.name or "")
        self._around("response.function_call_arguments.delta")
        self.item = call_item(self.identity, self._call, "", "in_progress", self.given)
        return super().begin(say)

    def finish(self, status: str, say: Say) -> list[bytes]:
        frames = []
        if not self.pieces:
            # No fragment at all means no arguments; clients parse what they have, and "" is not JSON.
            self.pieces.append("{}")
            frames.append(say("response.function_call_arguments.delta", **self.place, delta="{}"))
        frames.append(say("response.function_call_arguments.done", **self.place, arguments=self.text))
        item = call_item(self.identity, self._call, self.text, status, self.given)
        self.item = {**item, **call_marks(self.signature)}
        return [*frames, *super().finish(status, say)]


class _Own(Writer):
    """An item that only this dialect knows: as it came."""

    own = True
    may_be_cut = False

    __slots__ = ("_done",)

    def begin(self, say: Say) -> list[bytes]:
        self._done = False
        self.item = self.given
        return super().begin(say)

    def carry(self, data: dict[str, Any], say: Say) -> list[bytes]:
        fields = dict(data)
        kind = fields.pop("type", None)
        if not isinstance(kind, str):
            return []
        if kind == "response.output_item.done" and isinstance(fields.get("item"), dict):
            self._done = True
            self.item = fields["item"]
        return [say(kind, output_index=self.number, **fields)]

    def finish(self, status: str, say: Say) -> list[bytes]:
        return [] if self._done else super().finish(status, say)


WRITERS: dict[BlockKind, type[Writer]] = {
    "text": _Text,
    "refusal": _Text,
    "thinking": _Thinking,
    "redacted_thinking": _Redacted,
    "tool_call": _Call,
    "server_tool_result": _Own,
    "media": _Own,
    "opaque": _Own,
}
"""Kind of block → its writer; any other is left out."""
