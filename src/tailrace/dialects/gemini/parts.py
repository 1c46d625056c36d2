"""Parts of a request, both ways.

A part that the vocabulary has no word for is kept whole, as `OpaquePart`; so is a file that only Google's servers can
open. A field of a known part that has no place is noted in the request's ``extra`` as ``kind.field``.

Source: ``google.genai.types.Part`` of Google's Python SDK, 3.4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tailrace.dialects import fields
from tailrace.dialects.gemini.blocks import standard_base64, unseal
from tailrace.dialects.gemini.casing import cased, cased_field, cased_list
from tailrace.dialects.gemini.names import NAME
from tailrace.dialects.gemini.wire import to_json
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)

_DATA = ("text", "functionCall", "functionResponse", "inlineData", "fileData")
"""Fields that tell what a part holds, of the kinds that are read."""

_FIELDS: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "thought", "thoughtSignature"}),
    "functionCall": frozenset({"functionCall", "thoughtSignature"}),
    "functionResponse": frozenset({"functionResponse"}),
    "inlineData": frozenset({"inlineData"}),
    "fileData": frozenset({"fileData"}),
}
"""The same → the fields beside it that have a place."""

_GOOGLE_ONLY = ("gs://", "https://generativelanguage.googleapis.com/")
"""Beginnings of addresses that no other provider can open."""

_OUTPUTS = ("output", "result")
"""Fields of a function's response that are the output itself where they are its only one: the API's own word, and
that of the SDK that calls the functions by itself."""


class Calls:
    """The calls of a conversation, to tell which of them a result answers: clients may leave their ids out."""

    __slots__ = ("_count", "_waiting")

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[str, list[str]] = {}

    def called(self, identity: str | None, name: str) -> str:
        """Note a call; return its id, or a new one."""
        identity = identity or f"call_{self._count}"
        self._count += 1
        self._waiting.setdefault(name, []).append(identity)
        return identity

    def answered(self, identity: str | None, name: str) -> str:
        """Return the id of the call that a result answers: by its id, else the first open one of that name."""
        waiting = self._waiting.get(name, [])
        if identity:
            if identity in waiting:
                waiting.remove(identity)
            return identity
        if waiting:
            return waiting.pop(0)
        self._count += 1
        return f"call_{self._count - 1}"


class Reading(NamedTuple):
    """What the parts of one conversation share while they are read."""

    calls: Calls
    extra: dict[str, Any]


def read_part(value: Any, path: str, reading: Reading) -> Part | None:
    """Return what a part says; None for one that says nothing, as empty texts and bare signatures do."""
    part = cased(value, path)
    kind = next((name for name in _DATA if name in part), None)
    if kind is None:
        rest = [name for name in part if name not in {"thought", "thoughtSignature"}]
        return OpaquePart(NAME, rest[0], value) if rest else None
    for name, field in part.items():
        if name not in _FIELDS[kind]:
            reading.extra.setdefault(f"{kind}.{name}", field)
    signature = fields.text(part, "thoughtSignature", path)
    signature = unseal(signature) if signature else None
    match kind:
        case "text":
            return _read_text(part, signature, path, reading)
        case "functionCall":
            return _read_call(part, signature, path, reading)
        case "functionResponse":
            return _read_result(value, cased_field(part, kind, path) or {}, fields.at(path, kind), reading)
        case "inlineData":
            return _read_blob(cased_field(part, kind, path) or {}, fields.at(path, kind))
        case _:
            return _read_file(value, cased_field(part, kind, path) or {}, fields.at(path, kind))


def joined(parts: list[Part]) -> tuple[Part, ...]:
    """Return a model's ``parts`` with the pieces of its texts and thoughts put together.

    A chat's history has one part for each chunk of a streamed answer. A signature ends the thought that it stands on;
    it may come alone, behind the words that it signs.
    """
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, TextPart) and isinstance(last, TextPart):
            found[-1] = TextPart(last.text + part.text)
        elif isinstance(part, ThinkingPart) and isinstance(last, ThinkingPart) and last.signature is None:
            found[-1] = ThinkingPart(last.text + part.text, part.signature)
        else:
            found.append(part)
    return tuple(found)


def _read_text(part: dict[str, Any], signature: str | None, path: str, reading: Reading) -> Part | None:
    text = fields.text(part, "text", path) or ""
    if fields.flag(part, "thought", path):
        return ThinkingPart(text, signature) if text or signature else None
    if signature is not None:
        # Only this dialect signs texts; no other provider would know what it is.
        reading.extra.setdefault("text.thoughtSignature", signature)
    return TextPart(text) if text else None


def _read_call(part: dict[str, Any], signature: str | None, path: str, reading: Reading) -> Part:
    here = fields.at(path, "functionCall")
    call = cased_field(part, "functionCall", path) or {}
    name = fields.required_text(call, "name", here)
    identity = reading.calls.called(fields.text(call, "id", here), name)
    return ToolCallPart(identity, name, fields.mapping(call, "args", here) or {}, signature)


def _read_result(value: Any, result: dict[str, Any], path: str, reading: Reading) -> Part:
    name = fields.required_text(result, "name", path)
    identity = reading.calls.answered(fields.text(result, "id", path), name)
    response = fields.mapping(result, "response", path) or {}
    inner: list[TextPart | ImagePart | FilePart] = []
    failed = response.keys() == {"error"}
    only = next((response[key] for key in ("error", *_OUTPUTS) if response.keys() == {key}), response)
    if only != {} or not result.get("parts"):
        inner.append(TextPart(only if isinstance(only, str) else to_json(only).decode()))
    for i, part in enumerate(cased_list(result, "parts", path)):
        here = f"{path}.parts.{i}"
        if (blob := cased_field(part, "inlineData", here)) is not None:
            inner.append(_read_blob(blob, f"{here}.inlineData"))
        else:
            return OpaquePart(NAME, "functionResponse", value)
    return ToolResultPart(identity, tuple(inner), failed, name)


def _read_blob(blob: dict[str, Any], path: str) -> ImagePart | FilePart:
    media_type = fields.required_text(blob, "mimeType", path)
    data = standard_base64(fields.required_text(blob, "data", path))
    if media_type.startswith("image/"):
        return ImagePart(media_type, data)
    return FilePart(media_type, data, name=fields.text(blob, "displayName", path))


def _read_file(value: Any, file: dict[str, Any], path: str) -> Part:
    url = fields.required_text(file, "fileUri", path)
    media_type = fields.text(file, "mimeType", path)
    if url.startswith(_GOOGLE_ONLY):
        return OpaquePart(NAME, "fileData", value)
    if (media_type or "").startswith("image/"):
        return ImagePart(media_type, url=url)
    return FilePart(media_type, url=url, name=fields.text(file, "displayName", path))
