"""A streamed GenerateContentResponse to events.

There is no terminal marker: an answer is complete when every candidate has given a finish reason and the input then
ends between two chunks, in the array form after its bracket. How parts become blocks is in ``candidate.py``.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.gemini.candidate import CandidateState, Whole
from tailrace.dialects.gemini.failures import stream_error
from tailrace.dialects.gemini.framing import Framing
from tailrace.dialects.gemini.names import NAME, UNSPECIFIED
from tailrace.dialects.gemini.usage import Totals
from tailrace.dialects.gemini.wire import JSON_ERRORS, Chunk, decode_any, decode_chunk
from tailrace.errors import RemoteProtocolError
from tailrace.events import Error, Event, Finish, MessageEnd, MessageStart, Opaque, Ping
from tailrace.sse import ServerSentEvent

MAX_CANDIDATES = 128
"""Most candidates of one answer: Google gives eight at most."""

_NO_MARKS: dict[str, Any] = {}


class GeminiDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = (
        "_blocked",
        "_calls",
        "_candidates",
        "_failure",
        "_framing",
        "_indexes",
        "_response",
        "_started",
        "_totals",
        "ended",
    )

    ended: bool

    def __init__(self, _quirks: Quirks) -> None:
        self.ended = False
        self._framing = Framing()
        self._candidates: dict[int, CandidateState] = {}
        self._indexes = count()
        self._calls = count()
        self._totals = Totals()
        self._response = ""
        self._started = False
        self._blocked: Finish | None = None
        self._failure: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""
        if self.ended:
            return []
        if self._failure is not None:
            raise self._failure
        received: list[Received] = []
        try:
            for event in self._framing.feed(data):
                events = tuple(self._read(event))
                received.append(Received(event, events))
                if events and isinstance(events[-1], Error):
                    self.ended = True
                    return received
            if self._framing.closed and self._framing.complete:
                received += self._end()
        except RemoteProtocolError as error:
            self._failure = error
            if not received:
                raise
        return received

    def close(self) -> list[Received]:
        """Say that the input has ended, which completes an answer that has its finish reasons."""
        if self.ended:
            return []
        if self._failure is not None:
            raise self._failure
        return self._end() if self._framing.close() else []

    def _end(self) -> list[Received]:
        states = self._candidates.values()
        finished = all(state.complete for state in states) if states else self._blocked is not None
        if not finished:
            return []
        out: list[Event] = []
        for state in states:
            state.close(out)
        out.append(MessageEnd())
        self.ended = True
        # Nothing on the wire says so.
        return [Received(b"", tuple(out))]

    # ---- one chunk ----------------------------------------------------------------------------------------------

    def _read(self, event: ServerSentEvent) -> list[Event]:
        data = event.data
        if not data or data == b"{}":
            return [Ping()]
        try:
            chunk = decode_chunk(data)
            if chunk.error:
                return [stream_error(decode_any(data))]
            return self._chunk(chunk, data)
        except JSON_ERRORS as error:
            if isinstance(error, RemoteProtocolError):
                raise
            raise RemoteProtocolError(f"not a gemini chunk: {error}") from error

    def _chunk(self, chunk: Chunk, data: bytes) -> list[Event]:
        out: list[Event] = []
        marks = chunk.tailrace if isinstance(chunk.tailrace, dict) else _NO_MARKS
        if chunk.usage_metadata is not None or marks:
            report = self._totals.report(chunk.usage_metadata, marks)
            if report is not None:
                # Before the start: an encoder whose own opening must name it then knows it.
                out.append(report)
        if not self._started:
            if not _says_something(chunk):
                return out or [_unknown(data)]
            self._started = True
            self._response = chunk.response_id or ""
            out.append(MessageStart(self._response, chunk.model_version or ""))
        sequence = marks.get("stop_sequence")
        whole = Whole(data)
        for place, candidate in enumerate(chunk.candidates or ()):
            state = self._state(candidate.index or 0)
            state.take(candidate, whole, place, sequence if isinstance(sequence, str) else None, out)
        if isinstance(call := marks.get("cut_call"), dict):
            number = call.get("choice")
            self._state(number if isinstance(number, int) else 0).cut_call(call, out)
        if chunk.prompt_feedback is not None:
            self._feedback(chunk.prompt_feedback, out)
        if not out and not _says_something(chunk):
            out.append(_unknown(data))
        return out

    def _state(self, number: int) -> CandidateState:
        state = self._candidates.get(number)
        if state is None:
            if not 0 <= number < MAX_CANDIDATES:
                raise RemoteProtocolError(f"candidate {number}, of at most {MAX_CANDIDATES}")
            state = self._candidates[number] = CandidateState(number, self._indexes, self._new_id)
        return state

    def _new_id(self) -> str:
        """Return the id of a call that has none: one that no other answer's has, and the same for the same bytes."""
        number = next(self._calls)
        return f"call_{self._response}_{number}" if self._response else f"call_{number}"

    def _feedback(self, feedback: dict[str, Any], out: list[Event]) -> None:
        """Take what was found in the prompt; one that is refused has no candidates."""
        reason = feedback.get("blockReason")
        if not isinstance(reason, str) or not reason or reason in UNSPECIFIED or self._candidates:
            return
        out.append(Opaque(NAME, {"promptFeedback": feedback}, "promptFeedback"))
        finish = Finish("refusal", native=reason)
        if finish != self._blocked:
            self._blocked = finish
            out.append(finish)


def _says_something(chunk: Chunk) -> bool:
    """Whether ``chunk`` is one of an answer, and no object of some other kind."""
    return (
        chunk.candidates is not None
        or chunk.prompt_feedback is not None
        or chunk.usage_metadata is not None
        or bool(chunk.response_id)
        or bool(chunk.model_version)
    )


def _unknown(data: bytes) -> Opaque:
    value = decode_any(data)
    return Opaque(NAME, value, next(iter(value)) if len(value) == 1 else None)
