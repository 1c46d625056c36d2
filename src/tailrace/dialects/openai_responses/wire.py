"""The shapes of the stream's events, as far as they are read.

Every event is one flat object, and no two types use a field's name for different things; so one shape reads them all,
and a table goes by ``type``. Fields that nothing here reads (``item_id``, ``logprobs``, ``obfuscation``, whatever a
provider adds) are skipped by the JSON decoder without being built.

Source: ``openai.types.responses.ResponseStreamEvent`` of OpenAI's Python SDK, 3.54.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.openai_responses.usage import WireUsage
from tailrace.errors import RemoteProtocolError


class IncompleteDetails(msgspec.Struct, gc=False):
    """Why a response is incomplete."""

    reason: str | None = None


class ResponseWire(msgspec.Struct):
    """The response that a lifecycle event carries, as far as it is read."""

    id: str | None = None
    model: str | None = None
    output: list[dict[str, Any]] | None = None
    usage: WireUsage | None = None
    incomplete_details: IncompleteDetails | None = None
    error: Any = None
    tailrace: Any = None


class EventWire(msgspec.Struct, gc=False):
    """One event. ``delta`` is a string in all that is read, an object in a few that are only carried."""

    type: str
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    delta: Any = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    item: dict[str, Any] | None = None
    part: dict[str, Any] | None = None
    annotation: dict[str, Any] | None = None
    response: ResponseWire | None = None


decode_event = msgspec.json.Decoder(EventWire).decode
"""JSON → `EventWire`; raises one of `JSON_ERRORS`."""

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises the same."""

to_json = msgspec.json.Encoder().encode
"""Whatever it is → JSON, in UTF-8, on one line."""

JSON_ERRORS = (msgspec.MsgspecError, RecursionError, ValueError)
"""What reading somebody else's JSON raises: malformed, of the wrong types, too deep, not UTF-8."""


def whole_of(data: bytes) -> Any:
    """Return all of an event whose known fields have been read; the others, skipped unread, may yet be broken."""
    try:
        return decode_any(data)
    except JSON_ERRORS as error:
        raise RemoteProtocolError(f"a responses event is not JSON: {error}") from error


def response_of(wire: EventWire) -> ResponseWire:
    """Return the response that a lifecycle event must have."""
    if wire.response is None:
        raise RemoteProtocolError(f"{wire.type} without a response")
    return wire.response


def text_of(value: Any, name: str) -> str:
    """Return a field that must be a string."""
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{name} of a responses event is not a string")
    return value


def optional_text(value: Any, name: str) -> str:
    """Return a field that may be missing, "" then."""
    return "" if value is None else text_of(value, name)
