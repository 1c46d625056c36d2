"""Requests that several tests of the Anthropic dialect ask."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import (
    FilePart,
    ImagePart,
    Part,
    RedactedThinkingPart,
    Request,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)

MINIMAL: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


def asked(**fields: Any) -> Request:
    return ANTHROPIC.parse({**MINIMAL, **fields})


def said(*blocks: Any, role: str = "user") -> list[dict[str, Any]]:
    return [{"role": role, "content": list(blocks)}]


def source(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


IMAGE = {"type": "image", "source": source("base64", media_type="image/png", data="AA==")}
RESULT = {"type": "tool_result", "tool_use_id": "t"}
SEARCH = {"type": "search_result", "source": "s", "title": "t", "content": []}
PARTS: list[tuple[dict[str, Any], Part]] = [
    ({"type": "text", "text": ""}, TextPart("")),
    (IMAGE, ImagePart("image/png", "AA==")),
    ({"type": "image", "source": source("url", url="https://x.test/i")}, ImagePart(url="https://x.test/i")),
    (
        {"type": "document", "source": source("base64", media_type="application/pdf", data="AA=="), "title": "T"},
        FilePart("application/pdf", "AA==", name="T"),
    ),
    ({"type": "document", "source": source("url", url="https://x.test/d")}, FilePart(url="https://x.test/d")),
    ({"type": "document", "source": source("file", file_id="file_1")}, FilePart(file_id="file_1")),
    (
        {"type": "document", "source": source("text", media_type="text/plain", data="Ebb é")},
        FilePart("text/plain", "RWJiIMOp"),
    ),
    ({"type": "thinking", "thinking": "hm", "signature": "s"}, ThinkingPart("hm", "s")),
    ({"type": "redacted_thinking", "data": "d"}, RedactedThinkingPart("d")),
    ({"type": "tool_use", "id": "t", "name": "n", "input": {"a": []}}, ToolCallPart("t", "n", {"a": []})),
    (RESULT, ToolResultPart("t", ())),
    ({**RESULT, "content": "ok"}, ToolResultPart("t", (TextPart("ok"),))),
    (
        {**RESULT, "content": [{"type": "text", "text": "no"}, IMAGE], "is_error": True},
        ToolResultPart("t", (TextPart("no"), ImagePart("image/png", "AA==")), is_error=True),
    ),
]
