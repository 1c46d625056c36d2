"""Events to a streamed response.

Every event carries ``sequence_number`` 0, 1, 2 …, also in a stream that is passed on as it came: the number of a frame
in its log, less one. So the cursor of this dialect's clients is the log's.

Each text or refusal is a message of its own, each thinking a reasoning item with a summary of one part. Left out, as
this dialect has no word for them: further choices, other dialects' server tools, media and citations, signatures on
text, pings, and what is opaque elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.base import Received, Reply
from tailrace.dialects.openai_responses.failures import error_fields, in_both_forms
from tailrace.dialects.openai_responses.names import NAME, response_id
from tailrace.dialects.openai_responses.response import closed, own_fields, response
from tailrace.dialects.openai_responses.usage import usage_marks, write_usage
from tailrace.dialects.openai_responses.wire import JSON_ERRORS, decode_any, to_json
from tailrace.dialects.openai_responses.writers import WRITERS, Writer
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageLabel,
    UsageReport,
)
from tailrace.sse import encode as frame

_LAST = frozenset({MessageEnd, Error})

_HEADS: dict[str, bytes] = {
    kind: frame(b"", event=kind).removesuffix(b"\n\n")
    for kind in (
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
    )
}
"""What stands before the data of the events that nearly all of an answer consists of."""


class ResponsesEncoder:
    """Encodes one answer, event by event, or event by event as the provider wrote them (`verbatim`)."""

    __slots__ = (
        "_begun",
        "_ended",
        "_finish",
        "_label",
        "_number",
        "_open",
        "_output",
        "_reply",
        "_taken",
        "_usage",
    )

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._number = 0
        self._begun = response(response_id("", reply), reply.model, reply, "in_progress", [])
        self._open: dict[int, Writer] = {}  # by the events' index; a block that is left out is not here
        self._output: list[dict[str, Any]] = []
        self._taken: set[str] = set()
        self._finish: Finish | None = None
        self._usage = Usage()
        self._label: UsageLabel | None = None
        self._ended = False

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; none after the end."""
        rule = self._RULES.get(type(event))
        return [] if rule is None or self._ended else rule(self, event)

    def verbatim(self, received: Received) -> list[bytes]:
        """Return ``received`` as it came, with its type as event line and its number as ``sequence_number``.

        Left out is what is no event (``[DONE]``). An error in a form that some client does not notice is written in
        both.
        """
        raw, events = received
        if isinstance(raw, bytes):
            return [wire for event in events for wire in self.encode(event)]
        data = raw.data
        if not data.lstrip().startswith(b"{"):
            return []
        if events and type(events[-1]) in _LAST:
            self._ended = True
            if raw.type == "error" and (both := in_both_forms(data)) is not None:
                data = to_json(both)
        number = self._number
        self._number += 1
        # A line end in JSON stands between its tokens, where a space says the same.
        data = _numbered(data, number).replace(b"\n", b" ")
        head = _HEADS.get(raw.type)
        return [frame(data, event=raw.type) if head is None else head + data + b"\n\n"]

    # ---- rules, one for each event ----------------------------------------------------------------------------

    def _start(self, event: MessageStart) -> list[bytes]:
        reply = self._reply
        identity, model = response_id(event.id, reply), event.model or reply.model
        self._begun = response(identity, model, reply, "in_progress", [])
        return [self._say(f"response.{word}", response=self._begun) for word in ("created", "in_progress")]

    def _block_start(self, event: BlockStart) -> list[bytes]:
        make = None if event.choice else WRITERS.get(event.kind)
        if make is None or (make.own and event.dialect != NAME):
            return []
        number = len(self._output)
        self._output.append({})
        writer = make(event, own_fields(event), self._reply, number, self._taken)
        self._open[event.index] = writer
        return self._placed(writer, writer.begin(self._say))

    def _placed(self, writer: Writer, frames: list[bytes]) -> list[bytes]:
        self._output[writer.number] = writer.item
        return frames

    def _text(self, event: TextDelta | ThinkingDelta) -> list[bytes]:
        writer = self._open.get(event.index)
        return [] if writer is None else self._grow(writer, event.text)

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        writer = self._open.get(event.index)
        return [] if writer is None or not event.json else self._grow(writer, event.json)

    def _grow(self, writer: Writer, text: str) -> list[bytes]:
        frames = writer.grow(self._say)
        writer.pieces.append(text)
        number = self._number
        self._number += 1
        frames.append(b"%b%b%b%d}\n\n" % (writer.before, to_json(text), writer.after, number))
        return frames

    def _signature(self, event: SignatureDelta) -> list[bytes]:
        if (writer := self._open.get(event.index)) is not None:
            writer.signature = event.signature
        return []

    def _citation(self, event: CitationDelta) -> list[bytes]:
        writer = self._open.get(event.index)
        return [] if writer is None else writer.cite(event.citation, self._say)

    def _block_delta(self, event: BlockDelta) -> list[bytes]:
        writer = self._open.get(event.index)
        if writer is None or event.dialect != NAME or not isinstance(event.data, dict):
            return []
        return writer.carry(event.data, self._say)

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        writer = self._open.pop(event.index, None)
        return [] if writer is None else self._placed(writer, writer.finish("completed", self._say))

    def _usage_report(self, event: UsageReport) -> list[bytes]:
        self._usage, self._label = self._usage.merged(event.usage), event.label
        return []

    def _hold_finish(self, event: Finish) -> list[bytes]:
        if not event.choice:
            self._finish = event
        return []

    def _end(self, _event: MessageEnd) -> list[bytes]:
        self._ended = True
        whole = closed({**self._begun, "output": self._output}, self._finish, self._usage, self._label)
        return [self._say(f"response.{whole['status']}", response=whole)]

    def _error(self, event: Error) -> list[bytes]:
        self._ended = True
        # A call that is done is a whole call: clients run it. One that was cut stays open.
        frames = [f for w in self._open.values() if w.may_be_cut for f in w.finish("incomplete", self._say)]
        figures, placeholders = write_usage(self._usage)
        marks = usage_marks(self._label, placeholders)
        if figures is not None:
            marks["usage"] = figures
        return [*frames, self._say("error", **error_fields(event, marks))]

    def _opaque(self, event: Opaque) -> list[bytes]:
        if event.dialect != NAME or event.name is None or not isinstance(event.data, dict):
            return []
        if "output_index" in event.data:
            return []  # it belongs to an item that is not at that place here, or not written at all
        return [self._say(event.name, **{k: v for k, v in event.data.items() if k not in {"type", "sequence_number"}})]

    def _say(self, kind: str, **fields: Any) -> bytes:
        number = self._number
        self._number += 1
        return frame(to_json({"type": kind, **fields, "sequence_number": number}), event=kind)

    _RULES: ClassVar[dict[type[Event], Callable[[ResponsesEncoder, Any], list[bytes]]]] = {
        MessageStart: _start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _text,
        ToolInputDelta: _tool_input,
        SignatureDelta: _signature,
        CitationDelta: _citation,
        BlockDelta: _block_delta,
        BlockStop: _block_stop,
        UsageReport: _usage_report,
        Finish: _hold_finish,
        MessageEnd: _end,
        Error: _error,
        Opaque: _opaque,
    }


def _numbered(data: bytes, number: int) -> bytes:
    """Return an event's data with ``sequence_number`` ``number``: nearly always as it is.

    Nothing inside a JSON string looks like this field, since quotes are escaped there.
    """
    field = b'"sequence_number":%d' % number
    found = data.find(field)
    if found >= 0 and data[found + len(field) : found + len(field) + 1] in {b",", b"}"}:
        return data
    try:
        value = decode_any(data)
    except JSON_ERRORS:
        return data
    if value.get("sequence_number") == number:
        return data
    return to_json({**value, "sequence_number": number})
