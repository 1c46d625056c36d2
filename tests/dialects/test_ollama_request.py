"""What a client of this dialect asks, read into the vocabulary; what is wrong with it, by name."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import DIALECTS
from tailrace.dialects.ollama import OLLAMA
from tailrace.errors import BadRequest
from tailrace.events import (
    ImagePart,
    OutputSchema,
    Reasoning,
    Request,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Turn,
)

SCHEMA = {"type": "object", "properties": {"station": {"type": "string"}}}
ASKED = {"role": "user", "content": "When?"}
PIXEL = "iVBORw0KGgo="


def parse(**body: Any) -> Request:
    return OLLAMA.parse({"model": "m", "messages": [ASKED], **body})


def call(name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {**more, "function": {"name": name, "arguments": arguments or {}}}


def test_the_least_that_can_be_asked() -> None:
    assert parse() == Request(model="m", turns=(Turn("user", (TextPart("When?"),)),), stream=True)


@pytest.mark.parametrize(("stream", "expected"), [(None, True), (True, True), (False, False)])
def test_an_answer_streams_unless_it_is_told_not_to(stream: bool | None, expected: bool) -> None:
    assert parse(stream=stream).stream is expected


def test_options_have_their_places() -> None:
    options = {
        "num_predict": 50, "temperature": 0.5, "top_p": 0.9, "top_k": 20, "seed": 7, "stop": ["END"],
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "num_ctx": 4096, "mirostat": 1,
    }  # fmt: skip
    request = parse(options=options, keep_alive="5m", truncate=False)
    assert (request.max_tokens, request.temperature, request.top_p, request.top_k) == (50, 0.5, 0.9, 20)
    assert (request.seed, request.stop) == (7, ("END",))
    assert (request.presence_penalty, request.frequency_penalty) == (0.1, 0.2)
    assert request.extra == {
        "keep_alive": "5m",
        "truncate": False,
        "options.num_ctx": 4096,
        "options.mirostat": 1,
    }


@pytest.mark.parametrize("limit", [-1, -2, 0])
def test_a_limit_that_is_none_is_kept_for_those_who_know_it(limit: int) -> None:
    request = parse(options={"num_predict": limit})
    assert request.max_tokens is None
    assert request.extra == {"options.num_predict": limit}


def test_one_stop_string_may_stand_alone() -> None:
    assert parse(options={"stop": "END"}).stop == ("END",)


@pytest.mark.parametrize(
    ("think", "reasoning"),
    [
        (None, None),
        (True, Reasoning()),
        (False, Reasoning(enabled=False)),
        ("low", Reasoning(effort="low")),
        ("high", Reasoning(effort="high")),
        ("none", Reasoning(enabled=False, effort="none")),
    ],
)
def test_think_is_yes_no_or_how_much(think: Any, reasoning: Reasoning | None) -> None:
    assert parse(think=think).reasoning == reasoning


@pytest.mark.parametrize(
    ("wanted", "output"), [(None, None), ("", None), ("json", OutputSchema()), (SCHEMA, OutputSchema(SCHEMA))]
)
def test_format_is_json_or_a_schema(wanted: Any, output: OutputSchema | None) -> None:
    assert parse(format=wanted).output == output


def test_tools() -> None:
    tools = [
        {"type": "function", "function": {"name": "gauge", "description": "A gauge.", "parameters": SCHEMA}},
        {"function": {"name": "list"}},
    ]
    assert parse(tools=tools).tools == (
        Tool("gauge", SCHEMA, "A gauge."),
        Tool("list", {"type": "object", "properties": {}}),
    )


def test_a_conversation() -> None:
    request = parse(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where?", "images": [PIXEL, "/9j/AAAA", "Qk0="]},
            {"role": "assistant", "content": "I look.", "thinking": "Hm.", "tool_calls": [call("gauge", {"a": 1})]},
            {"role": "tool", "content": "3 m", "tool_name": "gauge"},
            {"role": "system", "content": "Be briefer."},
            {"role": "user", "content": ""},
        ]
    )
    assert request.system == (TextPart("Be brief."),)
    assert request.turns == (
        Turn(
            "user",
            (
                TextPart("Where?"),
                ImagePart("image/png", PIXEL),
                ImagePart("image/jpeg", "/9j/AAAA"),
                ImagePart("application/octet-stream", "Qk0="),
            ),
        ),
        Turn("assistant", (ThinkingPart("Hm."), TextPart("I look."), ToolCallPart("call_2_0", "gauge", {"a": 1}))),
        Turn("user", (ToolResultPart("call_2_0", (TextPart("3 m"),), name="gauge"),)),
        Turn("system", (TextPart("Be briefer."),)),
        Turn("user", ()),
    )


def results(*messages: dict[str, Any]) -> list[tuple[str, str | None]]:
    turns = parse(messages=[ASKED, *messages]).turns
    return [(p.tool_call_id, p.name) for turn in turns for p in turn.parts if isinstance(p, ToolResultPart)]


THREE = {"role": "assistant", "tool_calls": [call("a"), call("b"), call("a", id="own")]}


def tool(**fields: str) -> dict[str, Any]:
    return {"role": "tool", "content": "x", **fields}


def test_results_find_their_calls_by_id_by_name_or_by_order() -> None:
    assert results(THREE, tool(tool_name="b"), tool(tool_name="a"), tool(tool_name="a")) == [
        ("call_1_1", "b"),
        ("call_1_0", "a"),
        ("own", "a"),
    ]
    assert results(THREE, tool(tool_call_id="own"), tool(), tool()) == [
        ("own", "a"),
        ("call_1_0", "a"),
        ("call_1_1", "b"),
    ]
    assert results(THREE, tool(tool_name="b"), THREE, tool(tool_name="b")) == [("call_1_1", "b"), ("call_3_1", "b")]


def test_a_result_of_no_call_has_an_id_of_its_own() -> None:
    assert results(tool(tool_name="a"), tool(tool_call_id="c9"), tool()) == [
        ("call_1", "a"),
        ("c9", None),
        ("call_3", None),
    ]


def test_all_results_of_one_turn_are_one_turn() -> None:
    turns = parse(messages=[ASKED, THREE, tool(tool_name="a"), tool(tool_name="b"), ASKED]).turns
    assert [(turn.role, len(turn.parts)) for turn in turns] == [("user", 1), ("assistant", 3), ("user", 2), ("user", 1)]


def test_details_without_a_place_are_noted() -> None:
    request = parse(
        messages=[{**ASKED, "mood": "calm"}],
        tools=[{"function": {"name": "f", "strict": True}}],
    )
    assert request.extra == {"messages.mood": "calm", "tools.function.strict": True}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": ""}, "model"),
    "a model that is a number": ({"model": 7}, "model"),
    "no messages": ({"messages": []}, "messages"),
    "messages that are text": ({"messages": "hi"}, "messages"),
    "a message that is text": ({"messages": ["hi"]}, "messages.0"),
    "no role": ({"messages": [{"content": "hi"}]}, "messages.0.role"),
    "an unknown role": ({"messages": [{"role": "sailor", "content": "hi"}]}, "messages.0.role"),
    "content in parts": ({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, "messages.0.content"),
    "images that are text": ({"messages": [{**ASKED, "images": PIXEL}]}, "messages.0.images"),
    "an image that is an object": ({"messages": [{**ASKED, "images": [{}]}]}, "messages.0.images.0"),
    "thinking that is an object": (
        {"messages": [{"role": "assistant", "thinking": {}}]},
        "messages.0.thinking",
    ),
    "a call without a name": (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]},
        "messages.0.tool_calls.0.function.name",
    ),
    "arguments that are text": (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
        "messages.0.tool_calls.0.function.arguments",
    ),
    "a tool of another type": ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
    "a tool without function": ({"tools": [{"type": "function"}]}, "tools.0.function"),
    "a tool without a name": ({"tools": [{"function": {}}]}, "tools.0.function.name"),
    "options that are a list": ({"options": []}, "options"),
    "a limit that is text": ({"options": {"num_predict": "50"}}, "options.num_predict"),
    "a limit of a half": ({"options": {"num_predict": 0.5}}, "options.num_predict"),
    "a stop that is a number": ({"options": {"stop": [1]}}, "options.stop.0"),
    "stream that is text": ({"stream": "yes"}, "stream"),
    "think that is a number": ({"think": 7}, "think"),
    "think that is a wish": ({"think": "hard"}, "think"),
    "think that is a list": ({"think": ["low"]}, "think"),
    "a format that is a list": ({"format": []}, "format"),
    "a format of another name": ({"format": "xml"}, "format"),
}


@pytest.mark.parametrize(("body", "param"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(**body)
    assert refused.value.param == param


def test_forwarding_changes_nothing_but_the_model_and_that_it_streams() -> None:
    body = {"model": "ollama/m", "messages": [ASKED], "stream": False, "novelty": {"x": 1}}
    assert OLLAMA.forward(body, "m") == {"model": "m", "messages": [ASKED], "stream": True, "novelty": {"x": 1}}
    assert body["stream"] is False


def test_where_and_how_it_is_asked() -> None:
    assert OLLAMA.endpoint("any") == "/api/chat"
    assert "authorization" not in OLLAMA.headers(None, {"authorization": "Bearer client"})
    assert OLLAMA.headers("k", {})["authorization"] == "Bearer k"


@pytest.mark.parametrize("target", ["anthropic", "openai_chat", "openai_responses", "bedrock"])
def test_hints_for_a_local_server_are_listed_elsewhere(target: str) -> None:
    request = OLLAMA.parse(
        {"model": "m", "messages": [ASKED], "keep_alive": 0, "options": {"num_ctx": 1}, "truncate": True, "shift": True}
    )
    ignored = DIALECTS[target].build(request).ignored
    assert set(ignored) >= {"keep_alive", "options.num_ctx", "truncate", "shift"}
