"""Events → AG-UI 1.0.

One run is one answer, and one answer is one assistant message, whose id all its texts and calls name: that is how the
client's history keeps the calls beside the text, as providers demand it. Only behind a result of the provider's own
tool a new message begins. Reasoning is a message of its own. A text stays open until something else begins, so that an
answer in many blocks (each citation begins one) does not open and close the same message again and again.

Fields that say nothing are left out: the client refuses null. What the protocol has no field for stands under
``metadata.tailrace``; citations are ``CUSTOM`` events, and what another dialect alone can write is a ``RAW`` one.

An answer that does not end well closes what is open, but never a tool call: closed, it is whole. A stopped one ends
as the protocol's own ``cancelled``, everything else as ``RUN_ERROR``, and so does a stop in the middle of a call, as a
run may only finish without one. A call whose arguments are not whole gets a result at once, which says so: front ends
run the calls that have none.

Left out: further choices, log-probabilities and pings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.ag_ui.frames import (
    OpenCall,
    OpenText,
    close_thought,
    encrypted,
    fill,
    marked,
    raw,
    tool_result,
    write,
)
from tailrace.dialects.ag_ui.names import BROKEN_INPUT, CANCELLED, CITATION, NAME, PROTOCOL, REDACTED
from tailrace.dialects.ag_ui.usage import write_usage
from tailrace.dialects.base import Received, Reply
from tailrace.dialects.flat_errors import error_body
from tailrace.dialects.wire_json import as_written, data_event, to_json
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


class AgUiEncoder:
    """Encodes one answer for one client."""

    __slots__ = (
        "_calls", "_ended", "_finish", "_label", "_message", "_messages", "_model", "_pending", "_reply", "_run",
        "_server", "_started", "_text", "_texts", "_thoughts", "_usage", "_verbatim",
    )  # fmt: skip

    def __init__(self, reply: Reply) -> None:
        echo = reply.echo
        self._reply = reply
        self._run = {"threadId": echo.get("thread") or reply.id, "runId": echo.get("run") or reply.id}
        self._model = reply.model
        self._messages = 1
        self._message = reply.id
        self._text: str | None = None  # the message whose text is open on the wire
        self._texts: dict[int, OpenText] = {}
        self._thoughts: dict[int, OpenText] = {}
        self._calls: dict[int, OpenCall] = {}
        self._pending: list[str] = []
        self._finish: Finish | None = None
        self._usage = Usage()
        self._label: UsageLabel | None = None
        self._server: str | None = None
        self._started = False
        self._verbatim = False
        self._ended = False

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; an empty list where the dialect has no word for it."""
        rule = self._RULES.get(type(event))
        return [] if rule is None or self._ended else rule(self, event)

    def verbatim(self, received: Received) -> list[bytes]:
        """Return ``received`` as it came, on one line and without an event name."""
        came = received.raw
        data = came if isinstance(came, bytes) else came.data
        self._started = self._verbatim = True
        self._ended = self._ended or any(isinstance(event, MessageEnd | Error) for event in received.events)
        # A line end in JSON stands between its tokens, where a space says the same.
        return [b"data: %b\n\n" % data.replace(b"\n", b" ")]

    # ---- the run ----------------------------------------------------------------------------------------------

    def _start(self, event: MessageStart) -> list[bytes]:
        self._model = event.model or self._reply.model
        return self._begin(event.id)

    def _begin(self, name: str = "") -> list[bytes]:
        """Say that the run begins, which must be the first that is said; what a provider says earlier brings it on."""
        if self._started:
            return []
        self._started = True
        parent = self._reply.echo.get("parent")
        run = self._run if parent is None else {**self._run, "parentRunId": parent}
        return [write("RUN_STARTED", **run, protocolVersion=PROTOCOL, **marked(id=name or None, model=self._model))]

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
        outcome: dict[str, Any] = {"type": "success"}
        if self._pending:
            outcome["pendingToolCallIds"] = self._pending
        marks = marked(
            stop_reason=finish.reason, stop_sequence=finish.sequence, native=finish.native, usage_label=self._label
        )
        finished = write("RUN_FINISHED", **self._run, outcome=outcome, **write_usage(self._usage, self._model), **marks)
        return [*self._close_text(), finished]

    def _error(self, event: Error) -> list[bytes]:
        self._ended = True
        closed = self._close_text()
        for thought in self._thoughts.values():
            closed += close_thought(thought.message)
        marks = marked(**error_body(event), usage_label=self._label)
        rest = {**write_usage(self._usage, self._model), **marks}
        # A run may only finish with everything closed, of which nothing is known where another's bytes were passed on.
        if event.ending == "cancelled" and self._started and not self._calls and not self._verbatim:
            return [*closed, write("RUN_FINISHED", **self._run, outcome={"type": CANCELLED}, **rest)]
        code = CANCELLED if event.ending == "cancelled" else event.code or event.kind
        return [*closed, write("RUN_ERROR", message=event.message, code=code, **rest)]

    # ---- blocks -----------------------------------------------------------------------------------------------

    def _block_start(self, event: BlockStart) -> list[bytes]:
        if event.choice:
            return []
        if event.kind in {"text", "refusal"}:
            # It opens on the wire with its first piece: other blocks may begin, and close it, before that comes.
            self._texts[event.index] = OpenText(b"TEXT_MESSAGE", self._message)
            return []
        opened = {
            "thinking": self._thought,
            "redacted_thinking": self._redacted,
            "tool_call": self._call_start,
            "server_tool_call": self._call_start,
            "server_tool_result": self._result,
        }.get(event.kind)
        return self._raw(event) if opened is None else [*self._close_text(), *opened(event)]

    def _open_text(self, message: str) -> list[bytes]:
        closed = self._close_text()
        self._text = message
        return [*closed, write("TEXT_MESSAGE_START", messageId=message, role="assistant")]

    def _close_text(self) -> list[bytes]:
        if self._text is None:
            return []
        message, self._text = self._text, None
        return [write("TEXT_MESSAGE_END", messageId=message)]

    def _thought(self, event: BlockStart, **marks: Any) -> list[bytes]:
        message = f"{self._reply.id}-{event.index}"
        self._thoughts[event.index] = OpenText(b"REASONING_MESSAGE", message)
        return [
            write("REASONING_START", messageId=message, **marked(**marks)),
            write("REASONING_MESSAGE_START", messageId=message, role="reasoning"),
        ]

    def _redacted(self, event: BlockStart) -> list[bytes]:
        value = to_json({REDACTED: event.data}).decode()
        opened = self._thought(event, redacted=event.data, dialect=event.dialect)
        return [*opened, encrypted("message", self._thoughts[event.index].message, value)]

    def _call_start(self, event: BlockStart) -> list[bytes]:
        server = event.kind == "server_tool_call"
        # Clients answer a call by its id, so one whose provider gave none gets one.
        call = self._calls[event.index] = OpenCall(event.id or f"call_{self._reply.id}_{event.index}", server=server)
        dialect = None if event.data is None else event.dialect
        self._server = call.name if server else self._server
        marks = marked(server=server or None, data=event.data, dialect=dialect)
        named = {"toolCallId": call.name, "toolCallName": event.name or "", "parentMessageId": self._message}
        return [write("TOOL_CALL_START", **named, **marks)]

    def _result(self, event: BlockStart) -> list[bytes]:
        marks = marked(server=True, data=event.data, dialect=event.dialect)
        # A result without an id belongs to the call before it (Gemini).
        call = event.id or self._server
        if call is None:
            return self._raw(event)
        # What the model says next comes after the result, in the history too.
        self._messages += 1
        self._message = f"{self._reply.id}-m{self._messages}"
        if event.dialect == NAME:
            return [data_event(event.data)]
        return [tool_result(f"{self._reply.id}-{event.index}", call, to_json(event.data).decode(), marks)]

    def _raw(self, event: BlockStart) -> list[bytes]:
        return [] if event.data is None else [raw(event.data, event.dialect)]

    def _text_delta(self, event: TextDelta) -> list[bytes]:
        text = self._texts.get(event.index)
        if text is None or not event.text:
            return []
        content = fill(text, event.text)
        return [content] if self._text == text.message else [*self._open_text(text.message), content]

    def _thinking_delta(self, event: ThinkingDelta) -> list[bytes]:
        thought = self._thoughts.get(event.index)
        return [fill(thought, event.text)] if thought is not None and event.text else []

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        call = self._calls.get(event.index)
        if call is None or not event.json:
            return []
        call.pieces.append(event.json)
        return [fill(call, event.json)]

    def _signature(self, event: SignatureDelta) -> list[bytes]:
        index = event.index
        if index in self._calls:
            return [encrypted("tool-call", self._calls[index].name, event.signature)]
        piece = self._thoughts.get(index) or self._texts.get(index)
        return [] if piece is None else [encrypted("message", piece.message, event.signature)]

    def _citation(self, event: CitationDelta) -> list[bytes]:
        text = self._texts.get(event.index)
        if text is None:
            return []
        return [write("CUSTOM", name=CITATION, value={"messageId": text.message, "citation": event.citation})]

    def _block_delta(self, event: BlockDelta) -> list[bytes]:
        return [raw(event.data, event.dialect)]

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        index = event.index
        if index in self._calls:
            return self._call_stop(self._calls.pop(index), index)
        self._texts.pop(index, None)
        thought = self._thoughts.pop(index, None)
        return [] if thought is None else close_thought(thought.message)

    def _call_stop(self, call: OpenCall, index: int) -> list[bytes]:
        text = "".join(call.pieces)
        # Clients parse what they have, and "" is not JSON.
        frames = [] if text else [fill(call, "{}")]
        frames.append(write("TOOL_CALL_END", toolCallId=call.name))
        if as_written(text or "{}") is None:
            return [*frames, tool_result(f"{self._reply.id}-{index}", call.name, BROKEN_INPUT, marked(error=True))]
        if not call.server:
            self._pending.append(call.name)
        return frames

    def _opaque(self, event: Opaque) -> list[bytes]:
        if event.dialect != NAME:
            return [*self._begin(), raw(event.data, event.dialect)]
        # How an interrupted run finished stands beside its answer: a run finishes once, and that is written at the end.
        if event.name == "RUN_FINISHED":
            return []
        self._verbatim = True
        return [*self._begin(), data_event(event.data)]

    _RULES: ClassVar[dict[type[Event], Callable[[AgUiEncoder, Any], list[bytes]]]] = {
        MessageStart: _start,
        BlockStart: _block_start,
        TextDelta: _text_delta,
        ThinkingDelta: _thinking_delta,
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
