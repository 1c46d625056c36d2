"""The AI SDK's UI message stream to events: a client's view of a relay's ``/ui/chat``, or of any server of the SDK's.

The answer is complete when ``[DONE]`` is the whole data of an event. ``error`` and ``abort`` end it badly, and so does
a ``finish`` whose reason is ``error`` or ``interrupted``. How chunks become blocks is in ``blocks.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.ai_sdk.blocks import Blocks
from tailrace.dialects.ai_sdk.metadata import KEPT, read_finish, read_usage
from tailrace.dialects.ai_sdk.names import ENDING_PART, INTERRUPTED, NAME, STOP_REASONS
from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.flat_errors import error_from
from tailrace.dialects.wire_json import JSON_ERRORS, decode_any
from tailrace.errors import RemoteProtocolError
from tailrace.events import BlockStart, Error, Event, Finish, MessageEnd, MessageStart, Opaque
from tailrace.sse import Decoder, ServerSentEvent

_DONE = b"[DONE]"

_Chunk = dict[str, Any]

_CUT_SHORT: dict[str, Error] = {
    "error": Error("upstream", "the answer ended in an error", retryable=True),
    INTERRUPTED: Error("truncated", "the answer was cut short", "truncated", retryable=True),
}
"""``finishReason`` of an answer that did not end well → the error, where nothing told of another."""


class AiSdkDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_blocks", "_failure", "_finish", "_metadata", "_sse", "_started", "_told", "ended")

    ended: bool

    def __init__(self, _quirks: Quirks) -> None:
        self.ended = False
        self._sse = Decoder()
        self._blocks = Blocks()
        self._failure: RemoteProtocolError | None = None
        self._started = False
        self._metadata: _Chunk = {}
        self._finish: str | None = None
        self._told: Any = None

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
        if event.data == _DONE:
            return self._done()
        try:
            chunk = decode_any(event.data)
        except JSON_ERRORS as error:
            raise RemoteProtocolError(f"not a UI message chunk: {error}") from error
        kind = chunk.get("type") if isinstance(chunk, dict) else None
        if not isinstance(kind, str):
            raise RemoteProtocolError("a UI message chunk is not an object with a type")
        if kind in Blocks.RULES:
            events = self._blocks.read(chunk)
            return [*self._begun(), *events] if events and isinstance(events[0], BlockStart) else events
        rule = self._RULES.get(kind)
        if rule is not None:
            return rule(self, chunk)
        if kind == ENDING_PART:
            self._told = chunk.get("data")
            return []
        return [Opaque(NAME, chunk, kind)]

    def _start(self, chunk: _Chunk) -> list[Event]:
        said = self._merge(chunk)
        name, model = chunk.get("messageId"), self._metadata.get("model")
        return [*self._begun(name if isinstance(name, str) else "", model if isinstance(model, str) else ""), *said]

    def _begun(self, name: str = "", model: str = "") -> list[Event]:
        """Return the start of the message, once: servers may leave it out, or say it again with each step."""
        if self._started:
            return []
        self._started = True
        return [MessageStart(name, model)]

    def _step(self, _chunk: _Chunk) -> list[Event]:
        return []

    def _reset(self, _chunk: _Chunk) -> list[Event]:
        raise RemoteProtocolError("reset-step: what has been passed on cannot be taken back")

    def _merge(self, chunk: _Chunk) -> list[Event]:
        said = chunk.get("messageMetadata")
        if not isinstance(said, dict):
            return []
        self._metadata.update((name, said[name]) for name in KEPT if name in said)
        report = read_usage(said)
        return [] if report is None else [report]

    def _finished(self, chunk: _Chunk) -> list[Event]:
        out = [*self._begun(), *self._merge(chunk)]
        word = chunk.get("finishReason")
        self._finish = word if isinstance(word, str) else "other"
        if self._finish not in _CUT_SHORT:
            return out
        self.ended = True
        return [*out, self._told_or(_CUT_SHORT[self._finish])]

    def _done(self) -> list[Event]:
        closed = self._blocks.close()
        self.ended = True
        word = self._finish or "other"
        finish = read_finish(word, STOP_REASONS.get(word, "other"), self._metadata)
        return [*self._begun(), *closed, finish if self._finish else Finish("other"), MessageEnd()]

    def _error(self, chunk: _Chunk) -> list[Event]:
        self.ended = True
        text = chunk.get("errorText")
        said = text if isinstance(text, str) and text else "the server reported an error"
        return [self._told_or(Error("upstream", said, retryable=True))]

    def _abort(self, chunk: _Chunk) -> list[Event]:
        self.ended = True
        reason = chunk.get("reason")
        said = reason if isinstance(reason, str) and reason else "the answer was stopped"
        return [self._told_or(Error("cancelled", said, "cancelled"))]

    def _told_or(self, error: Error) -> Error:
        """Return the error that the ending's own part told of, else ``error``."""
        return error_from(self._told, error.message) if isinstance(self._told, dict) else error

    _RULES: ClassVar[dict[str, Callable[[AiSdkDecoder, _Chunk], list[Event]]]] = {
        "start": _start,
        "start-step": _step,
        "finish-step": _step,
        "reset-step": _reset,
        "message-metadata": _merge,
        "finish": _finished,
        "error": _error,
        "abort": _abort,
    }
