"""Content of AG-UI's messages in a request, to the vocabulary's parts.

Source: ``ContentPartSchema`` and ``MessageSchema`` of npm ``@ag-ui/core`` 1.0.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.ag_ui.names import MARKS, REDACTED
from tailrace.dialects.wire_json import JSON_ERRORS, decode_any
from tailrace.events import (
    FilePart,
    ImagePart,
    RedactedThinkingPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)

MEDIA = frozenset({"image", "audio", "video", "document"})
"""Types of content that are not text."""


def read_content(message: dict[str, Any], path: str) -> list[TextPart | ImagePart | FilePart]:
    """Return a message's ``content``: a string, which is one text, or an array of parts."""
    content, here = message.get("content"), fields.at(path, "content")
    if content is None or isinstance(content, str):
        return [TextPart(content)] if content else []
    parts = fields.objects(message, "content", path)
    return [part for i, value in enumerate(parts) if (part := _read_part(value, fields.at(here, i))) is not None]


def _read_part(part: dict[str, Any], path: str) -> TextPart | ImagePart | FilePart | None:
    kind = fields.required_text(part, "type", path)
    if kind == "text":
        text = fields.text(part, "text", path)
        if text is None:
            raise fields.refuse(fields.at(path, "text"), "is required")
        return TextPart(text) if text else None
    if kind not in MEDIA:
        raise fields.refuse(fields.at(path, "type"), f"{kind!r} is not a type of content")
    source, here = fields.mapping(part, "source", path), fields.at(path, "source")
    if source is None:
        raise fields.refuse(here, "is required")
    where = fields.required_text(source, "type", here)
    value = fields.required_text(source, "value", here)
    media_type = fields.text(source, "mimeType", here)
    if where == "data":
        if media_type is None:
            raise fields.refuse(fields.at(here, "mimeType"), "is required")
        return ImagePart(media_type, value) if kind == "image" else FilePart(media_type, value)
    if where == "url":
        return ImagePart(media_type, url=value) if kind == "image" else FilePart(media_type, url=value)
    if where == "file" and kind != "image":
        return FilePart(media_type, file_id=value)
    raise fields.refuse(fields.at(here, "type"), f"{where!r} cannot be sent from here")


def read_reasoning(message: dict[str, Any], path: str) -> ThinkingPart | RedactedThinkingPart | None:
    """Return a ``reasoning`` message; None when nothing is in it."""
    text = fields.text(message, "content", path) or ""
    value = fields.text(message, "encryptedValue", path)
    if value is not None and not text and value.startswith("{"):
        found = _json(value)
        if isinstance(found, dict) and REDACTED in found:
            return RedactedThinkingPart(found[REDACTED])
    return ThinkingPart(text, value) if text or value else None


def _json(text: str) -> Any:
    try:
        return decode_any(text)
    except JSON_ERRORS:
        return None


class Answered:
    """Which calls of a conversation have a result that may be told: a provider wants both or neither."""

    def __init__(self, messages: Iterable[dict[str, Any]]) -> None:
        rows = list(messages)
        # Nobody has looked at these rows yet: what is no text is refused where it is read.
        names = (row.get("toolCallId") for row in rows if row.get("role") == "tool")
        self._results = {name for name in names if isinstance(name, str)}
        calls = [call for row in rows if isinstance(found := row.get("toolCalls"), list) for call in found]
        ran = (call.get("id") for call in calls if isinstance(call, dict) and _server(call))
        self._servers = {name for name in ran if isinstance(name, str)}

    def call(self, name: str) -> str | None:
        """Return why the call ``name`` is left out, or None where it is told."""
        if name in self._servers:
            return "toolCalls.server"
        return None if name in self._results else "toolCalls.unanswered"

    def result(self, name: str) -> bool:
        """Whether the result of ``name`` is told."""
        return name not in self._servers


def _server(call: dict[str, Any]) -> bool:
    """Whether its provider ran ``call``: what that found is in its words, which only that provider can read."""
    metadata = call.get("metadata")
    marks = metadata.get(MARKS) if isinstance(metadata, dict) else None
    return isinstance(marks, dict) and marks.get("server") is True


def read_call(call: dict[str, Any], path: str) -> ToolCallPart:
    """Return one element of ``toolCalls``; arguments that are not JSON are a text, as the model wrote them."""
    function, here = fields.mapping(call, "function", path) or {}, fields.at(path, "function")
    arguments = fields.text(function, "arguments", here) or "{}"
    value = _json(arguments)
    return ToolCallPart(
        fields.required_text(call, "id", path),
        fields.required_text(function, "name", here),
        value if isinstance(value, dict) else {"arguments": arguments},
        fields.text(call, "encryptedValue", path),
    )


def read_result(message: dict[str, Any], path: str) -> ToolResultPart:
    """Return a ``tool`` message; ``error`` says that the tool failed, and stands for its words where it has none."""
    error = fields.text(message, "error", path)
    parts = read_content(message, path) or ([TextPart(error)] if error else [])
    return ToolResultPart(fields.required_text(message, "toolCallId", path), tuple(parts), error is not None)
