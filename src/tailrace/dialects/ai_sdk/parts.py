"""Parts of a UI message in a request, to the vocabulary's.

What no model is told anyway (sources, an application's own ``data-…``, steps) is not read, as the SDK's own
``convertToModelMessages`` does not read it. What a model would have been told, and is not, is noted in the request's
``extra`` under a name with a dot, so that it is listed as left out.

Source: ``UIMessage`` and ``convertToModelMessages`` of npm ``ai``, 7.0.173.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from tailrace.dialects import fields
from tailrace.dialects.ai_sdk.names import MARKS
from tailrace.dialects.wire_json import to_json
from tailrace.events import (
    FilePart,
    ImagePart,
    Part,
    RedactedThinkingPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)

SIGNED = (MARKS, "anthropic")
"""Whose ``providerMetadata`` may hold a signature: ours, and those of the SDK's own provider of that name, so that a
chat can move here with its history."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)

_DENIED = "the user denied the call"


def silent(kind: str) -> bool:
    """Whether a part of type ``kind`` is for people only."""
    return kind in {"step-start", "source-url", "source-document"} or kind.startswith("data-")


def is_tool(kind: str) -> bool:
    """Whether a part of type ``kind`` is a tool call, with its result where it has one."""
    return kind == "dynamic-tool" or kind.startswith("tool-")


def read_file(part: dict[str, Any], path: str) -> ImagePart | FilePart:
    """Return a ``file`` part: an image or a document, by its ``data:`` or ``http(s):`` URL."""
    media_type = fields.required_text(part, "mediaType", path)
    url = fields.required_text(part, "url", path)
    name = fields.text(part, "filename", path)
    if part.get("providerReference") is not None:
        raise fields.refuse(fields.at(path, "providerReference"), "a file at a provider cannot be sent from here")
    image = media_type.startswith("image/")
    if url.startswith("data:"):
        given, data = _read_data_url(url, fields.at(path, "url"))
        # "image/*" says only that it is one; the URL knows which.
        exact = given if media_type.endswith("/*") and given else media_type
        return ImagePart(exact, data) if image else FilePart(exact, data, name=name)
    if not url.startswith(("https://", "http://")):
        raise fields.refuse(fields.at(path, "url"), "must be a data: or http(s): URL")
    return ImagePart(media_type, url=url) if image else FilePart(media_type, url=url, name=name)


def _read_data_url(url: str, path: str) -> tuple[str | None, str]:
    """Return media type and base64 text (RFC 2397)."""
    found = _DATA_URL.match(url)
    if found is None:
        raise fields.refuse(path, "is not a data: URL")
    data = url[found.end() :]
    if not found[3]:
        return found[1], base64.b64encode(unquote_to_bytes(data)).decode()
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise fields.refuse(path, "its data is not base64") from error
    return found[1], data


def read_reasoning(part: dict[str, Any], path: str) -> Part | None:
    """Return a ``reasoning`` part; None when nothing is in it."""
    text = fields.text(part, "text", path) or ""
    marks = _marks(part, "providerMetadata", path)
    redacted = marks.get("redacted", marks.get("redactedData"))
    if redacted is not None:
        return RedactedThinkingPart(redacted)
    signature = fields.text(marks, "signature", fields.at(path, "providerMetadata"))
    return ThinkingPart(text, signature) if text or signature else None


def _marks(part: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    metadata = fields.mapping(part, name, path) or {}
    here = fields.at(path, name)
    return next((marks for who in SIGNED if (marks := fields.mapping(metadata, who, here)) is not None), {})


def read_tool(
    part: dict[str, Any], kind: str, path: str, extra: dict[str, Any]
) -> tuple[ToolCallPart, ToolResultPart] | None:
    """Return a call and its result; None, noted in ``extra``, for a call without one, or one that its provider ran.

    Providers refuse a conversation with a call that nobody answered; the SDK leaves such calls out when it is asked
    to (``ignoreIncompleteToolCalls``). What a provider's own tool found is in its words only that provider can read.
    """
    state = fields.required_text(part, "state", path)
    name = fields.required_text(part, "toolName", path) if kind == "dynamic-tool" else kind.removeprefix("tool-")
    identity = fields.required_text(part, "toolCallId", path)
    if part.get("providerExecuted") is True:
        extra.setdefault("tool.providerExecuted", True)
        return None
    answer = _answer(part, state, path)
    if answer is None:
        extra.setdefault(f"tool.{state}", name)
        return None
    text, failed = answer
    given = part.get("input") if part.get("input") is not None else part.get("rawInput")
    signature = fields.text(_marks(part, "callProviderMetadata", path), "signature", path)
    call = ToolCallPart(identity, name, {} if given is None else given, signature)
    return call, ToolResultPart(identity, (TextPart(text),), failed, name)


def _answer(part: dict[str, Any], state: str, path: str) -> tuple[str, bool] | None:
    """Return the words of a call's result, and whether it failed; None when it has none."""
    approval = fields.mapping(part, "approval", path) or {}
    match state:
        case "output-available":
            output = part.get("output")
            return output if isinstance(output, str) else to_json(output).decode(), False
        case "output-error":
            return fields.text(part, "errorText", path) or "the tool failed", True
        case "output-denied":
            return fields.text(approval, "reason", fields.at(path, "approval")) or _DENIED, True
        case "approval-responded" if approval.get("approved") is False:
            return fields.text(approval, "reason", fields.at(path, "approval")) or _DENIED, True
        case "input-streaming" | "input-available" | "approval-requested" | "approval-responded":
            return None
        case _:
            raise fields.refuse(fields.at(path, "state"), f"{state!r} is not a state of a tool")
