"""Requests that several tests of the Gemini dialect ask."""

from __future__ import annotations

import base64
from typing import Any

from tailrace.dialects.gemini import GEMINI
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    Request,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

MINIMAL: dict[str, Any] = {"model": "m", "stream": True, "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def asked(**fields: Any) -> Request:
    return GEMINI.parse({**MINIMAL, **fields})


def configured(**fields: Any) -> Request:
    return asked(generationConfig=fields)


def part_of(part: dict[str, Any]) -> Part:
    (turn,) = asked(contents=[{"parts": [part]}]).turns
    (found,) = turn.parts
    return found


SIGNATURE = base64.b64encode(b"\xfb\xff\xfe tide").decode()
URL_SAFE = SIGNATURE.replace("+", "-").replace("/", "_").rstrip("=")
GAUGE = {"name": "read_gauge", "args": {"some_name": 1}}

PARTS: list[tuple[dict[str, Any], Part]] = [
    ({"text": "Hi"}, TextPart("Hi")),
    ({"text": "Hm", "thought": True}, ThinkingPart("Hm")),
    ({"text": "Hm", "thought": True, "thoughtSignature": SIGNATURE}, ThinkingPart("Hm", SIGNATURE)),
    ({"text": "", "thought": True, "thought_signature": URL_SAFE}, ThinkingPart("", SIGNATURE)),
    ({"functionCall": {**GAUGE, "id": "c"}}, ToolCallPart("c", "read_gauge", {"some_name": 1})),
    (
        {"function_call": {**GAUGE, "id": "c"}, "thought_signature": URL_SAFE},
        ToolCallPart("c", "read_gauge", {"some_name": 1}, SIGNATURE),
    ),
    ({"functionCall": {"name": "now"}}, ToolCallPart("call_0", "now", {})),
    ({"inlineData": {"mimeType": "image/png", "data": "+/8="}}, ImagePart("image/png", "+/8=")),
    ({"inline_data": {"mime_type": "image/png", "data": "-_8"}}, ImagePart("image/png", "+/8=")),
    (
        {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "T"}},
        FilePart("application/pdf", "AA==", name="T"),
    ),
    ({"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/i"}}, ImagePart("image/png", url="https://x.test/i")),
    ({"file_data": {"file_uri": "https://x.test/d"}}, FilePart(url="https://x.test/d")),
    (
        {"fileData": {"fileUri": "gs://bucket/d"}},
        OpaquePart("gemini", "fileData", {"fileData": {"fileUri": "gs://bucket/d"}}),
    ),
    ({"executable_code": {"code": "1"}}, OpaquePart("gemini", "executableCode", {"executable_code": {"code": "1"}})),
]  # fmt: skip


def answer(**response: Any) -> dict[str, Any]:
    return {"functionResponse": {"id": "c", "name": "f", **response}}


RESULTS: list[tuple[dict[str, Any], tuple[str, ...], bool]] = [
    ({"response": {"output": "rain"}}, ("rain",), False),
    ({"response": {"result": "rain"}}, ("rain",), False),
    ({"response": {"output": {"wind_speed": 5}}}, ('{"wind_speed":5}',), False),
    ({"response": {"wind_speed": 5, "output": 1}}, ('{"wind_speed":5,"output":1}',), False),
    ({"response": {"error": "no such gauge"}}, ("no such gauge",), True),
    ({"response": {"error": {"code": 5}}}, ('{"code":5}',), True),
    ({"response": {}}, ("{}",), False),
    ({}, ("{}",), False),
]
