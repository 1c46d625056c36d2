"""Content parts inside an input item, both ways.

A part that the vocabulary has no word for is kept whole, as `OpaquePart`. A field of a known part that has no place is
noted in the request's ``extra`` as ``type.field``.

Source: ``openai.types.responses.ResponseInputItemParam`` of OpenAI's Python SDK, 3.54.
"""

from __future__ import annotations

import re
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.openai_responses.names import NAME
from tailrace.events import FilePart, ImagePart, OpaquePart, Part, RefusalPart, TextPart

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.ASCII)

_FIELDS: dict[str, frozenset[str]] = {
    "input_text": frozenset({"text"}),
    "output_text": frozenset({"text", "annotations", "logprobs"}),
    "text": frozenset({"text"}),
    "refusal": frozenset({"refusal"}),
    "input_image": frozenset({"image_url", "detail", "file_id"}),
    "input_file": frozenset({"file_id", "file_data", "file_url", "filename"}),
}
"""Type of part → its fields that have a place, or say what an earlier answer was given, beside ``type``."""


def note_rest(value: dict[str, Any], kind: str, known: frozenset[str], extra: dict[str, Any]) -> None:
    """Note in ``extra`` what ``value`` says beyond its ``known`` fields; the first value of a name stays."""
    for name, field in value.items():
        if name not in known and name != "type" and field is not None:
            extra.setdefault(f"{kind}.{name}", field)


def read_content(content: Any, path: str, extra: dict[str, Any]) -> tuple[Part, ...]:
    """Return the parts of a content at ``path``: a string, which is short for one text, or an array of parts."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    if not isinstance(content, list):
        raise fields.refuse(path, "must be a string or an array of parts")
    return tuple(
        read_part(fields.an_object(part, fields.at(path, i)), fields.at(path, i), extra)
        for i, part in enumerate(content)
    )


def read_part(part: dict[str, Any], path: str, extra: dict[str, Any]) -> Part:
    """Return one content part; of a type that is not known here, as it came."""
    kind = fields.required_text(part, "type", path)
    if kind not in _FIELDS:
        return OpaquePart(NAME, kind, part)
    note_rest(part, kind, _FIELDS[kind], extra)
    match kind:
        case "refusal":
            return RefusalPart(_text(part, "refusal", path))
        case "input_image":
            return _read_image(part, path)
        case "input_file":
            return _read_file(part, path)
        case _:
            return TextPart(_text(part, "text", path))


def _text(part: dict[str, Any], name: str, path: str) -> str:
    value = fields.text(part, name, path)
    if value is None:
        raise fields.refuse(fields.at(path, name), "is required")
    return value


def _read_image(part: dict[str, Any], path: str) -> Part:
    if part.get("file_id") is not None:
        # An uploaded image: only the provider that has it can read it.
        return OpaquePart(NAME, "input_image", part)
    url, detail = fields.required_text(part, "image_url", path), fields.text(part, "detail", path)
    # Clients must say one, and this says that they do not mind.
    detail = None if detail == "auto" else detail
    if not url.startswith("data:"):
        return ImagePart(url=url, detail=detail)
    media_type, data = _read_data_url(url, fields.at(path, "image_url"))
    return ImagePart(media_type=media_type, data=data, detail=detail)


def _read_file(part: dict[str, Any], path: str) -> FilePart:
    name = fields.text(part, "filename", path)
    if file_id := fields.text(part, "file_id", path):
        return FilePart(file_id=file_id, name=name)
    if url := fields.text(part, "file_url", path):
        return FilePart(url=url, name=name)
    data = fields.text(part, "file_data", path)
    if not data:
        raise fields.refuse(path, "needs file_id, file_url or file_data")
    if not data.startswith("data:"):
        return FilePart(data=data, name=name)
    media_type, data = _read_data_url(data, fields.at(path, "file_data"))
    return FilePart(media_type=media_type, data=data, name=name)


def _read_data_url(url: str, path: str) -> tuple[str, str]:
    """Return media type and base64 text (RFC 2397); only base64 is taken, as only that can go elsewhere."""
    found = _DATA_URL.match(url)
    if found is None:
        raise fields.refuse(path, "must be data:<media type>;base64,<data>")
    return found[1], url[found.end() :]


def build_part(part: Part, path: str) -> dict[str, Any]:
    """Return the part of an input that says ``part``; raise `BadRequest` for what cannot stand there."""
    match part:
        case TextPart(text=text):
            return {"type": "input_text", "text": text}
        case ImagePart(detail=detail):
            # The API demands a detail, and this is its default.
            return {"type": "input_image", "image_url": _image_url(part, path), "detail": detail or "auto"}
        case FilePart():
            return _build_file(part, path)
        case OpaquePart(dialect=dialect, data=dict(data)) if dialect == NAME:
            return data
    kind = part.kind if isinstance(part, OpaquePart) else type(part).__struct_config__.tag
    raise fields.refuse(path, f"a part of type {kind!r} cannot be sent to a responses provider here")


def _image_url(part: ImagePart, path: str) -> str:
    if part.url is not None:
        return part.url
    if part.media_type is None or part.data is None:
        raise fields.refuse(path, "an image needs a URL, or data and a media type")
    return f"data:{part.media_type};base64,{part.data}"


def _build_file(part: FilePart, path: str) -> dict[str, Any]:
    file: dict[str, Any] = {"type": "input_file"}
    if part.file_id is not None:
        return {**file, "file_id": part.file_id}
    if part.url is not None:
        return {**file, "file_url": part.url}
    if part.data is None:
        raise fields.refuse(path, "a document needs a URL, a file id or data")
    # The API refuses data without a name, and goes by its end.
    name = part.name or ("document.pdf" if part.media_type == "application/pdf" else "document")
    data = f"data:{part.media_type};base64,{part.data}" if part.media_type else part.data
    return {**file, "filename": name, "file_data": data}
