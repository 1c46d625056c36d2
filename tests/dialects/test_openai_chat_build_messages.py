"""The conversation that a provider is told."""

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
from tests.dialects.openai_chat_cases import built


def messages(*turns: Turn, **changes: Any) -> list[dict[str, Any]]:
    """Return the messages that a provider is told for ``turns``."""
    found = built(turns=turns, **changes)[0]["messages"]
    assert isinstance(found, list)
    return found


def test_results_come_before_the_rest_of_their_turn() -> None:
    turn = Turn("user", (TextPart("And?"), ToolResultPart("a", (TextPart("1"),)), ToolResultPart("b", ())))
    assert messages(turn) == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "user", "content": "And?"},
    ]


def test_a_failed_tool_is_told_as_a_result_and_listed() -> None:
    body, ignored = built(turns=(Turn("user", (ToolResultPart("a", (TextPart("no"),), is_error=True),)),))
    assert body["messages"] == [{"role": "tool", "tool_call_id": "a", "content": "no"}]
    assert ignored == ("tool_result.is_error",)


def test_several_texts_stay_apart() -> None:
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    parts = (TextPart("a"), TextPart("b"))
    assert messages(Turn("user", parts), Turn("assistant", parts), Turn("system", parts), system=parts) == [
        {"role": role, "content": texts} for role in ("system", "user", "assistant", "system")
    ]


def test_thinking_of_earlier_turns_is_left_out_and_listed_once() -> None:
    turn = Turn("assistant", (ThinkingPart("a", "s"), RedactedThinkingPart("x"), TextPart("b")))
    body, ignored = built(turns=(turn, turn))
    assert body["messages"] == [{"role": "assistant", "content": "b"}] * 2
    assert ignored == ("thinking",)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), {"content": ""}),
        ((ThinkingPart("x"),), {"content": ""}),
        ((RefusalPart("no"),), {"content": None, "refusal": "no"}),
        (
            (ToolCallPart("a", "f", {"x": "é"}),),
            {
                "content": None,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":"é"}'}}],
            },
        ),
    ],
)
def test_an_assistants_message_always_has_content_calls_or_a_refusal(
    parts: tuple[Part, ...], message: dict[str, Any]
) -> None:
    assert messages(Turn("assistant", parts)) == [{"role": "assistant", **message}]


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (ImagePart(url="https://x/y.png"), {"type": "image_url", "image_url": {"url": "https://x/y.png"}}),
        (ImagePart("image/png", "AAEC"), {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}),
        (FilePart(file_id="f1", name="n"), {"type": "file", "file": {"filename": "n", "file_id": "f1"}}),
        (
            FilePart("application/pdf", "AAEC"),
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AAEC"}},
        ),
        (FilePart(data="AAEC"), {"type": "file", "file": {"filename": "document", "file_data": "AAEC"}}),
        (OpaquePart("openai_chat", "input_audio", {"type": "input_audio"}), {"type": "input_audio"}),
    ],
)
def test_parts_of_a_users_message(part: Part, written: dict[str, Any]) -> None:
    assert messages(Turn("user", (part,))) == [{"role": "user", "content": [written]}]


@pytest.mark.parametrize(
    ("turn", "param"),
    [
        (Turn("user", (FilePart(url="https://x/y.pdf"),)), "messages.0.content.0"),
        (Turn("user", (TextPart("a"), OpaquePart("anthropic", "search_result", {}))), "messages.0.content.1"),
        (Turn("user", (ThinkingPart("a"),)), "messages.0.content.0"),
        (Turn("user", (ToolResultPart("a", (ImagePart(url="u"),)),)), "messages.0.content.0"),
        (Turn("assistant", (ImagePart(url="u"),)), "messages.0.content.0"),
        (Turn("assistant", (TextPart("a"), OpaquePart("gemini", "x", {}))), "messages.0.content.1"),
        (Turn("system", (ImagePart(url="u"),)), "messages.0.content.0"),
    ],
)
def test_a_part_that_cannot_be_sent_is_refused_by_its_place(turn: Turn, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        messages(turn)
    assert caught.value.param == param
