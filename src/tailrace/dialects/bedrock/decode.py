"""Frames of an event stream to events: which kind of frame it is, and who reads it."""

from __future__ import annotations

from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.bedrock.converse import Converse
from tailrace.dialects.bedrock.failures import frame_error
from tailrace.dialects.bedrock.frames import Frame, Frames
from tailrace.dialects.bedrock.vendor import Vendor
from tailrace.dialects.bedrock.wire import JSON_ERRORS, MetadataWire, decode_metadata, read_usage
from tailrace.errors import RemoteProtocolError
from tailrace.events import Event


class BedrockDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_converse", "_failure", "_frames", "_vendor", "ended")

    ended: bool

    def __init__(self, _quirks: Quirks) -> None:
        self.ended = False
        self._frames = Frames()
        self._converse = Converse()
        self._vendor = Vendor(self._converse)
        self._failure: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""
        return [] if self.ended else self._feed(data)

    def _feed(self, data: bytes) -> list[Received]:
        self._raise_failure()
        received: list[Received] = []
        try:
            for frame in self._frames.feed(data):
                received.append(Received(frame.raw, self._read(frame)))
                if self.ended:
                    break
        except RemoteProtocolError as error:
            self._failure = error
            if not received:
                raise
        return received

    def close(self) -> list[Received]:
        """Say that the input has ended. After ``messageStop`` that completes the answer, at an unknown cost."""
        if self.ended:
            return []
        self._raise_failure()
        events = self._vendor.close() or self._converse.close()
        self.ended = self._vendor.ended or self._converse.order.state == "ended"
        return [Received(b"", events)] if events else []

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _read(self, frame: Frame) -> tuple[Event, ...]:
        match frame.headers.get(":message-type"):
            case "event":
                name = frame.headers.get(":event-type", "")
                events = self._vendor.read(frame.payload) if name == "chunk" else self._event(name, frame)
                self.ended = self._vendor.ended or self._converse.order.state == "ended"
                return events
            case "exception" | "error":
                self.ended = True
                return (*_usage(frame), frame_error(frame))
            case other:
                raise RemoteProtocolError(f"an event stream frame of message type {other!r}")

    def _event(self, name: str, frame: Frame) -> tuple[Event, ...]:
        if not name:
            raise RemoteProtocolError("an event stream frame without an event type")
        return self._converse.read(name, frame.payload)


def _usage(frame: Frame) -> tuple[Event, ...]:
    """Return what a relay's exception says of tokens; the service's own say nothing."""
    try:
        wire = decode_metadata(frame.payload)
    except JSON_ERRORS:
        wire = MetadataWire()
    report = read_usage(wire.usage, wire.tailrace)
    return () if report is None else (report,)
