"""``chunk`` frames, which InvokeModelWithResponseStream sends: events of the model's own maker, in base64.

They are told apart by their shape, once, at the first: Anthropic's and OpenAI's are read by those dialects' own
decoders, as the data of server-sent events, which is all that the two wires differ in. Amazon's own models say the
events of ConverseStream, each under its name. Others mean nothing here and are carried as they came.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.dialects.base import Decoder, Quirks
from tailrace.dialects.bedrock.converse import Converse
from tailrace.dialects.bedrock.names import NAME
from tailrace.dialects.bedrock.wire import JSON_ERRORS, ChunkWire, decode_any, decode_object
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.errors import RemoteProtocolError
from tailrace.events import Event, Opaque

_SHAPES = (
    ("type", ANTHROPIC, Quirks()),
    # The service ends the stream instead of saying [DONE].
    ("choices", OPENAI_CHAT, Quirks(eof_ends=True)),
)
"""A field that every event of a maker has, its dialect, and how the service changes it."""

_decode_chunk = msgspec.json.Decoder(ChunkWire).decode


class Vendor:
    """Reads one answer's chunks in turn."""

    __slots__ = ("_converse", "_decoder", "_seen")

    def __init__(self, converse: Converse) -> None:
        self._converse = converse
        self._decoder: Decoder | None = None
        self._seen = False

    @property
    def ended(self) -> bool:
        """Whether the maker's own terminal marker has been seen."""
        return self._decoder is not None and self._decoder.ended

    def read(self, payload: bytes) -> tuple[Event, ...]:
        """Return what a chunk says; raise `RemoteProtocolError` for what no rule allows."""
        try:
            data = base64.b64decode(_decode_chunk(payload).bytes, validate=True)
            shape = decode_object(data)
        except (*JSON_ERRORS, binascii.Error) as error:
            raise RemoteProtocolError(f"bedrock chunk: {error}") from error
        if not self._seen:
            self._seen = True
            found = (dialect.decoder(quirks) for field, dialect, quirks in _SHAPES if field in shape)
            self._decoder = next(found, None)
        if self._decoder is not None:
            # A line end in JSON stands between its tokens, where a space says the same.
            event = b"data: %b\n\n" % data.replace(b"\n", b" ").replace(b"\r", b" ")
            return tuple(said for received in self._decoder.feed(event) for said in received.events)
        return self._unwrapped(shape) or (Opaque(NAME, _value(data), "chunk"),)

    def close(self) -> tuple[Event, ...]:
        """Return what the end of input completes."""
        if self._decoder is None:
            return ()
        return tuple(event for received in self._decoder.close() for event in received.events)

    def _unwrapped(self, shape: dict[str, msgspec.Raw]) -> tuple[Event, ...]:
        names = [name for name in shape if name in Converse.KNOWN]
        return tuple(event for name in names for event in self._converse.read(name, shape[name]))


def _value(data: bytes) -> object:
    try:
        value: object = decode_any(data)
    except JSON_ERRORS as error:
        raise RemoteProtocolError(f"bedrock chunk: {error}") from error
    return value
