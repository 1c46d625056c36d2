"""What a Messages request says, and which ones are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import (
    OpaquePart,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    TextPart,
    Tool,
    ToolChoice,
    Turn,
)
from tests.dialects.anthropic_requests import MINIMAL, PARTS, RESULT, SEARCH, asked, said, source


def test_the_smallest_request() -> None:
    assert ANTHROPIC.parse(MINIMAL) == Request(model="m", max_tokens=5, turns=(Turn("user", (TextPart("Hi"),)),))


def test_a_request_with_everything() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    request = asked(
        system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        temperature=1,
        top_p=0.5,
        top_k=7,
        stop_sequences=["END"],
        stream=True,
        tools=[{"name": "f", "description": "d", "input_schema": schema, "strict": True}],
        tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": schema}},
        metadata={"user_id": "u"},
        service_tier="auto",
        container="c",
    )
    assert request == Request(
        model="m",
        turns=(Turn("user", (TextPart("Hi"),)),),
        system=(TextPart("Be brief."), TextPart("Be kind.")),
        max_tokens=5,
        temperature=1,
        top_p=0.5,
        top_k=7,
        stop=("END",),
        tools=(Tool("f", schema, "d", strict=True),),
        tool_choice=ToolChoice("tool", "f"),
        parallel_tools=False,
        reasoning=Reasoning(effort="high", budget=2048, show=False),
        output=OutputSchema(schema),
        user="u",
        stream=True,
        extra={"service_tier": "auto", "container": "c"},
    )


OPAQUE: list[tuple[dict[str, Any], str]] = [
    (SEARCH, "search_result"),
    ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, "server_tool_use"),
    ({"type": "image", "source": source("file", file_id="file_1")}, "image"),
    ({"type": "document", "source": source("content", content=[])}, "document"),
    ({**RESULT, "content": [SEARCH]}, "search_result"),
    ({"type": "novel", "x": {"y": 1}}, "novel"),
]


@pytest.mark.parametrize(("block", "part"), PARTS, ids=lambda value: "")
def test_a_block_and_its_part(block: dict[str, Any], part: Part) -> None:
    request = asked(messages=said(block))
    assert request.turns == (Turn("user", (part,)),)
    assert request.extra == {}


@pytest.mark.parametrize(("block", "kind"), OPAQUE, ids=[kind for _, kind in OPAQUE])
def test_a_block_without_a_part_is_kept_whole(block: dict[str, Any], kind: str) -> None:
    (turn,) = asked(messages=said(block)).turns
    assert turn.parts == (OpaquePart("anthropic", kind, block),)


def test_turns_keep_their_roles_and_order() -> None:
    roles = ["user", "assistant", "system", "user", "user"]
    turns = asked(messages=[{"role": role, "content": role} for role in roles]).turns
    assert [turn.role for turn in turns] == roles


def test_details_without_a_place_are_noted_by_their_names() -> None:
    cached = {"type": "ephemeral"}
    request = asked(
        system=[{"type": "text", "text": "s", "cache_control": cached}],
        messages=said(
            {"type": "text", "text": "t", "citations": [{"type": "char_location"}], "cache_control": cached},
            {"type": "document", "source": source("url", url="u"), "context": "c", "citations": {"enabled": True}},
            {"type": "tool_use", "id": "t", "name": "n", "input": {}, "caller": {"type": "direct"}},
        ),
        tools=[
            {"name": "f", "input_schema": {}, "defer_loading": True},
            {"type": "custom", "name": "g", "input_schema": {}},
        ],
        metadata={"user_id": None, "team": "a"},
        speed=None,
    )
    assert request.extra == {
        "cache_control": cached,
        "text.citations": [{"type": "char_location"}],
        "document.context": "c",
        "document.citations": {"enabled": True},
        "tool_use.caller": {"type": "direct"},
        "tools.defer_loading": True,
        "metadata": {"team": "a"},
    }


def test_tools_that_the_provider_runs_stay_as_they_are() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    request = asked(tools=[search, {"name": "f", "input_schema": {}}])
    assert request.extra == {"tools": [search]}
    assert request.tools == (Tool("f", {}),)


@pytest.mark.parametrize(
    ("fields", "reasoning", "extra"),
    [
        ({}, None, {}),
        ({"output_config": {}}, None, {}),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low"), {}),
        ({"thinking": {"type": "disabled"}}, Reasoning(enabled=False), {}),
        ({"thinking": {"type": "adaptive"}}, Reasoning(adaptive=True), {}),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, Reasoning(adaptive=True, show=True), {}),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            Reasoning(effort="max", adaptive=True),
            {},
        ),
        ({"thinking": {"type": "between_tools"}}, None, {"thinking": {"type": "between_tools"}}),
        (
            {"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}},
            Reasoning(effort="low"),
            {"thinking": {"type": "between_tools"}},
        ),
    ],
)
def test_thinking(fields: dict[str, Any], reasoning: Reasoning | None, extra: dict[str, Any]) -> None:
    request = asked(**fields)
    assert (request.reasoning, request.extra) == (reasoning, extra)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, (None, None)),
        ({"type": "auto"}, (ToolChoice("auto"), None)),
        ({"type": "any", "disable_parallel_tool_use": False}, (ToolChoice("any"), True)),
        ({"type": "none"}, (ToolChoice("none"), None)),
    ],
)
def test_tool_choice(choice: Any, expected: Any) -> None:
    request = asked(tool_choice=choice)
    assert (request.tool_choice, request.parallel_tools) == expected


def test_the_beta_name_of_the_output_format_still_counts() -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    assert asked(output_format=wanted) == asked(output_config={"format": wanted})


def test_headers_carry_the_key_and_the_clients_own_version() -> None:
    plain = ANTHROPIC.headers("sk-1", {"authorization": "Bearer theirs", "x-api-key": "theirs", "cookie": "c"})
    assert plain == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-1",
    }
    client = {"anthropic-version": "2026-10-21", "anthropic-beta": "a-2026-01-01,b"}
    chosen = ANTHROPIC.headers(None, client)
    assert {name: chosen[name] for name in client} == client
    assert "x-api-key" not in chosen


def test_the_door_and_a_body_that_is_passed_on() -> None:
    assert ANTHROPIC.endpoint("m") == "/v1/messages"
    body = {**MINIMAL, "stream": False, "novel": {"a": 1}}
    assert ANTHROPIC.forward(body, "claude") == {**body, "model": "claude", "stream": True}
    assert body["stream"] is False
