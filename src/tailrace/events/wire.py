"""Events and messages as JSON.

Each event is an object whose ``type`` names it; fields with their default value may be left out. Compatibility:
a reader ignores fields it does not know, and an event of an unknown ``type`` decodes to `Opaque` with the whole
object in ``data``, so that a newer writer never breaks an older reader and nothing is dropped unseen. What may
change without a new version is in ``docs/events.md``.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from tailrace.errors import RemoteProtocolError
from tailrace.events.message import Message
from tailrace.events.model import Event, Opaque

VERSION = 1
"""Version of this JSON form; raised when a field changes its meaning or goes away."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_tags = frozenset(kind.__struct_config__.tag for kind in get_args(Event))


def encode(event: Event) -> bytes:
    """Return ``event`` as one line of JSON."""
    return _encoder.encode(event)


def decode(data: bytes | str) -> Event:
    """Return the event that ``data`` says; raise `RemoteProtocolError` when it is not one."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return _unknown(data, error)


def _unknown(data: bytes | str, error: Exception) -> Event:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        value = None
    if isinstance(value, dict) and isinstance(name := value.get("type"), str) and name not in _tags:
        return Opaque("tailrace", value, name)
    raise RemoteProtocolError(f"not an event: {error}") from error


def encode_message(message: Message) -> bytes:
    """Return ``message`` as JSON."""
    return _encoder.encode(message)


def decode_message(data: bytes | str) -> Message:
    """Return the message that ``data`` says; raise `RemoteProtocolError` when it is not one."""
    try:
        return msgspec.json.decode(data, type=Message)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise RemoteProtocolError(f"not a message: {error}") from error
