"""Anthropic's stream → events.

Events are told apart by their JSON's ``type``; the ``event`` line is only put right for those who relay it. The
blocks' own indexes become 0, 1, 2 … whatever the provider counts. An answer is complete at ``message_stop`` and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from tailrace.dialects.anthropic.blocks import read_block
from tailrace.dialects.anthropic.failures import stream_error
from tailrace.dialects.anthropic.names import NAME, STOP_REASONS
from tailrace.dialects.anthropic.usage import Totals, WireUsage, read_marks
from tailrace.dialects.anthropic.wire import (
    DELTA_TYPES,
    EVENT_TYPES,
    BlockDeltaWire,
    BlockStartWire,
    BlockStopWire,
    CitationsDeltaWire,
    ErrorWire,
    InputJsonDeltaWire,
    MessageDeltaWire,
    MessageStartWire,
    MessageStopWire,
    PingWire,
    SignatureDeltaWire,
    TextDeltaWire,
    ThinkingDeltaWire,
    decode_any,
    decode_event,
)
from tailrace.dialects.base import Quirks, Received
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockStop,
    CitationDelta,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Order,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UsageReport,
)
from tailrace.sse import Decoder as SseDecoder
from tailrace.sse import ServerSentEvent

_NOT_DECODED = (msgspec.MsgspecError, RecursionError, ValueError)

_DELTA = "content_block_delta"

_UNREADABLE = frozenset({"server_tool_result", "opaque"})
"""Kinds of block whose deltas mean nothing here, even those of a known type: they are carried as they came."""


class AnthropicDecoder:
    """Decodes one answer.

    Good events before a bad one are not lost: a `feed` that has some returns them, and the next call raises.
    """

    __slots__ = ("_fault", "_indexes", "_inputs", "_next", "_order", "_quirks", "_sse", "_totals", "ended")

    def __init__(self, quirks: Quirks) -> None:
        self.ended = False
        self._quirks = quirks
        self._sse = SseDecoder()
        self._order = Order()
        self._indexes: dict[int, int] = {}  # the provider's index of each open block → ours
        self._inputs: dict[int, str] = {}  # our index → tool input that came whole with the opening
        self._next = 0
        self._totals = Totals()
        self._fault: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes.

        Raises `RemoteProtocolError` for what is not an event, or may not come now, and `LimitExceeded`.
        """
        if self.ended:
            return []
        self._raise_fault()
        batch: list[Received] = []
        try:
            for sse in self._sse.feed(data):
                batch.append(self._read(sse))
                if self._order.state == "ended":
                    self.ended = True
                    break
        except RemoteProtocolError as error:
            self._fault = error
            if not batch:
                raise
        return batch

    def close(self) -> list[Received]:
        """Say that the input has ended. Yields something only for a server without terminal marker."""
        if self.ended:
            return []
        self._raise_fault()
        self._sse.close()
        if not self._quirks.eof_ends or self._order.state != "finished" or self._order.open_blocks:
            return []
        self.ended = True
        return [self._read(ServerSentEvent(b'{"type":"message_stop"}', "message_stop"))]

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _read(self, sse: ServerSentEvent) -> Received:
        try:
            wire = decode_event(sse.data)
        except _NOT_DECODED as error:
            kind, events = self._unknown(sse.data, error)
        else:
            # Nearly all events are text. Told apart here, one costs half of what it costs by the tables below.
            if type(wire) is BlockDeltaWire and type(wire.delta) is TextDeltaWire and sse.type == _DELTA:
                index = self._indexes.get(wire.index, -1)
                if self._order.kinds.get(index) == "text":
                    return Received(sse, (TextDelta(index, wire.delta.text),))
            kind, rule = self._RULES[type(wire)]
            try:
                events = rule(self, wire, sse.data)
            except _NOT_DECODED as error:
                raise _bad(kind, error) from error
        order = self._order
        for event in events:
            order.advance(event)
        if sse.type != kind:
            # A client that goes by the event line would miss it.
            sse = ServerSentEvent(sse.data, kind, sse.id)
        return Received(sse, events)

    def _unknown(self, data: bytes, error: Exception) -> tuple[str, tuple[Event, ...]]:
        """Carry an event or delta of a type that is not known; what is known but wrong is refused."""
        try:
            value = decode_any(data)
        except _NOT_DECODED as broken:
            raise RemoteProtocolError(f"an anthropic event is not JSON: {broken}") from broken
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or not kind.isprintable() or not kind:
            # A line end in it would be one on the wire.
            raise RemoteProtocolError("an anthropic event is not an object with a type") from error
        if kind not in EVENT_TYPES:
            return kind, (Opaque(NAME, value, kind),)
        delta, index = value.get("delta"), value.get("index")
        if kind == _DELTA and isinstance(delta, dict) and type(index) is int:
            type_of_delta = delta.get("type")
            if isinstance(type_of_delta, str) and type_of_delta not in DELTA_TYPES:
                return kind, (BlockDelta(self._index(index, kind), delta, NAME),)
        raise _bad(kind, error) from error

    def _index(self, theirs: int, kind: str) -> int:
        ours = self._indexes.get(theirs)
        if ours is None:
            raise RemoteProtocolError(f"{kind} for index {theirs}, where no block is open")
        return ours

    def _block_delta(self, wire: BlockDeltaWire, data: bytes) -> tuple[Event, ...]:
        index = self._index(wire.index, _DELTA)
        delta = wire.delta
        kind = type(delta)
        if self._order.kinds.get(index) in _UNREADABLE:
            return (BlockDelta(index, decode_any(data)["delta"], NAME),)
        if kind is InputJsonDeltaWire and delta.partial_json:  # type: ignore[union-attr]
            self._inputs.pop(index, None)
        return (_DELTAS[kind](index, delta),)

    def _block_start(self, wire: BlockStartWire, _data: bytes) -> tuple[Event, ...]:
        if wire.index in self._indexes:
            raise RemoteProtocolError(f"content_block_start for index {wire.index}, which is already open")
        index = self._next
        opening = read_block(wire.content_block, index)
        self._indexes[wire.index] = index
        self._next += 1
        if opening.input:
            self._inputs[index] = opening.input
        return opening.events

    def _block_stop(self, wire: BlockStopWire, _data: bytes) -> tuple[Event, ...]:
        index = self._index(wire.index, "content_block_stop")
        del self._indexes[wire.index]
        whole = self._inputs.pop(index, None)
        stop = BlockStop(index)
        return (stop,) if whole is None else (ToolInputDelta(index, whole), stop)

    def _message_start(self, wire: MessageStartWire, _data: bytes) -> tuple[Event, ...]:
        message = wire.message
        return (
            # Usage first: an encoder whose own opening must name it then knows it.
            *self._usage(message.usage, wire.tailrace),
            MessageStart(message.id, message.model),
            *self._whole_blocks(message.content),
            *_finish(message.stop_reason, message.stop_sequence),
        )

    def _whole_blocks(self, content: list[msgspec.Raw]) -> list[Event]:
        events: list[Event] = []
        for raw in content:
            index = self._next
            opening = read_block(raw, index)
            self._next += 1
            events += opening.events
            if opening.input:
                events.append(ToolInputDelta(index, opening.input))
            events.append(BlockStop(index))
        return events

    def _message_delta(self, wire: MessageDeltaWire, _data: bytes) -> tuple[Event, ...]:
        if self._order.state == "new":
            raise RemoteProtocolError("message_delta before message_start")
        change = wire.delta
        return (*self._usage(wire.usage, wire.tailrace), *_finish(change.stop_reason, change.stop_sequence))

    def _usage(self, usage: WireUsage | None, tailrace: Any) -> tuple[UsageReport, ...]:
        if usage is None:
            return ()
        label, placeholders = read_marks(tailrace)
        said = self._totals.update(usage, placeholders)
        return (UsageReport(self._totals.usage(), label or "exact"),) if said or label else ()

    def _message_stop(self, _wire: MessageStopWire, _data: bytes) -> tuple[Event, ...]:
        return (MessageEnd(),)

    def _ping(self, _wire: PingWire, _data: bytes) -> tuple[Event, ...]:
        return (Ping(),)

    def _error(self, _wire: ErrorWire, data: bytes) -> tuple[Event, ...]:
        return (stream_error(decode_any(data)),)

    _RULES: ClassVar[dict[type, tuple[str, Callable[[AnthropicDecoder, Any, bytes], tuple[Event, ...]]]]] = {
        BlockDeltaWire: (_DELTA, _block_delta),
        BlockStartWire: ("content_block_start", _block_start),
        BlockStopWire: ("content_block_stop", _block_stop),
        MessageStartWire: ("message_start", _message_start),
        MessageDeltaWire: ("message_delta", _message_delta),
        MessageStopWire: ("message_stop", _message_stop),
        PingWire: ("ping", _ping),
        ErrorWire: ("error", _error),
    }
    """Wire event → its ``type``, and what it says."""


_DELTAS: dict[type, Callable[[int, Any], Event]] = {
    TextDeltaWire: lambda index, delta: TextDelta(index, delta.text),
    InputJsonDeltaWire: lambda index, delta: ToolInputDelta(index, delta.partial_json),
    ThinkingDeltaWire: lambda index, delta: ThinkingDelta(index, delta.thinking),
    SignatureDeltaWire: lambda index, delta: SignatureDelta(index, delta.signature),
    CitationsDeltaWire: lambda index, delta: CitationDelta(index, delta.citation),
}
"""Wire delta → event."""


def _finish(reason: str | None, sequence: str | None) -> tuple[Finish, ...]:
    if reason is None:
        return ()
    return (Finish(STOP_REASONS.get(reason, "other"), sequence, native=reason),)


def _bad(kind: str, error: Exception) -> RemoteProtocolError:
    return RemoteProtocolError(f"anthropic {kind}: {error}")
