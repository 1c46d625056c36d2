"""``RunAgentInput``: read, refused by name, and told to providers of other dialects."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import DIALECTS
from tailrace.errors import BadRequest
from tailrace.events import (
    FilePart,
    ImagePart,
    Reasoning,
    RedactedThinkingPart,
    Request,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Turn,
)

DIALECT = DIALECTS["ag_ui"]

ASKED = {"id": "u1", "role": "user", "content": "When?"}


def call(name: str, arguments: str = '{"x":1}', **fields: Any) -> dict[str, Any]:
    return {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def result(name: str, content: Any = "3 m", **fields: Any) -> dict[str, Any]:
    return {"id": f"r_{name}", "role": "tool", "toolCallId": f"call_{name}", "content": content, **fields}


def said(content: str | None = None, *calls: Any, **fields: Any) -> dict[str, Any]:
    body = {"id": "a1", "role": "assistant", **fields}
    return body | ({} if content is None else {"content": content}) | ({"toolCalls": list(calls)} if calls else {})


def parse(*messages: Any, **body: Any) -> Request:
    base = {"threadId": "t1", "runId": "r1", "messages": list(messages) or [ASKED], "model": "m"}
    return DIALECT.parse({**base, **body})


def turns(*messages: Any) -> list[tuple[str, tuple[Any, ...]]]:
    return [(turn.role, turn.parts) for turn in parse(*messages).turns]


# ---- the conversation -----------------------------------------------------------------------------------------


def test_a_run_is_a_streaming_request_that_keeps_its_names() -> None:
    assert parse(parentRunId="p1") == Request(
        model="m",
        turns=(Turn("user", (TextPart("When?"),)),),
        stream=True,
        echo={"thread": "t1", "run": "r1", "parent": "p1"},
    )
    assert not parse(stream=False).stream
    assert parse(forwardedProps={"model": "other"}).model == "other"


def test_instructions_and_context_are_told_first() -> None:
    request = parse(
        {"id": "s", "role": "system", "content": "a"},
        {"id": "d", "role": "developer", "content": "b"},
        ASKED,
        {"id": "e", "role": "developer", "content": "c"},
        context=[{"description": "The page", "value": "Tides"}, {"description": "", "value": ""}],
        forwardedProps={"system": "z"},
    )
    assert request.system == tuple(TextPart(words) for words in ("z", "a", "b", "The page: Tides"))
    assert [(turn.role, turn.parts) for turn in request.turns][1:] == [("system", (TextPart("c"),))]


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"type": "text", "text": "a"}, TextPart("a")),
        (
            {"type": "image", "source": {"type": "data", "value": "AAAA", "mimeType": "image/png"}},
            ImagePart("image/png", "AAAA"),
        ),
        ({"type": "image", "source": {"type": "url", "value": "https://x/y"}}, ImagePart(url="https://x/y")),
        (
            {"type": "document", "source": {"type": "data", "value": "AAAA", "mimeType": "application/pdf"}},
            FilePart("application/pdf", "AAAA"),
        ),
        ({"type": "document", "source": {"type": "file", "value": "file-1"}}, FilePart(file_id="file-1")),
        (
            {"type": "audio", "source": {"type": "url", "value": "https://x/y", "mimeType": "audio/wav"}},
            FilePart("audio/wav", url="https://x/y"),
        ),
    ],
)
def test_content_in_parts(part: dict[str, Any], read: Any) -> None:
    assert turns({"id": "u", "role": "user", "content": [part]}) == [("user", (read,))]


def test_reasoning_text_and_calls_up_to_the_next_speaker_are_one_turn() -> None:
    assert turns(
        ASKED,
        {"id": "x", "role": "reasoning", "content": "hm", "encryptedValue": "s1"},
        {"id": "y", "role": "reasoning", "content": "", "encryptedValue": '{"redacted_thinking":"x"}'},
        {"id": "z", "role": "reasoning", "content": ""},
        said("I look.", call("a", encryptedValue="s2"), call("b", "{x")),
        result("a"),
        result("b", [{"type": "text", "text": "0 m"}], error="no gauge"),
        said("Three metres."),
        {"id": "p", "role": "activity", "activityType": "plan", "content": {}},
        {"id": "v", "role": "user", "content": "And low?"},
        {"id": "w", "role": "user", "content": "Please."},
    ) == [
        ("user", (TextPart("When?"),)),
        (
            "assistant",
            (
                ThinkingPart("hm", "s1"),
                RedactedThinkingPart("x"),
                TextPart("I look."),
                ToolCallPart("call_a", "a", {"x": 1}, "s2"),
                ToolCallPart("call_b", "b", {"arguments": "{x"}),
            ),
        ),
        (
            "user",
            (
                ToolResultPart("call_a", (TextPart("3 m"),)),
                ToolResultPart("call_b", (TextPart("0 m"),), True),
            ),
        ),
        ("assistant", (TextPart("Three metres."),)),
        ("user", (TextPart("And low?"),)),
        ("user", (TextPart("Please."),)),
    ]


def test_a_failure_without_words_is_told_by_its_error() -> None:
    last = turns(ASKED, said(None, call("a")), result("a", "", error="no gauge"))[-1]
    assert last[1] == (ToolResultPart("call_a", (TextPart("no gauge"),), True),)


@pytest.mark.parametrize(
    ("messages", "ignored"),
    [
        ([said("I look.", call("a"))], "toolCalls.unanswered"),
        (
            [said("I look.", call("a", metadata={"tailrace": {"server": True}})), result("a")],
            "toolCalls.server",
        ),
        (
            [{"id": "p", "role": "activity", "activityType": "plan", "content": {}}, said("I look.")],
            "messages.activity",
        ),
    ],
)
def test_what_a_provider_would_not_take_is_left_out_and_listed(messages: list[Any], ignored: str) -> None:
    request = parse(ASKED, *messages, {"id": "v", "role": "user", "content": "Well?"})
    assert [turn.parts for turn in request.turns][1] == (TextPart("I look."),)
    for target in ("anthropic", "openai_chat"):
        assert DIALECTS[target].build(request).ignored == (ignored,)


def test_state_is_listed_where_there_is_any() -> None:
    assert DIALECTS["anthropic"].build(parse(state={"x": 1})).ignored == ("RunAgentInput.state",)
    assert DIALECTS["anthropic"].build(parse(state={})).ignored == ()
    assert DIALECTS["anthropic"].build(parse(state=None)).ignored == ()


# ---- tools and settings ---------------------------------------------------------------------------------------


def test_tools_and_settings() -> None:
    request = parse(
        tools=[{"name": "f", "description": "d", "parameters": {"type": "object"}}, {"name": "g", "description": ""}],
        forwardedProps={"maxTokens": 9, "temperature": 0.5, "reasoning": "low", "verbosity": "low"},
    )
    assert request.tools == (Tool("f", {"type": "object"}, "d"), Tool("g", {"type": "object", "properties": {}}))
    assert (request.max_tokens, request.temperature, request.reasoning) == (9, 0.5, Reasoning(effort="low"))
    assert request.extra == {"verbosity": "low"}


def test_a_property_that_nobody_knows_is_refused_by_its_name() -> None:
    for target in ("anthropic", "openai_chat"):
        with pytest.raises(BadRequest) as caught:
            DIALECTS[target].build(parse(forwardedProps={"userId": "u"}))
        assert caught.value.param == "userId"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"threadId": None}, "threadId"),
        ({"threadId": ""}, "threadId"),
        ({"runId": 5}, "runId"),
        ({"runId": "x" * 257}, "runId"),
        ({"parentRunId": 5}, "parentRunId"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"id": "u", "role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"id": "u", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"id": "u", "role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"id": "u", "role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"id": "u", "role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"id": "u", "role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"id": "u", "role": "user", "content": [{"type": "smell"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"id": "u", "role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source"),
        (
            {
                "messages": [
                    {
                        "id": "u",
                        "role": "user",
                        "content": [{"type": "image", "source": {"type": "data", "value": "A"}}],
                    }
                ]
            },
            "messages.0.content.0.source.mimeType",
        ),
        (
            {
                "messages": [
                    {
                        "id": "u",
                        "role": "user",
                        "content": [{"type": "image", "source": {"type": "file", "value": "A"}}],
                    }
                ]
            },
            "messages.0.content.0.source.type",
        ),
        ({"messages": [said("x", {"type": "function"})]}, "messages.0.toolCalls.0.id"),
        (
            {"messages": [said("x", {"id": "call_a", "function": {}}), result("a")]},
            "messages.0.toolCalls.0.function.name",
        ),
        ({"messages": [{"id": "r", "role": "tool", "content": "x"}]}, "messages.0.toolCallId"),
        ({"resume": [{"interruptId": "i", "status": "resolved"}]}, "resume"),
        ({"tools": [{"description": "x"}]}, "tools.0.name"),
        ({"tools": "x"}, "tools"),
        ({"context": ["x"]}, "context.0"),
        ({"forwardedProps": "x"}, "forwardedProps"),
        ({"forwardedProps": {"temperature": "hot"}}, "forwardedProps.temperature"),
        ({"forwardedProps": {"model": 5}}, "forwardedProps.model"),
        ({"model": None}, "model"),
        ({"stream": 1}, "stream"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse({"threadId": "t", "runId": "r", "messages": [ASKED], "model": "m", **body})
    assert caught.value.param == param


def test_a_conversation_with_everything_reaches_every_provider() -> None:
    image = {"type": "image", "source": {"type": "data", "value": "AAAA", "mimeType": "image/png"}}
    request = parse(
        {"id": "s", "role": "system", "content": "Be brief."},
        ASKED,
        said("I look.", call("a"), call("b")),
        result("a"),
        result("b"),
        said("Three."),
        {"id": "v", "role": "user", "content": [{"type": "text", "text": "Where?"}, image]},
        tools=[{"name": "a", "description": "d"}],
    )
    body, ignored = DIALECTS["anthropic"].build(request)
    assert ignored == ()
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == ["call_a", "call_b"]
    body, ignored = DIALECTS["openai_chat"].build(request)
    assert ignored == ()
    assert [m["role"] for m in body["messages"]] == [
        "system", "user", "assistant", "tool", "tool", "assistant", "user",
    ]  # fmt: skip
    for name in ("openai_responses", "gemini", "ollama"):
        assert "Be brief." in str(DIALECTS[name].build(request).body)


def test_no_provider_can_be_asked_in_this_dialect() -> None:
    for ask in (lambda: DIALECT.build(Request(model="m", turns=())), lambda: DIALECT.forward({}, "m")):
        with pytest.raises(BadRequest):
            ask()


def test_the_way_to_a_relay() -> None:
    assert DIALECT.endpoint("m") == "/ag-ui"
    assert DIALECT.headers("key", {})["authorization"] == "Bearer key"
    assert "authorization" not in DIALECT.headers(None, {"authorization": "Bearer client"})
