"""Content blocks of a request, both ways.

A block that the vocabulary has no part for is kept whole, as `OpaquePart`. A field of a known block that has no place
in its part is noted in the request's ``extra`` as ``type.field`` (``document.context``), or as ``cache_control``.

Source: ``anthropic.types.ContentBlockParam`` of Anthropic's Python SDK, 2.12.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.anthropic.names import NAME
from tailrace.dialects.marks import foreign_signature
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    RedactedThinkingPart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)

_FIELDS: dict[str, frozenset[str]] = {
    "text": frozenset({"text"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
}
"""Type of block → its fields that a part has a place for, beside ``type``."""


def note_rest(block: dict[str, Any], kind: str, known: frozenset[str], extra: dict[str, Any]) -> None:
    """Note in ``extra`` what ``block`` says beyond its ``known`` fields; the first value of a name stays."""
    for name, value in block.items():
        if name not in known and name != "type" and value is not None:
            extra.setdefault(name if name == "cache_control" else f"{kind}.{name}", value)


def read_content(content: Any, path: str, extra: dict[str, Any]) -> tuple[Part, ...]:
    """Return the parts of a ``content`` at ``path``: a string, which is short for one text, or an array of blocks."""
    if isinstance(content, str):
        return (TextPart(content),)
    if not isinstance(content, list):
        raise fields.refuse(path, "must be a string or an array of blocks")
    return tuple(
        read_part(fields.an_object(inner, fields.at(path, i)), fields.at(path, i), extra)
        for i, inner in enumerate(content)
    )


def read_part(block: dict[str, Any], path: str, extra: dict[str, Any]) -> Part:
    """Return what ``block`` says; one of a type that is not known here, as it came."""
    kind = fields.required_text(block, "type", path)
    if kind not in _FIELDS:
        return OpaquePart(NAME, kind, block)
    part = _known(kind, block, path, extra)
    if not isinstance(part, OpaquePart):
        note_rest(block, kind, _FIELDS[kind], extra)
    return part


def _known(kind: str, block: dict[str, Any], path: str, extra: dict[str, Any]) -> Part:
    match kind:
        case "text":
            return TextPart(_text(block, "text", path))
        case "thinking":
            return ThinkingPart(_text(block, "thinking", path), fields.text(block, "signature", path))
        case "redacted_thinking":
            return RedactedThinkingPart(_text(block, "data", path))
        case "tool_use":
            given = fields.mapping(block, "input", path)
            if given is None:
                raise fields.refuse(fields.at(path, "input"), "is required")
            return ToolCallPart(
                fields.required_text(block, "id", path), fields.required_text(block, "name", path), given
            )
        case "tool_result":
            return _read_result(block, path, extra)
        case _:
            return _read_source(kind, block, path)


def _text(block: dict[str, Any], name: str, path: str) -> str:
    value = fields.text(block, name, path)
    if value is None:
        raise fields.refuse(fields.at(path, name), "is required")
    return value


def _read_result(block: dict[str, Any], path: str, extra: dict[str, Any]) -> Part:
    call = fields.required_text(block, "tool_use_id", path)
    failed = fields.flag(block, "is_error", path) or False
    inner: list[TextPart | ImagePart | FilePart] = []
    content = block.get("content")
    for part in () if content is None else read_content(content, fields.at(path, "content"), extra):
        if not isinstance(part, TextPart | ImagePart | FilePart):
            # A search result, a reference to a tool: whoever cannot say it says no by its name.
            return OpaquePart(NAME, part.kind if isinstance(part, OpaquePart) else "tool_result", block)
        inner.append(part)
    return ToolResultPart(call, tuple(inner), failed)


def _read_source(kind: str, block: dict[str, Any], path: str) -> Part:
    """Return an image or a document by where its bytes are."""
    here = fields.at(path, "source")
    source = fields.mapping(block, "source", path)
    if source is None:
        raise fields.refuse(here, "is required")
    title = fields.text(block, "title", path)
    where = fields.required_text(source, "type", here)
    media_type = fields.text(source, "media_type", here)
    if where == "base64":
        data = fields.required_text(source, "data", here)
        if media_type is None:
            raise fields.refuse(fields.at(here, "media_type"), "is required")
        return ImagePart(media_type, data) if kind == "image" else FilePart(media_type, data, name=title)
    if where == "url":
        url = fields.required_text(source, "url", here)
        return ImagePart(url=url) if kind == "image" else FilePart(url=url, name=title)
    if where == "file" and kind == "document":
        return FilePart(file_id=fields.required_text(source, "file_id", here), name=title)
    if where == "text" and kind == "document":
        try:
            data = base64.b64encode(_text(source, "data", here).encode()).decode()
        except UnicodeEncodeError as error:
            raise fields.refuse(fields.at(here, "data"), "has a lone surrogate") from error
        return FilePart(media_type or "text/plain", data, name=title)
    # An uploaded image; a document made of blocks.
    return OpaquePart(NAME, kind, block)


def build_part(part: Part, path: str, ignored: list[str]) -> dict[str, Any] | None:
    """Return the block that says ``part``; None for one that may be left out, which is then in ``ignored``.

    Raises `BadRequest` for what the provider cannot be told.
    """
    match part:
        case TextPart(text=text) | RefusalPart(text=text):
            # The API refuses an empty text, and it says nothing.
            return {"type": "text", "text": text} if text else None
        case ImagePart():
            return _build_image(part, path, ignored)
        case FilePart():
            return _build_file(part, path)
        case ThinkingPart(text=text, signature=str(signature)) if not foreign_signature(signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case RedactedThinkingPart(data=str(data)) if not foreign_signature(data):
            return {"type": "redacted_thinking", "data": data}
        case ThinkingPart() | RedactedThinkingPart():
            # The API refuses thinking that it did not sign, and leaves out that of earlier turns by itself.
            ignored.append("thinking")
            return None
        case ToolCallPart(id=identity, name=name, input=dict(value)):
            return {"type": "tool_use", "id": identity, "name": name, "input": value}
        case ToolCallPart():
            raise fields.refuse(path, "the input of a tool call must be an object for an anthropic provider")
        case ToolResultPart():
            return _build_result(part, path, ignored)
        case OpaquePart(dialect=dialect, data=dict(data)) if dialect == NAME:
            return data
        case OpaquePart(kind=kind):
            raise fields.refuse(path, f"a part of type {kind!r} cannot be sent to an anthropic provider")


def _build_result(part: ToolResultPart, path: str, ignored: list[str]) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": part.tool_call_id}
    content = [build_part(inner, path, ignored) for inner in part.parts]
    if written := [inner for inner in content if inner is not None]:
        block["content"] = written
    if part.is_error:
        block["is_error"] = True
    return block


def _build_image(part: ImagePart, path: str, ignored: list[str]) -> dict[str, Any]:
    if part.detail is not None:
        ignored.append("image_url.detail")
    if part.url is not None:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    if part.data is None or part.media_type is None:
        raise fields.refuse(path, "an image needs a URL, or data and a media type")
    return {"type": "image", "source": {"type": "base64", "media_type": part.media_type, "data": part.data}}


def _build_file(part: FilePart, path: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "document", "source": _file_source(part, path)}
    if part.name is not None:
        block["title"] = part.name
    return block


def _file_source(part: FilePart, path: str) -> dict[str, Any]:
    """Return the source of a document: the API takes PDF as base64, and plain text as text."""
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    if part.url is not None:
        return {"type": "url", "url": part.url}
    if part.media_type == "application/pdf" and part.data is not None:
        return {"type": "base64", "media_type": part.media_type, "data": part.data}
    if part.media_type == "text/plain" and part.data is not None:
        try:
            text = base64.b64decode(part.data, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise fields.refuse(path, "the document is not base64 of UTF-8 text") from error
        return {"type": "text", "media_type": part.media_type, "data": text}
    raise fields.refuse(path, f"a document of type {part.media_type!r} cannot be sent to an anthropic provider")
