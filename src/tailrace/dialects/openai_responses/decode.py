"""A streamed response to events.

Events are told apart by their JSON's ``type``: several servers send no ``event`` line, which is then put right for
those who relay it. An answer is complete at ``response.completed`` or ``response.incomplete`` and nowhere else;
``[DONE]``, which some routers add, says nothing. How items become blocks is in ``items.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar

from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.openai_responses.failures import error_event, failed_response
from tailrace.dialects.openai_responses.items import Item
from tailrace.dialects.openai_responses.names import NAME, read_finish
from tailrace.dialects.openai_responses.usage import read_usage, usage_of_error
from tailrace.dialects.openai_responses.wire import (
    JSON_ERRORS,
    EventWire,
    ResponseWire,
    decode_event,
    response_of,
    text_of,
    whole_of,
)
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockKind,
    Event,
    MessageEnd,
    MessageStart,
    Opaque,
    Order,
    Ping,
)
from tailrace.sse import Decoder, ServerSentEvent

MAX_ITEMS = 10_000
"""Most items of one answer: as many as a message may have blocks (`tailrace.events.Order`)."""

_PLACES = frozenset({"sequence_number", "output_index"})
"""Fields that say where an event stands: an encoder knows better."""

_MARKERS = frozenset({b"", b"[DONE]"})
_LONGEST_MARKER = 16
"""Data that is no event, and how long it may be with spaces around it."""

_Out = list[Event]


class ResponsesDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_called", "_failure", "_indexes", "_items", "_order", "_refused", "_seen", "_sse", "ended")

    ended: bool

    def __init__(self, _quirks: Quirks) -> None:
        self.ended = False
        self._sse = Decoder()
        self._order = Order()
        self._indexes = count()
        self._items: dict[int, Item] = {}  # the open ones, by the provider's index
        self._seen: set[int] = set()
        self._called = False
        self._refused = False
        self._failure: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""
        if self.ended:
            return []
        if self._failure is not None:
            raise self._failure
        received: list[Received] = []
        try:
            for event in self._sse.feed(data):
                received.append(self._read(event))
                if self._order.state == "ended":
                    self.ended = True
                    break
        except RemoteProtocolError as error:
            self._failure = error
            if not received:
                raise
        return received

    def close(self) -> list[Received]:
        """Say that the input has ended; this dialect has no end but its terminal events."""
        if not self.ended:
            if self._failure is not None:
                raise self._failure
            self._sse.close()
        return []

    def _read(self, sse: ServerSentEvent) -> Received:
        out: _Out = []
        data = sse.data
        if len(data) <= _LONGEST_MARKER and data.strip() in _MARKERS:
            return Received(sse, ())
        try:
            wire = decode_event(data)
        except JSON_ERRORS as error:
            kind = self._unread(data, error, out)
        else:
            kind = wire.type
            rule = self._RULES.get(kind)
            if rule is None:
                kind = self._unread(data, None, out)
            else:
                rule(self, wire, data, out)
        for event in out:
            self._order.advance(event)
        if sse.type != kind:
            # A client that goes by the event line would miss it.
            sse = ServerSentEvent(data, kind, sse.id)
        return Received(sse, tuple(out))

    def _unread(self, data: bytes, error: Exception | None, out: _Out) -> str:
        """Carry an event of a type that is not read; what is known but wrong, or is no event, is refused."""
        value = whole_of(data)
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or not kind or not kind.isprintable():
            # A line end in it would be one on the wire.
            raise RemoteProtocolError("a responses event is not an object with a type") from error
        if kind in self._RULES:
            raise RemoteProtocolError(f"{kind}: {error}") from error
        index = value.get("output_index")
        item = self._items.get(index) if type(index) is int else None
        if item is not None and item.carried:
            said = {name: field for name, field in value.items() if name not in _PLACES}
            out.append(BlockDelta(item.block, said, NAME))
        else:
            out.append(Opaque(NAME, value, kind))
        return kind

    # ---- the answer as a whole ---------------------------------------------------------------------------------

    def _begin(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        if wire.type == "response.created" or self._order.state == "new":
            self._start(response_of(wire), out)

    def _start(self, response: ResponseWire, out: _Out) -> None:
        out.append(MessageStart(response.id or "", response.model or ""))

    def _end(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        response = response_of(wire)
        if self._order.state == "new":
            self._start(response, out)
        self._finish_items(response, out)
        out += read_usage(response.usage, response.tailrace)
        reason = None
        if wire.type == "response.incomplete":
            details = response.incomplete_details
            reason = (details.reason if details is not None else None) or "incomplete"
        out.append(read_finish(reason, called=self._called, refused=self._refused, tailrace=response.tailrace))
        out.append(MessageEnd())

    def _finish_items(self, response: ResponseWire, out: _Out) -> None:
        """End what is still open; take the items from the response itself where no event has brought any."""
        whole = response.output or []
        if not self._seen:
            for index, data in enumerate(whole):
                self._finish(self._add(index, data, out), data, out)
            self._items.clear()
        for index, item in self._items.items():
            final = whole[index] if 0 <= index < len(whole) else {}
            self._finish(item, final if final.get("type") == item.kind else None, out)
        self._items.clear()

    def _finish(self, item: Item, data: dict[str, Any] | None, out: _Out) -> None:
        item.finish(data, out)
        self._refused = self._refused or any(part.kind == "refusal" for part in item.parts.values())

    def _failed(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        response = response_of(wire)
        out += read_usage(response.usage, response.tailrace)
        out.append(failed_response(response.error, response.tailrace, cancelled=wire.type == "response.cancelled"))

    def _error(self, _wire: EventWire, data: bytes, out: _Out) -> None:
        value = whole_of(data)
        out += usage_of_error(value.get("tailrace"))
        out.append(error_event(value))

    def _ping(self, _wire: EventWire, _data: bytes, out: _Out) -> None:
        out.append(Ping())

    def _nothing(self, _wire: EventWire, _data: bytes, _out: _Out) -> None:
        """What this says has been said by the events before it."""

    # ---- items and parts -----------------------------------------------------------------------------------------

    def _add(self, index: int, data: dict[str, Any], out: _Out) -> Item:
        if index in self._seen:
            raise RemoteProtocolError(f"item {index} twice")
        if len(self._seen) >= MAX_ITEMS:
            raise RemoteProtocolError(f"more than {MAX_ITEMS} items in one response")
        item = Item(data, self._indexes, out)
        self._seen.add(index)
        self._items[index] = item
        self._called = self._called or item.kind == "function_call"
        return item

    def _item_added(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        if wire.item is None:
            return  # some providers announce an item before they know which
        self._add(wire.output_index or 0, wire.item, out)

    def _item_done(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        index = wire.output_index or 0
        if index not in self._seen and wire.item is not None:
            self._add(index, wire.item, out)
        item = self._items.pop(index, None)
        if item is None:
            raise RemoteProtocolError(f"the end of item {index}, which is not open")
        self._finish(item, wire.item, out)

    def _item(self, wire: EventWire) -> Item:
        item = self._items.get(wire.output_index or 0)
        if item is None:
            raise RemoteProtocolError(f"{wire.type} for item {wire.output_index}, which is not open")
        return item

    def _part_added(self, wire: EventWire, data: bytes, out: _Out) -> None:
        if not self._item(wire).add_part(wire.content_index or 0, wire.part or {}, out):
            out.append(Opaque(NAME, whole_of(data), wire.type))

    def _part_done(self, wire: EventWire, data: bytes, out: _Out) -> None:
        item = self._item(wire)
        part = item.parts.get(wire.content_index or 0)
        if part is None:
            if item.kind == "message":
                raise RemoteProtocolError(f"the end of content part {wire.content_index}, which is not open")
        elif part.kind == "opaque":
            out.append(Opaque(NAME, whole_of(data), wire.type))
        else:
            part.finish(wire.part, out)

    def _text(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        kind: BlockKind = "text" if wire.type == "response.output_text.delta" else "refusal"
        self._item(wire).part(wire.content_index, kind).grow(text_of(wire.delta, "delta"), out)

    def _text_done(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        kind: BlockKind = "text" if wire.type == "response.output_text.done" else "refusal"
        whole = wire.text if kind == "text" else wire.refusal
        self._item(wire).part(wire.content_index, kind).complete(whole, out)

    def _annotation(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        self._item(wire).part(wire.content_index, "text").cite(wire.annotation, out)

    def _arguments(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        self._item(wire).call(text_of(wire.delta, "delta"), out)

    def _arguments_done(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        self._item(wire).complete_call(wire.arguments, out)

    def _paragraph(self, wire: EventWire, _data: bytes, _out: _Out) -> None:
        self._item(wire).next_paragraph()

    def _reasoning(self, wire: EventWire, _data: bytes, out: _Out) -> None:
        self._item(wire).think(text_of(wire.delta, "delta"), out)

    _RULES: ClassVar[dict[str, Callable[[ResponsesDecoder, EventWire, bytes, _Out], None]]] = {
        "response.created": _begin,
        "response.queued": _begin,
        "response.in_progress": _begin,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.content_part.added": _part_added,
        "response.content_part.done": _part_done,
        "response.output_text.delta": _text,
        "response.output_text.done": _text_done,
        "response.output_text.annotation.added": _annotation,
        "response.refusal.delta": _text,
        "response.refusal.done": _text_done,
        "response.function_call_arguments.delta": _arguments,
        "response.function_call_arguments.done": _arguments_done,
        "response.reasoning_summary_part.added": _paragraph,
        "response.reasoning_summary_part.done": _nothing,
        "response.reasoning_summary_text.delta": _reasoning,
        "response.reasoning_summary_text.done": _nothing,
        "response.reasoning_text.delta": _reasoning,
        "response.reasoning_text.done": _nothing,
        "response.completed": _end,
        "response.incomplete": _end,
        "response.failed": _failed,
        "response.cancelled": _failed,
        "error": _error,
        "keepalive": _ping,
        "ping": _ping,
    }
    """``type`` of an event → what it says."""
