"""The events of ConverseStream to the vocabulary's.

The service opens blocks of text and of reasoning without saying so: their first delta does. Its block numbers become
0, 1, 2 … whatever it counts. ``messageStop`` says that the message is complete; ``metadata``, the last event, adds
what it cost. An answer is complete at ``metadata``, or when the input ends after ``messageStop``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from tailrace.dialects.bedrock.names import NAME, STOP_REASONS
from tailrace.dialects.bedrock.wire import (
    JSON_ERRORS,
    BlockDeltaWire,
    BlockStartWire,
    BlockStopWire,
    MessageStartWire,
    MessageStopWire,
    MetadataWire,
    ReasoningWire,
    decode_any,
    decode_metadata,
    read_usage,
)
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Order,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)

SERVER_CALL = "server_tool_use"
"""``type`` of a call of a tool that the provider runs."""


class Converse:
    """Reads one answer's events in turn."""

    __slots__ = ("_next", "_open", "order")

    def __init__(self) -> None:
        self.order = Order()
        self._open: dict[int, int] = {}  # the service's number of each open block → ours
        self._next = 0

    def read(self, name: str, payload: bytes | msgspec.Raw) -> tuple[Event, ...]:
        """Return what the event ``name`` says; raise `RemoteProtocolError` for what no rule allows."""
        entry = self._RULES.get(name)
        try:
            if entry is None:
                events: tuple[Event, ...] = (Opaque(NAME, decode_any(payload), name),)
            else:
                decode, rule = entry
                events = tuple(rule(self, decode(payload), payload))
        except JSON_ERRORS as error:
            raise RemoteProtocolError(f"bedrock {name}: {error}") from error
        for event in events:
            self.order.advance(event)
        return events

    def close(self) -> tuple[Event, ...]:
        """Return what the end of input completes."""
        if self.order.state != "finished" or self.order.open_blocks:
            return ()
        end = MessageEnd()
        self.order.advance(end)
        return (end,)

    # ---- rules, one for each event ----------------------------------------------------------------------------

    def _message_start(self, wire: MessageStartWire, _payload: Any) -> list[Event]:
        said = wire.tailrace if isinstance(wire.tailrace, dict) else {}
        name, model = said.get("id"), said.get("model")
        return [MessageStart(name if isinstance(name, str) else "", model if isinstance(model, str) else "")]

    def _block_start(self, wire: BlockStartWire, _payload: Any) -> list[Event]:
        if wire.index in self._open:
            raise RemoteProtocolError(f"contentBlockStart for block {wire.index}, which is already open")
        match wire.start:
            case {"toolUse": {"toolUseId": str(identity), "name": str(name), **rest}}:
                kind: BlockKind = "server_tool_call" if rest.get("type") == SERVER_CALL else "tool_call"
                return [self._begin(wire.index, kind, id=identity, name=name)]
            case {"toolUse": _}:
                raise RemoteProtocolError("a bedrock tool call has no id or no name")
            case {"toolResult": {"toolUseId": str(identity)}}:
                data = wire.start["toolResult"]
                return [self._begin(wire.index, "server_tool_result", id=identity, data=data, dialect=NAME)]
            case {"image": dict(data)}:
                return [self._begin(wire.index, "media", name="image", data=data, dialect=NAME)]
            case start:
                return [self._begin(wire.index, "opaque", data=start, dialect=NAME)]

    def _block_delta(self, wire: BlockDeltaWire, payload: Any) -> list[Event]:
        delta, out = wire.delta, list[Event]()
        if delta.text is not None:
            index = self._grow(wire.index, "text", out)
            if delta.text:
                out.append(TextDelta(index, delta.text))
        elif delta.toolUse is not None:
            if wire.index not in self._open:
                raise RemoteProtocolError(f"tool input for block {wire.index}, which is not open")
            out.append(ToolInputDelta(self._open[wire.index], delta.toolUse.input))
        elif delta.reasoningContent is not None:
            self._reasoning(wire.index, delta.reasoningContent, payload, out)
        elif delta.citation is not None:
            # It may come before the text that it belongs to.
            out.append(CitationDelta(self._grow(wire.index, "text", out), delta.citation))
        else:
            self._unknown(wire.index, payload, out)
        return out

    def _reasoning(self, theirs: int, said: ReasoningWire, payload: Any, out: list[Event]) -> None:
        if said.redactedContent is not None and theirs not in self._open:
            data = read_redacted(said.redactedContent)
            dialect = NAME if isinstance(data, dict) else None
            out.append(self._begin(theirs, "redacted_thinking", data=data, dialect=dialect))
        elif said.text is not None or said.signature is not None:
            index = self._grow(theirs, "thinking", out)
            if said.text:
                out.append(ThinkingDelta(index, said.text))
            if said.signature:
                out.append(SignatureDelta(index, said.signature))
        else:
            self._unknown(theirs, payload, out)

    def _unknown(self, theirs: int, payload: Any, out: list[Event]) -> None:
        """Carry a delta of a type that is not known."""
        index = self._grow(theirs, "opaque", out)
        out.append(BlockDelta(index, decode_any(payload)["delta"], NAME))

    def _block_stop(self, wire: BlockStopWire, _payload: Any) -> list[Event]:
        if self.order.state == "new":
            raise RemoteProtocolError("contentBlockStop before messageStart")
        index = self._open.pop(wire.index, None)
        # One that never opened is a block of nothing.
        return [] if index is None else [BlockStop(index)]

    def _message_stop(self, wire: MessageStopWire, _payload: Any) -> list[Event]:
        sequence = wire.fields.get("stop_sequence") if isinstance(wire.fields, dict) else None
        reason = STOP_REASONS.get(wire.reason, "other")
        return [Finish(reason, sequence if isinstance(sequence, str) else None, native=wire.reason)]

    def _metadata(self, wire: MetadataWire, _payload: Any) -> list[Event]:
        report = read_usage(wire.usage, wire.tailrace)
        return [*([] if report is None else [report]), MessageEnd()]

    # ---- blocks -----------------------------------------------------------------------------------------------

    def _grow(self, theirs: int, kind: BlockKind, out: list[Event]) -> int:
        """Return our number of a block, which begins with this if it has not."""
        if theirs not in self._open:
            data = {"data": {}, "dialect": NAME} if kind == "opaque" else {}
            out.append(self._begin(theirs, kind, **data))
        return self._open[theirs]

    def _begin(self, theirs: int, kind: BlockKind, **fields: Any) -> BlockStart:
        index = self._open[theirs] = self._next
        self._next += 1
        return BlockStart(index, kind, **fields)

    _RULES: ClassVar[dict[str, tuple[Callable[[Any], Any], Callable[[Converse, Any, Any], list[Event]]]]] = {
        "messageStart": (msgspec.json.Decoder(MessageStartWire).decode, _message_start),
        "contentBlockStart": (msgspec.json.Decoder(BlockStartWire).decode, _block_start),
        "contentBlockDelta": (msgspec.json.Decoder(BlockDeltaWire).decode, _block_delta),
        "contentBlockStop": (msgspec.json.Decoder(BlockStopWire).decode, _block_stop),
        "messageStop": (msgspec.json.Decoder(MessageStopWire).decode, _message_stop),
        "metadata": (decode_metadata, _metadata),
    }
    """Event → how its payload is read, and what it says."""

    KNOWN: ClassVar[frozenset[str]] = frozenset(_RULES)
    """The names of the events that are known."""


def read_redacted(content: str) -> str | dict[str, Any]:
    """Return what ``redactedContent`` holds.

    It is base64 of whatever the model's maker uses; Anthropic's is itself a text, the same that its own API sends and
    takes back. What is no such text stays this dialect's own.
    """
    try:
        text = base64.b64decode(content, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    return text if text.isprintable() and text else {"redactedContent": content}


def write_redacted(data: Any) -> str | None:
    """Return the ``redactedContent`` that says ``data``; None where this dialect has no word for it."""
    if isinstance(data, str):
        return base64.b64encode(data.encode()).decode()
    content = data.get("redactedContent") if isinstance(data, dict) else None
    return content if isinstance(content, str) else None
