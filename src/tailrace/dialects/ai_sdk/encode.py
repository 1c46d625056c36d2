"""Events → the AI SDK's UI message stream.

One JSON chunk an event, ``data: [DONE]`` last. A chunk of an unknown type, or with a word that its schema does not
have, ends the client's chat: only the chunks of npm ``ai`` 7 are written. Objects under ``providerMetadata`` and
``data-…`` parts are the two places where more may stand.

The answer is one step. Its message has the id of the message that it goes on with (`Request.echo`), else the relay's
own: providers' ids are not always unique, and two messages of one id are one to the client.

An answer that does not end well leaves its open parts open. To the client a part that has ended is whole, and behind
a whole tool call it may send the next request by itself. What is said: usage, a part ``data-tailrace`` with the
ending, and then ``error``; or, where somebody stopped the answer, ``abort`` and a finish that is ``interrupted``,
which is no error to the person who did it, and keeps the client from going on by itself. No ``[DONE]`` follows.

Left out, as this dialect has no word for them: further choices, log-probabilities, and what another dialect alone can
write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.ai_sdk.files import write_file
from tailrace.dialects.ai_sdk.metadata import write_finish, write_usage
from tailrace.dialects.ai_sdk.names import BROKEN_INPUT, ENDING_PART, INTERRUPTED, MARKS, NAME, STOP_WORDS
from tailrace.dialects.ai_sdk.sources import write_source
from tailrace.dialects.base import Received, Reply
from tailrace.dialects.flat_errors import error_body
from tailrace.dialects.wire_json import as_written, data_event, to_json
from tailrace.events import (
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

DONE = b"data: [DONE]\n\n"

_PARTS: dict[str, str] = {"text": "text", "refusal": "text", "thinking": "reasoning"}
"""Kind of block → the part that it becomes."""


class _Text:
    """An open part of text or reasoning. ``before`` is what stands before each of its pieces on the wire."""

    __slots__ = ("before", "marks", "name", "part")

    def __init__(self, part: str, name: str) -> None:
        self.part = part
        self.name = name
        self.marks: dict[str, Any] = {}
        self.before = b'data: {"type":"%b-delta","id":%b,"delta":' % (part.encode(), to_json(name))


class _Call:
    """An open tool call. Its input is kept: its end says the whole of it (as long as the message may be, at most)."""

    __slots__ = ("before", "chunk", "marks", "pieces")

    def __init__(self, chunk: dict[str, Any], marks: dict[str, Any]) -> None:
        self.chunk = chunk
        self.marks = marks
        self.pieces: list[str] = []
        self.before = b'data: {"type":"tool-input-delta","toolCallId":%b,"inputTextDelta":' % to_json(
            chunk["toolCallId"]
        )


class AiSdkEncoder:
    """Encodes one answer for one client."""

    __slots__ = ("_called", "_ended", "_finish", "_label", "_open", "_reply", "_server", "_sources", "_usage")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._open: dict[int, _Text | _Call] = {}  # by the events' index; a block that is left out is not here
        self._called: set[str] = set()
        self._server: str | None = None
        self._sources = 0
        self._finish: Finish | None = None
        self._usage = Usage()
        self._label: UsageLabel | None = None
        self._ended = False

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; an empty list where the dialect has no word for it."""
        rule = self._RULES.get(type(event))
        return [] if rule is None or self._ended else rule(self, event)

    def verbatim(self, received: Received) -> list[bytes]:
        """Return ``received`` as it came, on one line and without an event name."""
        raw = received.raw
        data = raw if isinstance(raw, bytes) else raw.data
        for event in received.events:
            if isinstance(event, UsageReport):
                self._usage_report(event)
            self._ended = self._ended or isinstance(event, MessageEnd | Error)
        # A line end in JSON stands between its tokens, where a space says the same.
        return [b"data: %b\n\n" % data.replace(b"\n", b" ")]

    # ---- rules, one for each event ----------------------------------------------------------------------------

    def _start(self, event: MessageStart) -> list[bytes]:
        reply = self._reply
        metadata = {"model": event.model or reply.model}
        return [
            _chunk("start", messageId=reply.echo.get("message") or reply.id, messageMetadata=metadata),
            _chunk("start-step"),
        ]

    def _block_start(self, event: BlockStart) -> list[bytes]:
        kind = event.kind
        if event.choice:
            return []
        if kind in _PARTS:
            part = self._open[event.index] = _Text(_PARTS[kind], str(event.index))
            return [_chunk(f"{part.part}-start", id=part.name)]
        if kind in {"tool_call", "server_tool_call"}:
            return self._call_start(event)
        if kind == "server_tool_result":
            return self._result(event)
        if kind == "redacted_thinking":
            part = self._open[event.index] = _Text("reasoning", str(event.index))
            marks = _marks(redacted=event.data, dialect=event.dialect)
            return [_chunk("reasoning-start", id=part.name, **marks)]
        file = write_file(event.data, event.dialect) if kind == "media" else None
        return [] if file is None else [data_event(file)]

    def _call_start(self, event: BlockStart) -> list[bytes]:
        call: dict[str, Any] = {
            # Clients answer a call by its id, so one whose provider gave none gets one.
            "toolCallId": event.id or f"call_{self._reply.id}_{event.index}",
            "toolName": event.name or "",
        }
        if event.kind == "server_tool_call":
            call["providerExecuted"] = True
            self._server = call["toolCallId"]
        self._called.add(call["toolCallId"])
        marks = {} if event.data is None else {"data": event.data, "dialect": event.dialect}
        self._open[event.index] = _Call(call, marks)
        return [_chunk("tool-input-start", **call, **_marks(**marks))]

    def _result(self, event: BlockStart) -> list[bytes]:
        if event.dialect == NAME:
            return [data_event(event.data)]
        # A result without an id belongs to the call before it (Gemini). One without a call would end the client's chat.
        call = event.id or self._server
        if call not in self._called:
            return []
        marks = _marks(dialect=event.dialect)
        return [_chunk("tool-output-available", toolCallId=call, output=event.data, providerExecuted=True, **marks)]

    def _text(self, event: TextDelta | ThinkingDelta) -> list[bytes]:
        part = self._open.get(event.index)
        if part is None or not event.text:
            return []
        return [b"%b%b}\n\n" % (part.before, to_json(event.text))]

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        call = self._open.get(event.index)
        if not isinstance(call, _Call) or not event.json:
            return []
        call.pieces.append(event.json)
        return [b"%b%b}\n\n" % (call.before, to_json(event.json))]

    def _signature(self, event: SignatureDelta) -> list[bytes]:
        part = self._open.get(event.index)
        if part is not None:
            part.marks["signature"] = event.signature
        return []

    def _citation(self, event: CitationDelta) -> list[bytes]:
        if event.index not in self._open:
            return []
        self._sources += 1
        return [data_event(write_source(event.citation, f"{self._reply.id}-{self._sources}"))]

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        part = self._open.pop(event.index, None)
        if part is None:
            return []
        if isinstance(part, _Text):
            return [_chunk(f"{part.part}-end", id=part.name, **_marks(**part.marks))]
        text = "".join(part.pieces)
        value = as_written(text or "{}")
        if value is None:
            failed = {**part.chunk, "input": text, "errorText": BROKEN_INPUT}
            return [_chunk("tool-input-error", **failed, **_marks(**part.marks))]
        return [_chunk("tool-input-available", **part.chunk, input=value, **_marks(**part.marks))]

    def _usage_report(self, event: UsageReport) -> list[bytes]:
        self._usage, self._label = self._usage.merged(event.usage), event.label
        return []

    def _hold_finish(self, event: Finish) -> list[bytes]:
        if not event.choice:
            self._finish = event
        return []

    def _end(self, _event: MessageEnd) -> list[bytes]:
        self._ended = True
        finish = self._finish or Finish("other")
        metadata = {**self._figures(), **write_finish(finish)}
        return [
            _chunk("finish-step"),
            _chunk("finish", finishReason=STOP_WORDS[finish.reason], messageMetadata=metadata),
            DONE,
        ]

    def _error(self, event: Error) -> list[bytes]:
        self._ended = True
        figures = self._figures()
        frames = [_chunk("message-metadata", messageMetadata=figures)] if figures else []
        frames.append(_chunk(ENDING_PART, data=error_body(event), transient=True))
        if event.ending == "cancelled":
            return [*frames, _chunk("abort", reason=event.message), _chunk("finish", finishReason=INTERRUPTED)]
        return [*frames, _chunk("error", errorText=event.message)]

    def _opaque(self, event: Opaque) -> list[bytes]:
        return [data_event(event.data)] if event.dialect == NAME else []

    def _figures(self) -> dict[str, Any]:
        return {} if self._label is None else write_usage(self._usage, self._label)

    _RULES: ClassVar[dict[type[Event], Callable[[AiSdkEncoder, Any], list[bytes]]]] = {
        MessageStart: _start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _text,
        ToolInputDelta: _tool_input,
        SignatureDelta: _signature,
        CitationDelta: _citation,
        BlockStop: _block_stop,
        UsageReport: _usage_report,
        Finish: _hold_finish,
        MessageEnd: _end,
        Error: _error,
        Opaque: _opaque,
    }


def _chunk(kind: str, **fields: Any) -> bytes:
    return data_event({"type": kind, **fields})


def _marks(**marks: Any) -> dict[str, Any]:
    """Return the field that carries ``marks``, none of which is None; empty where there are none."""
    known = {name: value for name, value in marks.items() if value is not None}
    return {"providerMetadata": {MARKS: known}} if known else {}
