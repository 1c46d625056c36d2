"""The shapes of a GenerateContentResponse, as far as they are read.

Fields that nothing here reads (``safetyRatings``, ``createTime``, ``modelStatus`` …) are skipped by the JSON decoder
without being built. A part that is neither text nor a call is read a second time, from the whole chunk. Arguments are
kept raw, so that their numbers keep their digits.

Source: ``google.genai.types`` of Google's Python SDK, 3.4.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tailrace.dialects.gemini.usage import WireUsage
from tailrace.errors import RemoteProtocolError


class PartialArg(msgspec.Struct, rename="camel", gc=False):
    """A piece of one argument of a call that is streamed. ``null_value`` is a marker; its own value says nothing."""

    json_path: str
    string_value: str | None = None
    number_value: int | float | None = None
    bool_value: bool | None = None
    null_value: Any = msgspec.UNSET
    will_continue: bool | None = None


class FunctionCall(msgspec.Struct, rename="camel"):
    """A call, whole, or a step of one that is streamed (``will_continue``, ``partial_args``)."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = msgspec.Raw()
    partial_args: list[PartialArg] | None = None
    will_continue: bool | None = None


class Part(msgspec.Struct, rename="camel"):
    """A part, if it is text or a call; of any other kind nothing is set but the signature."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None


class Content(msgspec.Struct, gc=False):
    """What a chunk adds to one candidate."""

    parts: list[Part] | None = None


class CitationMetadata(msgspec.Struct, rename="camel", gc=False):
    """Sources that the text repeats; the field's name is the first at the Developer API, the second at Vertex AI."""

    citation_sources: list[dict[str, Any]] | None = None
    citations: list[dict[str, Any]] | None = None


class Candidate(msgspec.Struct, rename="camel", gc=False):
    """One candidate's part of a chunk. What follows ``citation_metadata`` is carried as it came."""

    index: int | None = None
    content: Content | None = None
    finish_reason: str | None = None
    citation_metadata: CitationMetadata | None = None
    grounding_metadata: Any = None
    url_context_metadata: Any = None
    logprobs_result: Any = None
    avg_logprobs: Any = None
    finish_message: Any = None
    continuation_token: Any = None


CARRIED: tuple[tuple[str, str], ...] = tuple(
    (field.name, field.encode_name)
    for field in msgspec.structs.fields(Candidate)
    if field.name not in {"index", "content", "finish_reason", "citation_metadata"}
)
"""Fields of a candidate that are carried as they came, each by its name here and on the wire."""


class Chunk(msgspec.Struct, rename="camel", gc=False):
    """One event of the stream. ``tailrace`` is a relay's own field."""

    candidates: list[Candidate] | None = None
    prompt_feedback: dict[str, Any] | None = None
    usage_metadata: WireUsage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None
    tailrace: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
"""JSON → `Chunk`; raises one of `JSON_ERRORS`."""

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises the same."""

JSON_ERRORS = (msgspec.MsgspecError, RecursionError, ValueError)
"""What reading somebody else's JSON raises: malformed, of the wrong types, too deep, not UTF-8."""

_encode = msgspec.json.Encoder().encode


def to_json(value: Any) -> bytes:
    """Return ``value`` as JSON in one line; a lone surrogate, which UTF-8 cannot hold, goes on as an escape."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def an_object(text: bytes | str) -> str | None:
    """Return the JSON object ``text`` without white space between its tokens; None when it is none.

    Its numbers keep their digits: they are not read.
    """
    try:
        value = decode_any(text)
        if not isinstance(value, dict):
            return None
        return msgspec.json.format(text if isinstance(text, bytes) else text.encode(), indent=-1).decode()
    except JSON_ERRORS:
        return None


def on_one_line(data: bytes) -> bytes:
    """Return the JSON document ``data``, which is known to be one, on one line."""
    if b"\n" not in data and b"\r" not in data:
        return data
    try:
        return msgspec.json.format(data, indent=-1)
    except JSON_ERRORS as error:
        raise RemoteProtocolError(f"not JSON: {error}") from error
