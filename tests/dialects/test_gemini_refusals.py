"""Requests that are wrong, each refused by the name of what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.errors import BadRequest
from tests.dialects.gemini_requests import answer, asked, configured

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": ""}, "model"),
    ({"stream": "yes"}, "stream"),
    ({"contents": None}, "contents"),
    ({"contents": []}, "contents"),
    ({"contents": "Hi"}, "contents"),
    ({"contents": ["Hi"]}, "contents.0"),
    ({"contents": [{"role": "system", "parts": []}]}, "contents.0.role"),
    ({"contents": [{"role": 1}]}, "contents.0.role"),
    ({"contents": [{"parts": "Hi"}]}, "contents.0.parts"),
    ({"contents": [{"parts": ["Hi"]}]}, "contents.0.parts.0"),
    ({"contents": [{"parts": [{"text": 1}]}]}, "contents.0.parts.0.text"),
    ({"contents": [{"parts": [{"text": "", "thought": 1}]}]}, "contents.0.parts.0.thought"),
    ({"contents": [{"parts": [{"text": "", "thoughtSignature": 1}]}]}, "contents.0.parts.0.thoughtSignature"),
    ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents.0.parts.0.functionCall.name"),
    ({"contents": [{"parts": [{"functionCall": {"name": "f", "args": []}}]}]}, "contents.0.parts.0.functionCall.args"),
    ({"contents": [{"parts": [{"functionResponse": {}}]}]}, "contents.0.parts.0.functionResponse.name"),
    ({"contents": [{"parts": [answer(response="x")]}]}, "contents.0.parts.0.functionResponse.response"),
    ({"contents": [{"parts": [answer(parts=["x"])]}]}, "contents.0.parts.0.functionResponse.parts.0"),
    ({"contents": [{"parts": [{"inlineData": {"data": "AA=="}}]}]}, "contents.0.parts.0.inlineData.mimeType"),
    ({"contents": [{"parts": [{"inlineData": {"mimeType": "a/b"}}]}]}, "contents.0.parts.0.inlineData.data"),
    ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents.0.parts.0.fileData.fileUri"),
    ({"systemInstruction": "Be brief."}, "systemInstruction"),
    ({"systemInstruction": {"parts": [{"inlineData": {}}]}}, "systemInstruction.parts.0"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"functionDeclarations": [{}]}]}, "tools.0.functionDeclarations.0.name"),
    (
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": 1}}]}]},
        "tools.0.functionDeclarations.0.parameters.type",
    ),
    ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "toolConfig.functionCallingConfig.mode"),
    ({"generationConfig": []}, "generationConfig"),
    ({"generationConfig": {"temperature": "warm"}}, "generationConfig.temperature"),
    ({"generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
    ({"generationConfig": {"candidateCount": 9}}, "generationConfig.candidateCount"),
    ({"generationConfig": {"stopSequences": [1]}}, "generationConfig.stopSequences.0"),
    (
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": -2}}},
        "generationConfig.thinkingConfig.thinkingBudget",
    ),
    ({"generationConfig": {"responseSchema": {}}}, "generationConfig.responseMimeType"),
    (
        {"generationConfig": {"responseMimeType": "application/json", "responseSchema": {"items": {"type": 1}}}},
        "generationConfig.responseSchema.items.type",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "param"), WRONG)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(**body)
    assert caught.value.param == param


def test_a_schema_may_not_be_deeper_than_the_cap() -> None:
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(100):
        schema = {"type": "ARRAY", "items": schema}
    with pytest.raises(BadRequest, match="deeper than 64 levels"):
        configured(responseMimeType="application/json", responseSchema=schema)
