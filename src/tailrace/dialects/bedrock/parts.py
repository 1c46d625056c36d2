"""Content blocks of a request, both ways.

A block that the vocabulary has no part for is kept whole, as `OpaquePart`. Of documents and images the service takes
the bytes, or a place in S3 (``s3://…``); of a document also its text.

Source: ``ContentBlock`` of botocore's ``bedrock-runtime``, 1.44.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.bedrock.converse import read_redacted, write_redacted
from tailrace.dialects.bedrock.names import NAME
from tailrace.dialects.bedrock.wire import to_json
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

IMAGES = {f"image/{name}": name for name in ("png", "jpeg", "gif", "webp")}
"""Media type of an image → ``format``."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
"""Media type of a document → ``format``."""

_MEDIA_TYPES = {name: media_type for media_type, name in (IMAGES | DOCUMENTS).items()}

_S3 = "s3://"
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\s()\[\]-]+|\s+")
"""What the name of a document may not hold, and white space, of which one may stand between two words."""
_MAX_NAME = 190
"""Most characters of a document's name: the service takes 200, of which some are for a number."""


def read_part(block: dict[str, Any], path: str) -> Part:
    """Return what ``block`` says; one of a kind that is not known here, as it came."""
    kind = next((name for name, value in block.items() if value is not None), "")
    here = fields.at(path, kind)
    match kind:
        case "text":
            return TextPart(fields.text(block, "text", path) or "")
        case "image" | "document":
            return _read_file(fields.an_object(block[kind], here), kind, here) or OpaquePart(NAME, kind, block)
        case "toolUse":
            return _read_call(fields.an_object(block[kind], here), here)
        case "toolResult":
            return _read_result(fields.an_object(block[kind], here), here) or OpaquePart(NAME, kind, block)
        case "reasoningContent":
            return _read_reasoning(fields.an_object(block[kind], here), here) or OpaquePart(NAME, kind, block)
        case "":
            raise fields.refuse(path, "is empty")
        case _:
            return OpaquePart(NAME, kind, block)


def _read_call(call: dict[str, Any], path: str) -> ToolCallPart:
    return ToolCallPart(
        fields.required_text(call, "toolUseId", path),
        fields.required_text(call, "name", path),
        fields.mapping(call, "input", path) or {},
    )


def _read_result(result: dict[str, Any], path: str) -> ToolResultPart | None:
    inner: list[TextPart | ImagePart | FilePart] = []
    for i, block in enumerate(fields.objects(result, "content", path)):
        here = f"{path}.content.{i}"
        part = TextPart(to_json(block["json"]).decode()) if "json" in block else read_part(block, here)
        if not isinstance(part, TextPart | ImagePart | FilePart):
            return None
        inner.append(part)
    failed = fields.text(result, "status", path) == "error"
    return ToolResultPart(fields.required_text(result, "toolUseId", path), tuple(inner), failed)


def _read_reasoning(said: dict[str, Any], path: str) -> Part | None:
    if (content := fields.text(said, "redactedContent", path)) is not None:
        return RedactedThinkingPart(read_redacted(content))
    text = fields.mapping(said, "reasoningText", path)
    if text is None:
        return None
    here = fields.at(path, "reasoningText")
    return ThinkingPart(fields.text(text, "text", here) or "", fields.text(text, "signature", here))


def _read_file(said: dict[str, Any], kind: str, path: str) -> Part | None:
    source = fields.mapping(said, "source", path) or {}
    here = fields.at(path, "source")
    name = fields.text(said, "name", path)
    media_type = _MEDIA_TYPES.get(fields.text(said, "format", path) or "txt")
    place = fields.text(fields.mapping(source, "s3Location", here) or {}, "uri", here)
    data = fields.text(source, "bytes", here)
    text = fields.text(source, "text", here)
    if text is not None:
        data = base64.b64encode(text.encode()).decode()
    if (data is None and place is None) or (media_type is None and place is None):
        return None
    if kind == "image":
        return ImagePart(media_type, data, place)
    return FilePart(media_type, data, place, name=name)


# ---- to the service -------------------------------------------------------------------------------------------


class Names:
    """The names of a request's documents: each must have one, of few characters, and no two the same."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def take(self, wanted: str | None) -> str:
        """Return a name like ``wanted`` that is allowed and has not been given."""
        plain = _NOT_IN_NAMES.sub(" ", wanted or "").strip()
        name = " ".join(plain.split())[:_MAX_NAME].strip() or "document"
        number = self._seen[name] = self._seen.get(name, 0) + 1
        return name if number == 1 else f"{name} ({number})"


def build_part(part: Part, path: str, names: Names, ignored: list[str]) -> dict[str, Any] | None:
    """Return the block that says ``part``; None for one that may be left out, which is then in ``ignored``.

    Raises `BadRequest` for what the service cannot be told.
    """
    match part:
        case TextPart(text=text) | RefusalPart(text=text):
            # A blank text is refused, and says nothing.
            return {"text": text} if text.strip() else None
        case ImagePart():
            return _build_image(part, path, ignored)
        case FilePart():
            return _build_document(part, path, names)
        case ThinkingPart(text=text, signature=str(signature)):
            return {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}
        case RedactedThinkingPart(data=data) if (content := write_redacted(data)) is not None:
            return {"reasoningContent": {"redactedContent": content}}
        case ThinkingPart() | RedactedThinkingPart():
            # Models refuse thinking that they did not sign.
            ignored.append("thinking")
            return None
        case ToolCallPart(id=identity, name=name, input=dict(value)):
            return {"toolUse": {"toolUseId": identity, "name": name, "input": value}}
        case ToolCallPart():
            raise fields.refuse(path, "the input of a tool call must be an object for a bedrock provider")
        case ToolResultPart():
            return _build_result(part, path, names, ignored)
        case OpaquePart(dialect=dialect, data=dict(data)) if dialect == NAME:
            return data
        case OpaquePart(kind=kind):
            raise fields.refuse(path, f"a part of type {kind!r} cannot be sent to a bedrock provider")


def _build_result(part: ToolResultPart, path: str, names: Names, ignored: list[str]) -> dict[str, Any]:
    content = [build_part(inner, path, names, ignored) for inner in part.parts]
    result: dict[str, Any] = {"toolUseId": part.tool_call_id, "content": [c for c in content if c is not None]}
    if part.is_error:
        result["status"] = "error"
    return {"toolResult": result}


def _build_image(part: ImagePart, path: str, ignored: list[str]) -> dict[str, Any]:
    if part.detail is not None:
        ignored.append("image_url.detail")
    kind = IMAGES.get(part.media_type or "")
    if part.url is not None:
        end = part.url.rpartition(".")[2].lower().replace("jpg", "jpeg")
        kind = kind or (end if end in IMAGES.values() else None)
    if kind is None:
        raise fields.refuse(path, f"an image of type {part.media_type!r} cannot be sent to a bedrock provider")
    return {"image": {"format": kind, "source": _source(part.data, part.url, "an image", path)}}


def _build_document(part: FilePart, path: str, names: Names) -> dict[str, Any]:
    if part.file_id is not None:
        raise fields.refuse(path, "an uploaded document cannot be sent to a bedrock provider")
    kind = DOCUMENTS.get(part.media_type or "")
    if part.url is not None:
        end = part.url.rpartition(".")[2].lower()
        kind = kind or (end if end in DOCUMENTS.values() else None)
    if kind is None:
        raise fields.refuse(path, f"a document of type {part.media_type!r} cannot be sent to a bedrock provider")
    source = _source(part.data, part.url, "a document", path)
    return {"document": {"format": kind, "name": names.take(part.name), "source": source}}


def _source(data: str | None, url: str | None, what: str, path: str) -> dict[str, Any]:
    if data is not None:
        try:
            base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise fields.refuse(path, f"the data of {what} is not base64") from error
        return {"bytes": data}
    if url is None or not url.startswith(_S3):
        raise fields.refuse(path, f"{what} by URL cannot be sent to a bedrock provider: it takes bytes, or s3://")
    return {"s3Location": {"uri": url}}
