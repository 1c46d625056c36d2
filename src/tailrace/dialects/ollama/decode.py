"""Lines of JSON to events.

A line says what the message grows by: thinking, text, whole tool calls, images. The wire has no blocks; thinking and
text end when something else begins. The answer is complete at the line that says ``done``, which may be the only one
(an answer in one piece). Empty content says nothing: servers send it beside thinking and calls, relays as a heartbeat.

Answers of ``/api/generate`` are read too: their text stands in ``response``.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.ollama.failures import stream_error
from tailrace.dialects.ollama.lines import Lines
from tailrace.dialects.ollama.names import NAME, STOP_REASONS
from tailrace.dialects.ollama.wire import (
    IMAGES,
    INCOMPLETE,
    JSON_ERRORS,
    CallWire,
    Chunk,
    MessageWire,
    decode_any,
    decode_chunk,
    read_usage,
)
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockKind,
    BlockStart,
    BlockStop,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)

MAX_BLOCKS = 10_000
"""Most blocks of one answer: as many as a message may have (`tailrace.events.Order`)."""


class OllamaDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_block", "_called", "_failure", "_kind", "_lines", "_next", "_started", "ended")

    ended: bool

    def __init__(self, _quirks: Quirks) -> None:
        self.ended = False
        self._lines = Lines()
        self._started = False
        self._kind: BlockKind | None = None  # of the block that grows now
        self._block = -1
        self._next = 0
        self._called = False
        self._failure: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""
        return [] if self.ended else self._feed(data)

    def _feed(self, data: bytes) -> list[Received]:
        self._raise_failure()
        received: list[Received] = []
        try:
            for line in self._lines.feed(data):
                received.append(Received(line, tuple(self._read(line))))
                if self.ended:
                    break
        except RemoteProtocolError as error:
            self._failure = error
            if not received:
                raise
        return received

    def close(self) -> list[Received]:
        """Say that the input has ended. A last line needs no end of its own; what is no whole document is none."""
        if self.ended:
            return []
        self._raise_failure()
        line = self._lines.rest()
        try:
            decode_any(line)
        except JSON_ERRORS:
            return []
        return [Received(line, tuple(self._read(line)))]

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _read(self, line: bytes) -> list[Event]:
        try:
            chunk = decode_chunk(line)
        except JSON_ERRORS as error:
            raise RemoteProtocolError(f"not a line of a chat: {error}") from error
        if chunk.error:
            report = read_usage(chunk)
            failure = stream_error(_value(line))  # this may refuse the line
            self.ended = True
            return [*([] if report is None else [report]), failure]
        message = chunk.message
        if message is None:
            if chunk.response is None and not chunk.done:
                return [Opaque(NAME, _value(line))]
            message = MessageWire(chunk.response, chunk.thinking)
        out: list[Event] = []
        self._grow(message, chunk, out)
        if chunk.done:
            self._end(chunk, out)
        return out or [Ping()]

    def _grow(self, message: MessageWire, chunk: Chunk, out: list[Event]) -> None:
        """Add to ``out`` what a line's message says."""
        if message.thinking:
            self._open("thinking", chunk, out)
            out.append(ThinkingDelta(self._block, message.thinking))
        if message.content:
            if self._kind != "text":
                self._open("text", chunk, out)
            out.append(TextDelta(self._block, message.content))
        for call in message.tool_calls or ():
            self._call(call.id, call.function.name, _arguments(call), chunk, out)
        if message.images:
            self._images(message.images, chunk, out)
        if chunk.tailrace is not None:
            self._marks(chunk.tailrace, chunk, out)

    def _call(self, name: str | None, function: str, arguments: str, chunk: Chunk, out: list[Event]) -> None:
        self._called = True
        index = self._begin(chunk, out)
        out += [
            BlockStart(index, "tool_call", name or None, function),
            ToolInputDelta(index, arguments),
            BlockStop(index),
        ]

    def _images(self, images: list[str], chunk: Chunk, out: list[Event]) -> None:
        start = BlockStart(self._begin(chunk, out), "media", name="image", data=images, dialect=NAME)
        out += [start, BlockStop(start.index)]

    def _marks(self, marks: Any, chunk: Chunk, out: list[Event]) -> None:
        """Take what a relay could not write in the dialect's own words: calls whose arguments broke off, images."""
        said = marks if isinstance(marks, dict) else {}
        calls, images = said.get(INCOMPLETE), said.get(IMAGES)
        if isinstance(images, list) and images and all(isinstance(image, str) for image in images):
            self._images(images, chunk, out)
        for call in calls if isinstance(calls, list) else ():
            name, function, arguments = (_field(call, field) for field in ("id", "name", "arguments"))
            if function is not None and arguments is not None:
                self._call(name, function, arguments, chunk, out)

    # ---- blocks --------------------------------------------------------------------------------------------------

    def _open(self, kind: BlockKind, chunk: Chunk, out: list[Event]) -> None:
        """See that a block of ``kind`` grows."""
        if self._kind != kind:
            self._block = self._begin(chunk, out)
            self._kind = kind
            out.append(BlockStart(self._block, kind))

    def _begin(self, chunk: Chunk, out: list[Event]) -> int:
        """Return the index of a new block, for which the one before has ended and the message has begun."""
        self._close(out)
        self._start(chunk, out)
        if self._next >= MAX_BLOCKS:
            raise RemoteProtocolError(f"more than {MAX_BLOCKS} blocks in one message")
        self._next += 1
        return self._next - 1

    def _close(self, out: list[Event]) -> None:
        if self._kind is not None:
            out.append(BlockStop(self._block))
            self._kind = None

    def _start(self, chunk: Chunk, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(MessageStart("", chunk.model or ""))

    def _end(self, chunk: Chunk, out: list[Event]) -> None:
        self._start(chunk, out)
        self._close(out)
        native = chunk.done_reason or None
        reason: StopReason = STOP_REASONS.get(native or "", "other")
        if reason == "end_turn" and self._called:
            # There is no other word for it: what the model stopped for is the call.
            reason = "tool_use"
        out.append(Finish(reason, native=native))
        report = read_usage(chunk)
        if report is not None:
            out.append(report)
        out.append(MessageEnd())
        self.ended = True


def _arguments(call: CallWire) -> str:
    """Return the text of a call's arguments: of the object that they are, or of the string that some servers send."""
    raw = call.function.arguments
    try:
        value = decode_any(raw)
    except JSON_ERRORS as error:
        raise RemoteProtocolError(f"the arguments of a tool call are not JSON: {error}") from error
    if isinstance(value, dict):
        return bytes(raw).decode()
    if value is None or isinstance(value, str):
        return value or "{}"
    raise RemoteProtocolError("the arguments of a tool call are not an object")


def _field(call: Any, name: str) -> str | None:
    value = call.get(name) if isinstance(call, dict) else None
    return value if isinstance(value, str) else None


def _value(line: bytes) -> dict[str, Any]:
    """Return all of an object whose known fields have been read; the others may yet be broken."""
    try:
        value: dict[str, Any] = decode_any(line)
    except JSON_ERRORS as error:
        raise RemoteProtocolError(f"not JSON: {error}") from error
    return value
