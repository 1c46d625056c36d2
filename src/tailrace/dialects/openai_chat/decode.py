"""A streamed chat completion to events.

The answer is complete when ``[DONE]`` is the *whole* data of an event (a model may well write it), or at the end of
input after every choice has given its finish reason, where the server is known to leave the marker out
(`Quirks.eof_ends`). How chunks become blocks is in ``choice.py``.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.openai_chat.choice import ChoiceState
from tailrace.dialects.openai_chat.chunks import JSON_ERRORS, Choice, Chunk, decode_any, decode_chunk
from tailrace.dialects.openai_chat.failures import stream_error
from tailrace.dialects.openai_chat.names import NAME
from tailrace.dialects.openai_chat.surrogates import Mender
from tailrace.dialects.openai_chat.usage import read_usage
from tailrace.errors import RemoteProtocolError
from tailrace.events import Event, Finish, MessageEnd, MessageStart, Opaque, Ping
from tailrace.sse import Decoder, ServerSentEvent

MAX_CHOICES = 128
"""Most choices of one answer: the largest ``n`` that OpenAI takes."""

_DONE = b"[DONE]"
_SHORT = 16
"""Fewer bytes than any chunk has: data this short is looked at by hand."""

_PLAIN_FIELDS = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "obfuscation"}
)
"""Fields of a chunk that say nothing by themselves."""


class ChatDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_choices", "_failure", "_indexes", "_mender", "_quirks", "_sse", "_started", "ended")

    ended: bool

    def __init__(self, quirks: Quirks) -> None:
        self.ended = False
        self._quirks = quirks
        self._sse = Decoder()
        self._mender = Mender()
        self._choices: dict[int, ChoiceState] = {}
        self._indexes = count()
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
        """Say that the input has ended; with `Quirks.eof_ends` that completes an answer with all its reasons."""
        if self.ended:
            return []
        if self._failure is not None:
            raise self._failure
        self._sse.close()
        states = self._choices.values()
        if not self._quirks.eof_ends or not states or not all(state.complete for state in states):
            return []
        self.ended = True
        return [Received(ServerSentEvent(_DONE), (MessageEnd(),))]

    def _read(self, event: ServerSentEvent) -> list[Event]:
        data = event.data
        if len(data) < _SHORT:
            short = data.strip()
            if short == _DONE:
                return self._done()
            if not short or short == b"{}":
                return [Ping()]
        try:
            chunk = decode_chunk(data)
        except JSON_ERRORS as error:
            data = self._mended(data, error)
            chunk = decode_chunk(data)
        out: list[Event] = []
        choices = chunk.choices
        if choices is None:
            self._foreign(event, data, chunk, out)
            return out
        for choice in choices:
            self._choice(choice, chunk, out)
        if chunk.usage is not None or chunk.x_groq is not None or chunk.tailrace is not None:
            self._usage(chunk, out)
        if chunk.error:
            self._error(data, out)
        elif not choices and not out:
            self._nothing(data, out)
        return out

    def _mended(self, data: bytes, error: Exception) -> bytes:
        mended = self._mender.mend(data)
        try:
            if mended is not None:
                decode_chunk(mended)
                return mended
        except JSON_ERRORS:
            pass
        raise RemoteProtocolError(f"not a chat completion chunk: {error}") from error

    def _value(self, data: bytes) -> Any:
        """Return all of an object whose known fields have been read; the others may yet be broken."""
        try:
            return decode_any(data)
        except JSON_ERRORS as error:
            raise RemoteProtocolError(f"not JSON: {error}") from error

    def _choice(self, choice: Choice, chunk: Chunk, out: list[Event]) -> None:
        if not self._started:
            # Not before the first choice: Azure opens with a chunk that has none, and no id either.
            self._started = True
            out.append(MessageStart(chunk.id or "", chunk.model or ""))
        number = choice.index or 0
        state = self._choices.get(number)
        if state is None:
            if not 0 <= number < MAX_CHOICES:
                raise RemoteProtocolError(f"choice {number}, of at most {MAX_CHOICES}")
            state = self._choices[number] = ChoiceState(number, self._indexes)
        delta = choice.delta or choice.message
        if delta is not None:
            state.grow(delta, out)
        if choice.logprobs:
            state.note_logprobs(choice.logprobs, out)
        if choice.finish_reason:
            state.end(choice, out)

    def _usage(self, chunk: Chunk, out: list[Event]) -> None:
        wire = chunk.usage
        if wire is None and chunk.x_groq is not None:
            wire = chunk.x_groq.usage
        report = read_usage(wire, chunk.tailrace)
        if report is not None:
            out.append(report)

    def _error(self, data: bytes, out: list[Event]) -> None:
        out.append(stream_error(self._value(data)))
        self.ended = True

    def _foreign(self, event: ServerSentEvent, data: bytes, chunk: Chunk, out: list[Event]) -> None:
        """Take an object that is no chunk: an error in one of its forms, usage alone, or something unknown."""
        value = self._value(data)
        name = value.get("object")
        if chunk.error or event.type == "error" or name == "error":
            self._error(data, out)
            return
        self._usage(chunk, out)
        if not out:
            out.append(Opaque(NAME, value, name if isinstance(name, str) else None))

    def _nothing(self, data: bytes, out: list[Event]) -> None:
        """Take a chunk without choices or usage: a sign of life, or news in fields of the provider's own (Azure)."""
        value = self._value(data)
        known = _PLAIN_FIELDS.issuperset(name for name, field in value.items() if field is not None)
        out.append(Ping() if known else Opaque(NAME, value))

    def _done(self) -> list[Event]:
        """Complete the answer. A choice without a reason has none that this vocabulary could name."""
        if not self._started:
            raise RemoteProtocolError("[DONE] before any choice")
        out: list[Event] = []
        for state in self._choices.values():
            state.close(out)
            if state.finish is None:
                out.append(Finish("other", choice=state.number))
        out.append(MessageEnd())
        self.ended = True
        return out
