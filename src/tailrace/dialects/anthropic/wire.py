"""The shapes of the stream's events, as far as they are read.

Fields that nothing here reads are skipped by the JSON decoder without being built. An event or delta of a type that
is not here fails to decode as `StreamEvent`; ``decode.py`` then carries it as it came.

Source: ``anthropic.types.RawMessageStreamEvent`` of Anthropic's Python SDK, 2.12.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import msgspec

from tailrace.dialects.anthropic.usage import WireUsage


class TextDeltaWire(msgspec.Struct, tag_field="type", tag="text_delta", gc=False):
    """Text."""

    text: str


class InputJsonDeltaWire(msgspec.Struct, tag_field="type", tag="input_json_delta", gc=False):
    """A fragment of a tool's input, often empty."""

    partial_json: str


class ThinkingDeltaWire(msgspec.Struct, tag_field="type", tag="thinking_delta", gc=False):
    """Reasoning."""

    thinking: str


class SignatureDeltaWire(msgspec.Struct, tag_field="type", tag="signature_delta", gc=False):
    """The signature of a thinking block: replaces, comes once."""

    signature: str


class CitationsDeltaWire(msgspec.Struct, tag_field="type", tag="citations_delta"):
    """One citation of a text block."""

    citation: dict[str, Any]


DeltaWire: TypeAlias = TextDeltaWire | InputJsonDeltaWire | ThinkingDeltaWire | SignatureDeltaWire | CitationsDeltaWire


class BlockDeltaWire(msgspec.Struct, tag_field="type", tag="content_block_delta", gc=False):
    """A block grows."""

    index: int
    delta: DeltaWire


class BlockStartWire(msgspec.Struct, tag_field="type", tag="content_block_start", gc=False):
    """A block opens; ``content_block`` is read by `tailrace.dialects.anthropic.blocks`."""

    index: int
    content_block: msgspec.Raw


class BlockStopWire(msgspec.Struct, tag_field="type", tag="content_block_stop", gc=False):
    """A block is complete."""

    index: int


class MessageWire(msgspec.Struct):
    """The message as it stands when the stream begins.

    ``content`` and ``stop_reason`` are set when a tool that the provider runs has called one of the client's tools
    ("programmatic tool calling"): then the stream is this event and ``message_stop``.
    """

    id: str = ""
    model: str = ""
    content: list[msgspec.Raw] = []
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: WireUsage | None = None


class MessageStartWire(msgspec.Struct, tag_field="type", tag="message_start"):
    """The answer begins."""

    message: MessageWire
    tailrace: Any = None


class MessageChangeWire(msgspec.Struct):
    """What ``message_delta`` changes in the message."""

    stop_reason: str | None = None
    stop_sequence: str | None = None


class MessageDeltaWire(msgspec.Struct, tag_field="type", tag="message_delta"):
    """Stop reason and cumulative usage; there may be several."""

    delta: MessageChangeWire
    usage: WireUsage | None = None
    tailrace: Any = None


class MessageStopWire(msgspec.Struct, tag_field="type", tag="message_stop"):
    """The terminal marker."""


class PingWire(msgspec.Struct, tag_field="type", tag="ping"):
    """The provider is alive."""


class ErrorWire(msgspec.Struct, tag_field="type", tag="error"):
    """The answer ends badly. Read by `tailrace.dialects.anthropic.failures`, from the whole object."""


StreamEvent: TypeAlias = (
    BlockDeltaWire
    | BlockStartWire
    | BlockStopWire
    | MessageStartWire
    | MessageDeltaWire
    | MessageStopWire
    | PingWire
    | ErrorWire
)

decode_event = msgspec.json.Decoder(StreamEvent).decode
"""JSON → `StreamEvent`; raises `msgspec.MsgspecError`, `RecursionError` or `ValueError`."""

_encode = msgspec.json.Encoder().encode

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises the same."""

EVENT_TYPES: frozenset[str] = frozenset(str(shape.__struct_config__.tag) for shape in StreamEvent.__args__)
"""The ``type`` of every event that is known."""

DELTA_TYPES: frozenset[str] = frozenset(str(shape.__struct_config__.tag) for shape in DeltaWire.__args__)
"""The ``type`` of every delta that is known."""


def to_json(value: Any) -> bytes:
    """Return ``value`` as JSON in one line.

    A lone surrogate, which a provider's JSON may hold though UTF-8 cannot, goes on as the escape it came as.
    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
