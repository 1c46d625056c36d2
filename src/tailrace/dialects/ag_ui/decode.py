"""AG-UI's events to the vocabulary's: a client's view of a relay's ``/ag-ui``, or of any agent that speaks it.

The answer is complete at ``RUN_FINISHED``; one that is ``cancelled``, and ``RUN_ERROR``, end it badly. A run that waits
for something outside (``interrupt``) has paused. State, steps, activities and subagents' lives are passed on as they
are: no part of an answer. How messages and calls become blocks is in ``blocks.py``.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects.ag_ui.blocks import Blocks, marks_of
from tailrace.dialects.ag_ui.names import CANCELLED, NAME, RETRYABLE
from tailrace.dialects.ag_ui.usage import read_usage
from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.flat_errors import KINDS, error_from
from tailrace.dialects.wire_json import JSON_ERRORS, decode_any
from tailrace.errors import RemoteProtocolError
from tailrace.events import Error, Event, Finish, MessageEnd, MessageStart, Opaque, StopReason
from tailrace.sse import Decoder, ServerSentEvent

_Wire = dict[str, Any]

_REASONS: dict[str, StopReason] = {
    reason: reason
    for reason in ("end_turn", "stop_sequence", "max_tokens", "tool_use", "refusal", "pause", "context_window", "other")
}


class AgUiDecoder:
    """Decodes one run.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_blocks", "_failure", "_sse", "_started", "ended")

    ended: bool

    def __init__(self, _quirks: Quirks) -> None:
        self.ended = False
        self._sse = Decoder()
        self._blocks = Blocks()
        self._started = False
        self._failure: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""
        return [] if self.ended else self._feed(data)

    def _feed(self, data: bytes) -> list[Received]:
        if self._failure is not None:
            raise self._failure
        received: list[Received] = []
        for event in self._sse.feed(data):
            try:
                received.append(Received(event, tuple(self._read(event))))
            except RemoteProtocolError as error:
                self._failure = error
                if not received:
                    raise
                break
            if self.ended:
                break
        return received

    def close(self) -> list[Received]:
        """Say that the input has ended; it completes nothing."""
        if not self.ended:
            if self._failure is not None:
                raise self._failure
            self._sse.close()
        return []

    def _read(self, event: ServerSentEvent) -> list[Event]:
        try:
            value = decode_any(event.data)
        except JSON_ERRORS as error:
            raise RemoteProtocolError(f"not an AG-UI event: {error}") from error
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            raise RemoteProtocolError("an AG-UI event is not an object with a type")
        if kind == "RUN_ERROR":
            return self._failed(value)
        if kind == "RUN_STARTED":
            return self._start(value)
        if not self._started:
            raise RemoteProtocolError(f"{kind} before RUN_STARTED")
        if kind in Blocks.RULES:
            return self._blocks.read(value)
        out = self._blocks.end_chunk()
        if kind == "RUN_FINISHED":
            return [*out, *self._finished(value)]
        if kind == "RAW" and isinstance(source := value.get("source"), str) and "event" in value:
            return [*out, Opaque(source, value["event"])]
        return [*out, Opaque(NAME, value, kind)]

    def _start(self, event: _Wire) -> list[Event]:
        if self._started:
            raise RemoteProtocolError("RUN_STARTED in a run")
        self._started = True
        name, model = marks_of(event).get("id"), marks_of(event).get("model")
        return [MessageStart(name if isinstance(name, str) else "", model if isinstance(model, str) else "")]

    def _finished(self, event: _Wire) -> list[Event]:
        outcome = event.get("outcome")
        given = outcome if isinstance(outcome, dict) else {}
        marks = marks_of(event)
        report = read_usage(event, marks)
        out: list[Event] = [] if report is None else [report]
        if given.get("type") == CANCELLED:
            self.ended = True
            return [*out, _told(marks, Error("cancelled", "the run was cancelled", "cancelled"))]
        self._blocks.close()
        self.ended = True
        if given.get("type") == "interrupt":
            return [*out, Opaque(NAME, event, event["type"]), Finish("pause", native="interrupt"), MessageEnd()]
        reason = _REASONS.get(
            str(marks.get("stop_reason")), "tool_use" if given.get("pendingToolCallIds") else "end_turn"
        )
        sequence, native = marks.get("stop_sequence"), marks.get("native")
        finish = Finish(
            reason,
            sequence if isinstance(sequence, str) else None,
            native=native if isinstance(native, str) else None,
        )
        return [*out, finish, MessageEnd()]

    def _failed(self, event: _Wire) -> list[Event]:
        self.ended = True
        message, code = event.get("message"), event.get("code")
        said = message if isinstance(message, str) and message else "the run failed"
        word = code if isinstance(code, str) else None
        if word in {CANCELLED, "abort"}:  # the client's own word for a run that it has aborted
            error = Error("cancelled", said, "cancelled")
        else:
            kind = KINDS.get(word or "", "upstream")
            error = Error(kind, said, retryable=kind in RETRYABLE, code=word)
        marks = marks_of(event)
        report = read_usage(event, marks) if self._started else None
        return [*([] if report is None else [report]), _told(marks, error)]


def _told(marks: _Wire, error: Error) -> Error:
    """Return the error that a relay noted in ``marks``, else ``error``."""
    return error_from(marks, error.message) if "ending" in marks else error
