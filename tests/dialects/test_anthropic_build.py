"""What a request becomes for an Anthropic provider, whoever asked it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.errors import BadRequest
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    OutputSchema,
    Part,
    Reasoning,
    RedactedThinkingPart,
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
from tests.dialects.anthropic_requests import PARTS, asked, said

HELLO = Turn("user", (TextPart("Hi"),))
PLAIN = Request(model="m", turns=(HELLO,))
SCHEMA = {"type": "object"}


def built(**changes: Any) -> dict[str, Any]:
    body, ignored = ANTHROPIC.build(msgspec.structs.replace(PLAIN, **changes))
    assert ignored == ()
    return body


def left_out(**changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, ignored = ANTHROPIC.build(msgspec.structs.replace(PLAIN, **changes))
    return body, ignored


def user(*parts: Part) -> Turn:
    return Turn("user", parts)


def test_the_smallest_request() -> None:
    assert built() == {
        "model": "m",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "stream": True,
    }


def test_a_request_with_everything() -> None:
    body = built(
        system=(TextPart("Be brief."),),
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        stop=("END",),
        tools=(Tool("f", SCHEMA, "d", strict=True), Tool("g", SCHEMA)),
        tool_choice=ToolChoice("any"),
        parallel_tools=False,
        reasoning=Reasoning(effort="low", adaptive=True, show=True),
        output=OutputSchema(SCHEMA),
        user="u",
        extra={"service_tier": "auto", "container": "c"},
    )
    assert body == {
        **built(),
        "system": [{"type": "text", "text": "Be brief."}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "stop_sequences": ["END"],
        "tools": [
            {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True},
            {"name": "g", "input_schema": SCHEMA},
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
        "container": "c",
    }


@pytest.mark.parametrize(
    "block", [block for block, part in PARTS if part != TextPart("")], ids=lambda block: block["type"]
)
def test_a_block_comes_back_as_it_was(block: dict[str, Any]) -> None:
    body, ignored = ANTHROPIC.build(asked(messages=said(block)))
    shorthand = isinstance(block.get("content"), str)
    written = {**block, "content": [{"type": "text", "text": block["content"]}]} if shorthand else block
    assert (body["messages"], ignored) == (said(written), ())


def test_a_block_that_only_anthropic_knows_comes_back_as_it_was() -> None:
    block = {
        "type": "search_result",
        "source": "s",
        "title": "t",
        "content": [],
        "cache_control": {"type": "ephemeral"},
    }
    assert ANTHROPIC.build(asked(messages=said(block))) == ({**asked_body(block)}, ())


def asked_body(block: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 5, "messages": said(block), "stream": True}


@pytest.mark.parametrize(
    ("reasoning", "limit"),
    [
        (None, 4096),
        (Reasoning(enabled=False), 4096),
        (Reasoning(budget=2000), 6096),
        (Reasoning(adaptive=True), 16384),
        (Reasoning(effort="high"), 16384),
    ],
)
def test_the_limit_where_the_client_gave_none(reasoning: Reasoning | None, limit: int) -> None:
    assert built(reasoning=reasoning)["max_tokens"] == limit
    assert left_out(reasoning=reasoning, max_tokens=0)[0]["max_tokens"] == 0


@pytest.mark.parametrize(
    ("reasoning", "thinking", "effort"),
    [
        (Reasoning(), {"type": "adaptive"}, None),
        (Reasoning(enabled=False), {"type": "disabled"}, None),
        (Reasoning(enabled=False, effort="none"), {"type": "disabled"}, None),
        (Reasoning(enabled=False, effort="low"), {"type": "disabled"}, "low"),
        (Reasoning(enabled=False, show=True), {"type": "disabled"}, None),
        (Reasoning(budget=3000), {"type": "enabled", "budget_tokens": 3000}, None),
        (
            Reasoning(budget=3000, effort="max", show=False),
            {"type": "enabled", "budget_tokens": 3000, "display": "omitted"},
            "max",
        ),
        (Reasoning(adaptive=True), {"type": "adaptive"}, None),
        (Reasoning(show=False), {"type": "adaptive", "display": "omitted"}, None),
        (Reasoning(effort="medium"), None, "medium"),
        (Reasoning(effort="minimal"), None, "low"),
        (Reasoning(effort="high", show=True), {"type": "adaptive", "display": "summarized"}, "high"),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, thinking: dict[str, Any] | None, effort: str | None) -> None:
    body = built(reasoning=reasoning)
    assert body.get("thinking") == thinking
    assert body.get("output_config") == (None if effort is None else {"effort": effort})


@pytest.mark.parametrize(
    ("budget", "limit", "written"),
    [
        (1024, 1025, 1024),
        (3000, 3001, 3000),
        (3000, 3000, 2999),
        (24576, 20000, 19999),
        (1023, None, 1024),
        (512, 4000, 1024),
        (3000, 1024, 1024),
    ],
)
def test_a_budget_is_within_the_bounds_that_the_api_has(budget: int, limit: int | None, written: int) -> None:
    body, ignored = left_out(reasoning=Reasoning(budget=budget), max_tokens=limit)
    assert body["thinking"]["budget_tokens"] == written
    assert ignored == (() if written == budget else ("reasoning.budget",))


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice("tool", "f"), None, {"type": "tool", "name": "f"}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, parallel: bool | None, expected: Any) -> None:
    tools = (Tool("f", SCHEMA),)
    assert built(tools=tools, tool_choice=choice, parallel_tools=parallel).get("tool_choice") == expected
    assert "tool_choice" not in built(tool_choice=choice, parallel_tools=parallel)


def test_results_of_one_turns_calls_are_one_message() -> None:
    """The API refuses a call whose result is not in the very next message."""
    calls = Turn("assistant", (ToolCallPart("a", "f", {}), ToolCallPart("b", "f", {"x": 1})))
    results = (user(ToolResultPart("a", (TextPart("1"),))), user(ToolResultPart("b", (), is_error=True)))
    messages = built(turns=(HELLO, calls, *results, HELLO, HELLO))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "user", "user"]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "1"}]},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True},
    ]


def test_instructions_before_the_conversation_are_the_system_and_later_ones_stay_in_place() -> None:
    system = Turn("system", (TextPart("b"),))
    body = built(system=(TextPart("a"), TextPart("")), turns=(system, HELLO, system))
    assert body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [message["role"] for message in body["messages"]] == ["user", "system"]


def test_what_says_nothing_is_not_written() -> None:
    empty = Turn("assistant", (TextPart(""),))
    assert built(turns=(HELLO, empty, user(), HELLO))["messages"] == [*built()["messages"], *built()["messages"]]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"seed": 7}, "seed"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": -1.0}, "frequency_penalty"),
        ({"extra": {"store": True}}, "store"),
        ({"extra": {"service_tier": "flex"}}, "service_tier"),
        ({"extra": {"prompt_cache_key": "k"}}, "prompt_cache_key"),
        ({"extra": {"metadata": {"a": "b"}}}, "metadata"),
        ({"extra": {"verbosity": "low"}}, "verbosity"),
        ({"extra": {"cache_control": {"type": "ephemeral"}}}, "cache_control"),
        ({"turns": (HELLO, Turn("assistant", (ThinkingPart("hm"),)))}, "thinking"),
        ({"turns": (HELLO, Turn("assistant", (RedactedThinkingPart({"id": 1}),)))}, "thinking"),
    ],
)
def test_hints_are_left_out_and_listed(changes: dict[str, Any], name: str) -> None:
    assert left_out(**changes) == (built(), (name,))


def test_details_are_left_out_and_listed_once() -> None:
    image = ImagePart(url="https://x.test/i", detail="low")
    body, ignored = left_out(
        turns=(user(image, image),), output=OutputSchema(SCHEMA, "n", strict=True, description="d")
    )
    assert ignored == ("image_url.detail", "output.name", "output.description")
    assert body["messages"][0]["content"][0] == {"type": "image", "source": {"type": "url", "url": "https://x.test/i"}}


@pytest.mark.parametrize(
    "extra",
    [{"logprobs": False}, {"top_logprobs": 0}, {"logit_bias": {}}, {"modalities": ["text"]}],
    ids=lambda extra: next(iter(extra)),
)
def test_what_asks_for_nothing_is_no_matter(extra: dict[str, Any]) -> None:
    assert built(extra=extra) == built()


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"choices": 2}, "n"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": -0.5}, "temperature"),
        ({"output": OutputSchema()}, "response_format"),
        ({"extra": {"logprobs": True}}, "logprobs"),
        ({"extra": {"modalities": ["text", "audio"]}}, "modalities"),
        ({"extra": {"audio": {"voice": "x"}}}, "audio"),
        ({"extra": {"novel": 1}}, "novel"),
        ({"extra": {"tools": [{"type": "custom", "custom": {"name": "x"}}]}}, "tools"),
        ({"extra": {"tools": "x"}}, "tools"),
        ({"turns": (user(OpaquePart("openai_chat", "input_audio", {})),)}, "messages.0.content.0"),
        ({"turns": (HELLO, user(TextPart("a"), OpaquePart("anthropic", "x", "no object")))}, "messages.1.content.1"),
        ({"turns": (user(ImagePart()),)}, "messages.0.content.0"),
        ({"turns": (user(FilePart("audio/wav", "AA==")),)}, "messages.0.content.0"),
        ({"turns": (user(FilePart("text/plain", "not base64!")),)}, "messages.0.content.0"),
        ({"turns": (user(FilePart("text/plain", "/w==")),)}, "messages.0.content.0"),
        ({"turns": (Turn("assistant", (ToolCallPart("t", "n", [1]),)),)}, "messages.0.content.0"),
        ({"turns": (user(ToolResultPart("t", (FilePart(data="AA=="),))),)}, "messages.0.content.0"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        left_out(**changes)
    assert caught.value.param == param


def test_an_earlier_refusal_is_said_again() -> None:
    turns = (HELLO, Turn("assistant", (RefusalPart("No."),)), HELLO)
    assert built(turns=turns)["messages"][1] == {"role": "assistant", "content": [{"type": "text", "text": "No."}]}


def test_tools_that_the_provider_runs_go_back_to_it() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    mcp = {"type": "mcp_toolset", "mcp_server_name": "s"}
    body = built(tools=(Tool("f", SCHEMA),), extra={"tools": [search, mcp]}, tool_choice=ToolChoice("auto"))
    assert body["tools"] == [{"name": "f", "input_schema": SCHEMA}, search, mcp]
    assert built(extra={"tools": [search]}, parallel_tools=False)["tool_choice"]["disable_parallel_tool_use"]


def test_what_another_provider_signed_is_left_out_and_listed() -> None:
    """A conversation that began at OpenAI goes on here: the API would refuse a signature that is not its own."""
    turns = (
        Turn("user", (TextPart("Hi"),)),
        Turn("assistant", (ThinkingPart("hm", "openai_responses:rs_1:abc="), TextPart("Hello"))),
        Turn("assistant", (ThinkingPart("ha", "c2ln"),)),
        Turn("user", (TextPart("Go on"),)),
    )
    body, ignored = ANTHROPIC.build(Request(model="m", turns=turns))
    kinds = [[block["type"] for block in turn["content"]] for turn in body["messages"]]
    assert kinds == [["text"], ["text"], ["thinking"], ["text"]]
    assert "thinking" in ignored
