"""The plain feed to events: a client's view of a relay's ``/stream``.

An event's data is a JSON string, a piece of text; ``[DONE]`` alone ends the answer; an event named ``error`` has an
error object. Nothing else is said: no id, no model, and why the model stopped only as ``other``.
"""

from __future__ import annotations

import msgspec

from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.flat_errors import error_from
from tailrace.dialects.wire_json import decode_any
from tailrace.errors import RemoteProtocolError
from tailrace.events import BlockStart, BlockStop, Event, Finish, MessageEnd, MessageStart, TextDelta
from tailrace.sse import Decoder, ServerSentEvent

_decode_text = msgspec.json.Decoder(str).decode


class PlainDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_failure", "_sse", "_started", "ended")

    ended: bool

    def __init__(self, _quirks: Quirks) -> None:
        self.ended = False
        self._sse = Decoder()
        self._started = False
        self._failure: str | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""
        return [] if self.ended else self._feed(data)

    def _feed(self, data: bytes) -> list[Received]:
        self._raise_failure()
        received: list[Received] = []
        for event in self._sse.feed(data):
            try:
                received.append(Received(event, tuple(self._read(event))))
            except RemoteProtocolError as error:
                self._failure = str(error)
                if not received:
                    raise
                break
            if self.ended:
                break
        return received

    def close(self) -> list[Received]:
        """Say that the input has ended; it completes nothing."""
        if not self.ended:
            self._raise_failure()
            self._sse.close()
        return []

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RemoteProtocolError(self._failure)

    def _read(self, event: ServerSentEvent) -> list[Event]:
        if event.type == "error":
            self.ended = True
            return [error_from(_any(event.data), "the relay reported an error")]
        started: list[Event] = [] if self._started else [MessageStart("", ""), BlockStart(0, "text")]
        if event.data == b"[DONE]":
            self.ended = True
            return [*started, BlockStop(0), Finish("other"), MessageEnd()]
        try:
            text = _decode_text(event.data)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise RemoteProtocolError(f"not a piece of text: {error}") from error
        self._started = True
        return [*started, TextDelta(0, text)] if text else started


def _any(data: bytes) -> object:
    try:
        value: object = decode_any(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return value
