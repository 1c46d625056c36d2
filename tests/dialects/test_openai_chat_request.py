"""What a client asks, as we understand it."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    OutputSchema,
    Reasoning,
    RefusalPart,
    Request,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)

USER = {"role": "user", "content": "When is high water?"}
SCHEMA = {"type": "object", "properties": {"station": {"type": "string"}}}


def parse(*messages: dict[str, Any], **body: Any) -> Request:
    return OPENAI_CHAT.parse({"model": "m1", "messages": list(messages) or [USER], **body})


def test_the_least_request() -> None:
    assert parse() == Request(model="m1", turns=(Turn("user", (TextPart("When is high water?"),)),))


def test_every_field_with_a_word_in_the_vocabulary() -> None:
    request = parse(
        max_completion_tokens=100,
        temperature=0.5,
        top_p=1,
        top_k=40,
        stop=["a", "b"],
        n=2,
        seed=7,
        presence_penalty=-1.5,
        frequency_penalty=0,
        parallel_tool_calls=False,
        user="u1",
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        reasoning_effort="high",
        response_format={"type": "json_object"},
        tools=[
            {"type": "function", "function": {"name": "read", "description": "d", "parameters": SCHEMA, "strict": True}}
        ],
        tool_choice={"type": "function", "function": {"name": "read"}},
    )
    assert request == Request(
        model="m1",
        turns=(Turn("user", (TextPart("When is high water?"),)),),
        max_tokens=100,
        temperature=0.5,
        top_p=1,
        top_k=40,
        stop=("a", "b"),
        choices=2,
        seed=7,
        presence_penalty=-1.5,
        frequency_penalty=0,
        parallel_tools=False,
        user="u1",
        stream=True,
        include_usage=True,
        reasoning=Reasoning(effort="high"),
        output=OutputSchema(),
        tools=(Tool("read", SCHEMA, "d", True),),
        tool_choice=ToolChoice("tool", "read"),
    )


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, True),
        ({"stream": False}, True),
        ({"stream": True}, False),
        ({"stream": True, "stream_options": None}, False),
        ({"stream": True, "stream_options": {"include_usage": None}}, False),
        ({"stream": True, "stream_options": {"include_usage": False}}, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True),
    ],
)
def test_usage_in_a_stream_is_for_those_who_ask(body: dict[str, Any], wanted: bool) -> None:
    assert parse(**body).include_usage == wanted


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_tokens": 5}, (5, {})),
        ({"max_tokens": 5.0}, (5, {})),
        ({"max_tokens": 5, "max_completion_tokens": 9}, (9, {})),
        ({"max_tokens": None}, (None, {})),
        ({"max_tokens": -1}, (None, {"max_tokens": -1})),
    ],
)
def test_the_limit_has_two_names(body: dict[str, Any], expected: tuple[int | None, dict[str, Any]]) -> None:
    request = parse(**body)
    assert (request.max_tokens, request.extra) == expected


@pytest.mark.parametrize(("stop", "expected"), [("x", ("x",)), (None, ()), ([], ()), (["x"], ("x",))])
def test_stop_is_one_text_or_several(stop: Any, expected: tuple[str, ...]) -> None:
    assert parse(stop=stop).stop == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("auto", ToolChoice("auto")), ("none", ToolChoice("none")), ("required", ToolChoice("any")), (None, None)],
)
def test_the_choice_of_tools_in_a_word(value: Any, expected: ToolChoice | None) -> None:
    assert parse(tool_choice=value).tool_choice == expected


@pytest.mark.parametrize(
    ("effort", "expected"),
    [("none", Reasoning(enabled=False, effort="none")), ("xhigh", Reasoning(effort="xhigh")), (None, None)],
)
def test_how_much_to_think(effort: str | None, expected: Reasoning | None) -> None:
    assert parse(reasoning_effort=effort).reasoning == expected


def test_the_shape_of_the_answer() -> None:
    described = {"name": "tide", "schema": SCHEMA, "strict": True, "description": "d"}
    wanted = {"type": "json_schema", "json_schema": described}
    assert parse(response_format=wanted).output == OutputSchema(SCHEMA, "tide", True, "d")
    assert parse(response_format={"type": "text"}).output is None


def test_what_has_no_word_is_kept_by_its_name() -> None:
    kept = {
        "logit_bias": {"5": 1},
        "metadata": {"a": "b"},
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        "response_format": {"type": "grammar", "grammar": "g"},
        "reasoning_effort": "extreme",
        "tools": [{"type": "custom", "custom": {"name": "log"}}],
        "functions": [{"name": "f"}],
    }
    assert parse(**kept, verbosity=None).extra == kept


# ---- messages -------------------------------------------------------------------------------------------------


def test_instructions_come_first_or_between() -> None:
    request = parse(
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be true."}]},
        USER,
        {"role": "system", "content": "Now in verse."},
    )
    assert request.system == (TextPart("Be brief."), TextPart("Be kind."), TextPart("Be true."))
    assert request.turns[1:] == (Turn("system", (TextPart("Now in verse."),)),)


PARTS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "text", "text": ""}, TextPart("")),
    (
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
        ImagePart(url="https://example.org/a.png", detail="low"),
    ),
    ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}, ImagePart("image/png", "AAEC")),
    (
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml;charset=utf-8;base64,AAEC"}},
        ImagePart("image/svg+xml", "AAEC"),
    ),
    (
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAEC"}},
        FilePart("application/pdf", "AAEC", name="a.pdf"),
    ),
    ({"type": "file", "file": {"file_data": "AAEC"}}, FilePart(data="AAEC")),
    ({"type": "file", "file": {"file_id": "file-1"}}, FilePart(file_id="file-1")),
    (
        {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}},
        OpaquePart(
            "openai_chat", "input_audio", {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}}
        ),
    ),
    ({"type": "video_url", "x": 1}, OpaquePart("openai_chat", "video_url", {"type": "video_url", "x": 1})),
]


@pytest.mark.parametrize(("part", "expected"), PARTS)
def test_parts_of_a_users_message(part: dict[str, Any], expected: Any) -> None:
    request = parse({"role": "user", "content": [part]})
    assert request.turns == (Turn("user", (expected,)),)
    assert request.extra == {}


def test_everything_an_assistant_says() -> None:
    request = parse(
        USER,
        {
            "role": "assistant",
            "reasoning_content": "Let me see.",
            "content": [{"type": "text", "text": "I look."}, {"type": "refusal", "refusal": "Not that."}],
            "refusal": "Nor this.",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "read", "arguments": '{"station":"Brest"}'}},
                {"id": "b", "type": "function", "function": {"name": "list", "arguments": ""}},
                {"id": "c", "type": "custom", "custom": {"name": "log", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "3 m"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "Brest"}], "name": "list"},
        USER,
    )
    assert request.turns[1] == Turn(
        "assistant",
        (
            ThinkingPart("Let me see."),
            TextPart("I look."),
            RefusalPart("Not that."),
            RefusalPart("Nor this."),
            ToolCallPart("a", "read", {"station": "Brest"}),
            ToolCallPart("b", "list", {}),
            OpaquePart("openai_chat", "custom", {"id": "c", "type": "custom", "custom": {"name": "log", "input": "x"}}),
        ),
    )
    assert request.turns[2] == Turn(
        "user", (ToolResultPart("a", (TextPart("3 m"),)), ToolResultPart("b", (TextPart("Brest"),), name="list"))
    )
    assert request.turns[3].parts == (TextPart("When is high water?"),)


def test_the_deprecated_form_of_calls_gets_ids_that_pair_up() -> None:
    request = parse(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "read", "arguments": "{}"}},
        {"role": "function", "name": "read", "content": "3 m"},
        {"role": "assistant", "content": None, "function_call": {"name": "read", "arguments": "{}"}},
        {"role": "function", "name": "read", "content": "4 m"},
    )
    calls = [part.id for turn in request.turns for part in turn.parts if isinstance(part, ToolCallPart)]
    results = [part.tool_call_id for turn in request.turns for part in turn.parts if isinstance(part, ToolResultPart)]
    assert calls == results == ["call_1", "call_3"]


def test_details_without_a_place_are_noted() -> None:
    request = parse(
        {
            "role": "user",
            "name": "ann",
            "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
        },
        {"role": "assistant", "content": "y", "audio": {"id": "a1"}, "refusal": None, "tool_calls": None},
        {"role": "user", "name": "bob", "content": [{"type": "image_url", "image_url": {"url": "u:"}, "note": 1}]},
        tools=[{"type": "function", "function": {"name": "f", "examples": []}, "weight": 1}],
    )
    assert request.extra == {
        "messages.name": "ann",
        "cache_control": {"type": "ephemeral"},
        "messages.audio": {"id": "a1"},
        "image_url.note": 1,
        "tools.weight": 1,
        "tools.function.examples": [],
    }
