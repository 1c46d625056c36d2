"""What stands inside a message: content parts and tool calls, both ways.

A part that the vocabulary has no word for is kept whole, as `OpaquePart`. A field of a known part or message that
has no place is noted in the request's ``extra`` as ``type.field`` (``messages.name``), or as ``cache_control``, which
several routers take from clients of this dialect.

Source: ``openai.types.chat.ChatCompletionMessageParam`` of OpenAI's Python SDK, 3.54.
"""

from __future__ import annotations

import re
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.openai_chat.chunks import JSON_ERRORS, decode_any, to_json
from tailrace.dialects.openai_chat.names import NAME
from tailrace.events import FilePart, ImagePart, OpaquePart, Part, RefusalPart, TextPart, ToolCallPart

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.ASCII)


_FIELDS: dict[str, frozenset[str]] = {
    "text": frozenset({"text"}),
    "refusal": frozenset({"refusal"}),
    "image_url": frozenset({"image_url"}),
    "file": frozenset({"file"}),
}
"""Type of part → its fields that have a place, beside ``type``."""


def note_rest(value: dict[str, Any], kind: str, known: frozenset[str], extra: dict[str, Any]) -> None:
    """Note in ``extra`` what ``value`` says beyond its ``known`` fields; the first value of a name stays."""
    for name, field in value.items():
        if name not in known and name != "type" and field is not None:
            extra.setdefault(name if name == "cache_control" else f"{kind}.{name}", field)


def read_content(message: dict[str, Any], path: str, extra: dict[str, Any]) -> tuple[Part, ...]:
    """Return the parts of a message's ``content``: a string, an array of parts, or nothing."""
    content, here = message.get("content"), fields.at(path, "content")
    if content is None:
        return ()
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    if not isinstance(content, list):
        raise fields.refuse(here, "must be a string or an array of parts")
    return tuple(
        read_part(fields.an_object(part, fields.at(here, i)), fields.at(here, i), extra)
        for i, part in enumerate(content)
    )


def read_texts(message: dict[str, Any], path: str, extra: dict[str, Any]) -> tuple[TextPart, ...]:
    """Return the parts of a ``content`` that may only hold text."""
    texts: list[TextPart] = []
    for i, part in enumerate(read_content(message, path, extra)):
        if not isinstance(part, TextPart):
            raise fields.refuse(f"{path}.content.{i}", "must be text")
        texts.append(part)
    return tuple(texts)


def read_part(part: dict[str, Any], path: str, extra: dict[str, Any]) -> Part:
    """Return one content part; of a type that is not known here, as it came."""
    kind = fields.required_text(part, "type", path)
    if kind not in _FIELDS:
        return OpaquePart(NAME, kind, part)
    note_rest(part, kind, _FIELDS[kind], extra)
    match kind:
        case "text":
            return TextPart(_text(part, "text", path))
        case "refusal":
            return RefusalPart(_text(part, "refusal", path))
        case "image_url":
            return _read_image(part, path)
        case _:
            return _read_file(fields.mapping(part, "file", path) or {}, fields.at(path, "file"))


def _text(part: dict[str, Any], name: str, path: str) -> str:
    value = fields.text(part, name, path)
    if value is None:
        raise fields.refuse(fields.at(path, name), "is required")
    return value


def _read_image(part: dict[str, Any], path: str) -> ImagePart:
    image = fields.mapping(part, "image_url", path) or {}
    here = fields.at(path, "image_url")
    url = fields.required_text(image, "url", here)
    detail = fields.text(image, "detail", here)
    if not url.startswith("data:"):
        return ImagePart(url=url, detail=detail)
    media_type, data = _read_data_url(url, fields.at(here, "url"))
    return ImagePart(media_type=media_type, data=data, detail=detail)


def _read_file(file: dict[str, Any], path: str) -> FilePart:
    name, file_id = fields.text(file, "filename", path), fields.text(file, "file_id", path)
    data = fields.text(file, "file_data", path)
    if file_id:
        return FilePart(file_id=file_id, name=name)
    if not data:
        raise fields.refuse(path, "needs file_id or file_data")
    if data.startswith("data:"):
        media_type, data = _read_data_url(data, fields.at(path, "file_data"))
        return FilePart(media_type=media_type, data=data, name=name)
    return FilePart(data=data, name=name)


def _read_data_url(url: str, path: str) -> tuple[str, str]:
    """Return media type and base64 text (RFC 2397); only base64 is taken, as only that can go elsewhere."""
    found = _DATA_URL.match(url)
    if found is None:
        raise fields.refuse(path, "must be data:<media type>;base64,<data>")
    return found[1], url[found.end() :]


def read_call(call: dict[str, Any], path: str) -> Part:
    """Return one element of ``tool_calls``; a custom tool's, whose input is no JSON, as it came."""
    if call.get("type") == "custom":
        return OpaquePart(NAME, "custom", call)
    function = fields.mapping(call, "function", path) or {}
    here = fields.at(path, "function")
    return ToolCallPart(
        fields.required_text(call, "id", path),
        fields.required_text(function, "name", here),
        read_arguments(function, here),
    )


def read_arguments(function: dict[str, Any], path: str) -> Any:
    """Return the value of ``arguments``; the empty text, which models do send, is no arguments."""
    arguments = fields.text(function, "arguments", path)
    if not arguments or not arguments.strip():
        return {}
    try:
        return decode_any(arguments)
    except JSON_ERRORS as error:
        raise fields.refuse(fields.at(path, "arguments"), f"must be JSON: {error}") from error


def build_part(part: Part, path: str) -> dict[str, Any]:
    """Return the content part of a user's message that says ``part``."""
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return _build_image(part, path)
    if isinstance(part, FilePart):
        return _build_file(part, path)
    if isinstance(part, OpaquePart) and part.dialect == NAME:
        return part.data  # type: ignore[no-any-return]
    kind = part.kind if isinstance(part, OpaquePart) else type(part).__struct_config__.tag
    raise fields.refuse(path, f"a part of type {kind!r} cannot be sent to a chat completions provider here")


def _build_image(part: ImagePart, path: str) -> dict[str, Any]:
    if part.url is None and not part.media_type:
        raise fields.refuse(path, "an image needs its media type for a chat completions provider")
    url = part.url if part.url is not None else f"data:{part.media_type};base64,{part.data}"
    image = {"url": url} if part.detail is None else {"url": url, "detail": part.detail}
    return {"type": "image_url", "image_url": image}


def _build_file(part: FilePart, path: str) -> dict[str, Any]:
    file: dict[str, Any] = {} if part.name is None else {"filename": part.name}
    if part.file_id is not None:
        file["file_id"] = part.file_id
    elif part.data is not None:
        file["file_data"] = f"data:{part.media_type};base64,{part.data}" if part.media_type else part.data
        # OpenAI refuses file data without a name, and goes by its end.
        file.setdefault("filename", "document.pdf" if part.media_type == "application/pdf" else "document")
    else:
        raise fields.refuse(path, "a document by URL cannot be sent to a chat completions provider")
    return {"type": "file", "file": file}


def build_call(part: ToolCallPart) -> dict[str, Any]:
    """Return the element of ``tool_calls`` that says ``part``."""
    arguments = to_json(part.input).decode()
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": arguments}}
