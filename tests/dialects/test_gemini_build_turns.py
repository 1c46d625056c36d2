"""The turns of a conversation, as a provider gets them."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.errors import BadRequest
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
    Turn,
)
from tests.dialects.gemini_cases import ASK, CONTENTS, built

CALL = ToolCallPart("c", "f", {"a": 1})
UNSIGNED = "skip_thought_signature_validator"
SAID: list[tuple[Part, dict[str, Any]]] = [
    (TextPart("Six."), {"text": "Six."}),
    (RefusalPart("No."), {"text": "No."}),
    (ThinkingPart("Hm", "c2ln"), {"text": "Hm", "thought": True, "thoughtSignature": "c2ln"}),
    (CALL, {"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}, "thoughtSignature": UNSIGNED}),
    (
        ToolCallPart("c", "f", {}, "openai_responses:rs_1:c2ln"),
        {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": UNSIGNED},
    ),
    (
        ToolCallPart("c", "f", {}, "c2ln"),
        {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "c2ln"},
    ),
    (ImagePart("image/png", "AA=="), {"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
    (ImagePart(url="https://x.test/a.PNG?b"), {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.PNG?b"}}),
    (ImagePart(url="https://x.test/a"), {"fileData": {"fileUri": "https://x.test/a"}}),
    (FilePart("text/plain", "AA==", name="n"), {"inlineData": {"mimeType": "text/plain", "data": "AA=="}}),
    (
        FilePart(url="https://x.test/a.pdf", name="n"),
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.test/a.pdf", "displayName": "n"}},
    ),
    (OpaquePart("gemini", "executableCode", {"executableCode": {}}), {"executableCode": {}}),
]  # fmt: skip


@pytest.mark.parametrize(("part", "written"), SAID)
def test_parts(part: Part, written: dict[str, Any]) -> None:
    body, ignored = built(turns=(*ASK.turns, Turn("assistant", (part,))))
    assert body["contents"] == [*CONTENTS, {"role": "model", "parts": [written]}]
    assert ignored == ()


UNSAID: list[tuple[Part, str | None]] = [
    (TextPart(""), None),
    (ThinkingPart("Hm"), "thinking"),
    (ThinkingPart("Hm", "openai_responses:rs_1:c2ln"), "thinking"),
    (RedactedThinkingPart("d"), "thinking"),
]


@pytest.mark.parametrize(("part", "listed"), UNSAID)
def test_parts_that_are_left_out(part: Part, listed: str | None) -> None:
    body, ignored = built(turns=(*ASK.turns, Turn("assistant", (part,))))
    assert body["contents"] == CONTENTS
    assert ignored == ((listed,) if listed else ())


UNSAYABLE: list[Part] = [
    ToolCallPart("c", "f", [1]),
    FilePart(file_id="file_1"),
    FilePart(data="AA=="),
    FilePart(),
    ImagePart(data="AA=="),
    OpaquePart("anthropic", "search_result", {}),
    ToolResultPart("nobody", (TextPart("x"),)),
    ToolResultPart("c", (ImagePart(url="https://x.test/i"),), name="f"),
]


@pytest.mark.parametrize("part", UNSAYABLE)
def test_parts_that_cannot_be_sent_are_refused_by_their_place(part: Part) -> None:
    with pytest.raises(BadRequest) as caught:
        built(turns=(*ASK.turns, Turn("user", (TextPart("x"), part))))
    assert caught.value.param == "messages.1.content.1"


def test_the_detail_of_a_picture_is_left_out() -> None:
    assert built(turns=(Turn("user", (ImagePart(url="u", detail="low"),)),))[1] == ("image_url.detail",)


def test_only_the_first_of_parallel_calls_is_signed() -> None:
    calls = (CALL, ToolCallPart("d", "g", {}))
    body, _ = built(turns=(*ASK.turns, Turn("assistant", calls)))
    first, second = body["contents"][1]["parts"]
    assert first["thoughtSignature"] == UNSIGNED
    assert "thoughtSignature" not in second


def result(call: str, text: str, **fields: Any) -> ToolResultPart:
    return ToolResultPart(call, (TextPart(text),), **fields)


def test_results_come_first_and_all_in_one_content() -> None:
    turns = (
        *ASK.turns,
        Turn("assistant", (CALL, ToolCallPart("d", "g", {}))),
        Turn("user", (result("c", "rain"),)),
        Turn("user", (TextPart("And?"), result("d", "no", is_error=True))),
    )
    body, _ = built(turns=turns)
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user", "user"]
    first, second = (content["parts"] for content in body["contents"][2:])
    assert first == [{"functionResponse": {"id": "c", "name": "f", "response": {"output": "rain"}}}]
    assert second == [{"functionResponse": {"id": "d", "name": "g", "response": {"error": "no"}}}, {"text": "And?"}]
    body, _ = built(turns=(*turns[:3], Turn("user", (result("d", "no"),))))
    assert [len(content["parts"]) for content in body["contents"]] == [1, 2, 2]


def test_results_of_other_kinds() -> None:
    parts = (TextPart("a"), TextPart("b"), ImagePart("image/png", "AA=="))
    body, _ = built(turns=(Turn("user", (ToolResultPart("c", parts, name="f"),)),))
    assert body["contents"][0]["parts"] == [
        {
            "functionResponse": {
                "id": "c",
                "name": "f",
                "response": {"output": ["a", "b"]},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}],
            }
        }
    ]


def test_instructions_have_one_place() -> None:
    system = Turn("system", (TextPart("Be brief."), TextPart("")))
    body, ignored = built(turns=(system, *ASK.turns))
    assert body == {"contents": CONTENTS, "systemInstruction": {"parts": [{"text": "Be brief."}]}}
    assert ignored == ()
    body, ignored = built(turns=(*ASK.turns, system))
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert ignored == ("messages.position_of_system",)
