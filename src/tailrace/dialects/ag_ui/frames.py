"""The wire events of AG-UI, and what stands before each piece of a text, a thought or a call's arguments."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.ag_ui.names import MARKS
from tailrace.dialects.wire_json import data_event, to_json


class OpenCall:
    """An open call. Its arguments are kept, to see whether they are whole (as long as the message may be, at most)."""

    __slots__ = ("before", "name", "pieces", "server")

    def __init__(self, name: str, *, server: bool) -> None:
        self.name = name
        self.server = server
        self.pieces: list[str] = []
        self.before = b'data: {"type":"TOOL_CALL_ARGS","toolCallId":%b,"delta":' % to_json(name)


class OpenText:
    """What stands before each piece of an open text or thought."""

    __slots__ = ("before", "message")

    def __init__(self, kind: bytes, message: str) -> None:
        self.message = message
        self.before = b'data: {"type":"%b_CONTENT","messageId":%b,"delta":' % (kind, to_json(message))


def write(kind: str, **fields: Any) -> bytes:
    """Return the event of type ``kind``; a field that is None must not be given, as the client refuses null."""
    return data_event({"type": kind, **fields})


def marked(**marks: Any) -> dict[str, Any]:
    """Return the field that carries ``marks``, those of None left out; empty where there are none."""
    known = {name: value for name, value in marks.items() if value is not None}
    return {"metadata": {MARKS: known}} if known else {}


def fill(piece: OpenText | OpenCall, text: str) -> bytes:
    """Return the event that appends ``text``."""
    return b"%b%b}\n\n" % (piece.before, to_json(text))


def close_thought(message: str) -> list[bytes]:
    """Return the events that close a reasoning message and the span around it."""
    return [write("REASONING_MESSAGE_END", messageId=message), write("REASONING_END", messageId=message)]


def encrypted(subtype: str, entity: str, value: str) -> bytes:
    """Return the event that gives the client ``value`` to keep, for the message or call ``entity``."""
    return write("REASONING_ENCRYPTED_VALUE", subtype=subtype, entityId=entity, encryptedValue=value)


def tool_result(message: str, call: str, content: str, marks: dict[str, Any]) -> bytes:
    """Return the event that answers ``call``."""
    return write("TOOL_CALL_RESULT", messageId=message, toolCallId=call, content=content, role="tool", **marks)


def raw(data: Any, dialect: str | None) -> bytes:
    """Return the event that passes on what a provider of ``dialect`` wrote."""
    return write("RAW", event=data, **({} if dialect is None else {"source": dialect}))
