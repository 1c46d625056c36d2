"""The body of DefaultChatTransport: read, refused by name, and told to providers of other dialects."""

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
    ToolChoice,
    ToolResultPart,
    Turn,
)

DIALECT = DIALECTS["ai_sdk"]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def message(role: str, *parts: Any, name: str = "m") -> dict[str, Any]:
    return {"id": name, "role": role, "parts": list(parts)}


ASKED = message("user", text("When?"), name="u1")
STEP = {"type": "step-start"}


def tool(state: str, name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": f"tool-{name}", "toolCallId": f"call_{name}", "state": state, "input": {"x": 1}, **fields}


def parse(*messages: Any, **body: Any) -> Request:
    return DIALECT.parse(
        {"id": "chat 1", "messages": list(messages) or [ASKED], "trigger": "submit-message", "model": "m", **body}
    )


def turns(*messages: Any) -> list[tuple[str, tuple[Any, ...]]]:
    return [(turn.role, turn.parts) for turn in parse(*messages).turns]


# ---- the conversation -----------------------------------------------------------------------------------------


def test_a_question_is_a_streaming_request_that_names_its_chat() -> None:
    assert parse() == Request(
        model="m", turns=(Turn("user", (TextPart("When?"),)),), stream=True, echo={"chat": "chat 1"}
    )
    assert not parse(stream=False).stream


def test_system_messages_at_the_beginning_are_instructions() -> None:
    request = parse(message("system", text("a"), text("b")), ASKED, message("system", text("c")), system="z")
    assert request.system == (TextPart("z"), TextPart("a"), TextPart("b"))
    assert [turn.role for turn in request.turns] == ["user", "system"]


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"mediaType": "image/png", "url": "data:image/png;base64,AAAA"}, ImagePart("image/png", "AAAA")),
        ({"mediaType": "image/*", "url": "data:image/png;base64,AAAA"}, ImagePart("image/png", "AAAA")),
        ({"mediaType": "image/png", "url": "https://x/y.png"}, ImagePart("image/png", url="https://x/y.png")),
        (
            {"mediaType": "application/pdf", "url": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
            FilePart("application/pdf", "AAAA", name="a.pdf"),
        ),
        ({"mediaType": "text/plain", "url": "data:text/plain,a%20b"}, FilePart("text/plain", "YSBi")),
        (
            {"mediaType": "text/plain", "url": "data:text/plain;charset=utf-8;base64,YQ=="},
            FilePart("text/plain", "YQ=="),
        ),
        ({"mediaType": "application/pdf", "url": "https://x/y"}, FilePart("application/pdf", url="https://x/y")),
    ],
)
def test_a_file_is_an_image_or_a_document(part: dict[str, Any], read: Any) -> None:
    assert turns(message("user", {"type": "file", **part})) == [("user", (read,))]


def test_an_answer_in_steps_is_turns_with_the_results_between() -> None:
    said = message(
        "assistant",
        STEP,
        {"type": "reasoning", "text": "hm", "providerMetadata": {"tailrace": {"signature": "s1"}}},
        text("I look."),
        tool("output-available", "a", output={"metres": 3}, callProviderMetadata={"tailrace": {"signature": "s2"}}),
        tool("output-error", "b", errorText="no gauge", input=None, rawInput="{x"),
        {**tool("output-denied", "c", approval={"id": "p", "approved": False, "reason": "private"}), "input": None},
        STEP,
        {"type": "reasoning", "text": "", "providerMetadata": {"tailrace": {"redacted": "x", "dialect": "anthropic"}}},
        {"type": "reasoning", "text": ""},
        text("Three metres."),
        {"type": "source-url", "sourceId": "1", "url": "u"},
        {"type": "data-weather", "data": {}},
    )
    assert turns(ASKED, said, message("user", text("And low?"))) == [
        ("user", (TextPart("When?"),)),
        (
            "assistant",
            (
                ThinkingPart("hm", "s1"),
                TextPart("I look."),
                ToolCallPart("call_a", "a", {"x": 1}, "s2"),
                ToolCallPart("call_b", "b", "{x"),
                ToolCallPart("call_c", "c", {}),
            ),
        ),
        (
            "user",
            (
                ToolResultPart("call_a", (TextPart('{"metres":3}'),), name="a"),
                ToolResultPart("call_b", (TextPart("no gauge"),), True, "b"),
                ToolResultPart("call_c", (TextPart("private"),), True, "c"),
            ),
        ),
        ("assistant", (RedactedThinkingPart("x"), TextPart("Three metres."))),
        ("user", (TextPart("And low?"),)),
    ]


def test_a_chat_of_the_sdks_own_provider_keeps_its_signatures() -> None:
    kept = {"type": "reasoning", "text": "hm", "providerMetadata": {"anthropic": {"signature": "s"}}}
    closed = {"type": "reasoning", "text": "", "providerMetadata": {"anthropic": {"redactedData": "x"}}}
    assert turns(ASKED, message("assistant", kept, closed))[1][1] == (
        ThinkingPart("hm", "s"),
        RedactedThinkingPart("x"),
    )


def test_a_dynamic_tool_and_one_whose_call_was_denied() -> None:
    dynamic = {**tool("output-available", output="text"), "type": "dynamic-tool", "toolName": "g"}
    denied = tool("approval-responded", "h", approval={"id": "p", "approved": False})
    _, said, results = turns(ASKED, message("assistant", dynamic, denied))
    assert [part.name for part in said[1]] == ["g", "h"]
    assert [(part.parts[0].text, part.is_error) for part in results[1]] == [
        ("text", False),
        ("the user denied the call", True),
    ]


@pytest.mark.parametrize("state", ["input-streaming", "input-available", "approval-requested", "approval-responded"])
def test_a_call_that_nobody_answered_is_left_out_and_listed(state: str) -> None:
    request = parse(ASKED, message("assistant", text("I look."), tool(state)), message("user", text("Well?")))
    assert [turn.parts for turn in request.turns][1] == (TextPart("I look."),)
    for target in ("anthropic", "openai_chat"):
        assert DIALECTS[target].build(request).ignored == (f"tool.{state}",)


def test_what_a_provider_ran_itself_is_left_out_and_listed() -> None:
    ran = tool("output-available", output=[], providerExecuted=True)
    request = parse(ASKED, message("assistant", ran, text("Found.")), message("user", text("Well?")))
    assert request.turns[1].parts == (TextPart("Found."),)
    assert DIALECTS["anthropic"].build(request).ignored == ("tool.providerExecuted",)


def test_a_message_that_came_in_between_is_the_users() -> None:
    steering = {"type": "steering-message", "id": "s", "parts": [text("Hurry.")]}
    assert turns(ASKED, message("assistant", text("I"), steering, text("do.")))[1:] == [
        ("assistant", (TextPart("I"),)),
        ("user", (TextPart("Hurry."),)),
        ("assistant", (TextPart("do."),)),
    ]


@pytest.mark.parametrize(
    ("body", "echo"),
    [
        ({"messages": [ASKED]}, None),
        ({"messages": [ASKED, message("assistant", text("x"), name="a1")]}, "a1"),
        ({"messages": [ASKED, message("assistant", text("x"), name="a1"), ASKED]}, None),
        ({"messages": [ASKED, message("assistant", text("x"), name="a1"), ASKED], "messageId": "a1"}, "a1"),
        ({"messages": [ASKED], "messageId": "u1", "trigger": "regenerate-message"}, None),
    ],
)
def test_the_answer_goes_on_with_the_assistants_message(body: dict[str, Any], echo: str | None) -> None:
    assert DIALECT.parse({"id": "c", "model": "m", **body}).echo.get("message") == echo


# ---- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"maxOutputTokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"temperature": 0.5, "topP": 0.9, "topK": 3}, {"temperature": 0.5, "top_p": 0.9, "top_k": 3}),
        ({"top_p": 0.9, "top_k": 3}, {"top_p": 0.9, "top_k": 3}),
        ({"presencePenalty": 1, "frequency_penalty": 1}, {"presence_penalty": 1, "frequency_penalty": 1}),
        ({"stopSequences": ["END"], "seed": 7, "user": "u"}, {"stop": ("END",), "seed": 7, "user": "u"}),
        ({"stop": "END"}, {"stop": ("END",)}),
        ({"toolChoice": "required"}, {"tool_choice": ToolChoice("any")}),
        ({"tool_choice": {"type": "tool", "toolName": "f"}}, {"tool_choice": ToolChoice("tool", "f")}),
        ({"reasoning": "high"}, {"reasoning": Reasoning(effort="high")}),
        ({"reasoning": "none"}, {"reasoning": Reasoning(enabled=False, effort="none")}),
        ({"reasoning": "provider-default"}, {"reasoning": None}),
        (
            {"tools": {"f": {"description": "d", "parameters": {"type": "object"}}}},
            {"tools": (Tool("f", {"type": "object"}, "d"),)},
        ),
        (
            {"tools": [{"name": "f", "inputSchema": {"type": "object"}, "strict": True}]},
            {"tools": (Tool("f", {"type": "object"}, None, True),)},
        ),
        ({"tools": [{"name": "f"}]}, {"tools": (Tool("f", {"type": "object", "properties": {}}),)}),
    ],
)
def test_what_an_application_adds(body: dict[str, Any], fields: dict[str, Any]) -> None:
    request = parse(**body)
    assert {name: getattr(request, name) for name in fields} == fields
    assert request.extra == {}


def test_a_field_without_a_word_goes_to_who_knows_it_and_is_refused_by_who_does_not() -> None:
    request = parse(verbosity="low", userId="u", nothing=None)
    assert request.extra == {"verbosity": "low", "userId": "u"}
    for target in ("anthropic", "openai_chat"):
        with pytest.raises(BadRequest) as caught:
            DIALECTS[target].build(request)
        assert caught.value.param == "userId"
    body, _ = DIALECTS["openai_chat"].build(parse(verbosity="low"))
    assert body["verbosity"] == "low"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages.0.parts"),
        ({"messages": [message("user")]}, "messages"),
        ({"messages": [message("tool", text("x"))]}, "messages.0.role"),
        ({"messages": [message("user", {"text": "x"})]}, "messages.0.parts.0.type"),
        ({"messages": [message("user", {"type": "text"})]}, "messages.0.parts.0.text"),
        ({"messages": [message("user", {"type": "reasoning", "text": "x"})]}, "messages.0.parts.0.type"),
        ({"messages": [message("system", {"type": "file"})]}, "messages.0.parts.0.type"),
        ({"messages": [message("user", {"type": "file", "url": "x"})]}, "messages.0.parts.0.mediaType"),
        (
            {"messages": [message("user", {"type": "file", "mediaType": "image/png", "url": "blob:x"})]},
            "messages.0.parts.0.url",
        ),
        (
            {"messages": [message("user", {"type": "file", "mediaType": "image/png", "url": "data:x;base64,A"})]},
            "messages.0.parts.0.url",
        ),
        (
            {"messages": [message("user", {"type": "file", "mediaType": "image/png", "url": "data:;base64,A~"})]},
            "messages.0.parts.0.url",
        ),
        (
            {
                "messages": [
                    message(
                        "user", {"type": "file", "mediaType": "a/b", "url": "x", "providerReference": {"openai": "1"}}
                    )
                ]
            },
            "messages.0.parts.0.providerReference",
        ),
        ({"messages": [message("assistant", tool("later"))]}, "messages.0.parts.0.state"),
        ({"messages": [message("assistant", {"type": "tool-f", "state": "x"})]}, "messages.0.parts.0.toolCallId"),
        ({"messages": [message("assistant", {"type": "dynamic-tool", "state": "x"})]}, "messages.0.parts.0.toolName"),
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"id": 5}, "id"),
        ({"id": "x" * 257}, "id"),
        ({"messageId": "x" * 257}, "messageId"),
        ({"trigger": 5}, "trigger"),
        ({"stream": "no"}, "stream"),
        ({"maxOutputTokens": 0}, "maxOutputTokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"topP": "x"}, "topP"),
        ({"seed": 1.5}, "seed"),
        ({"system": ["x"]}, "system"),
        ({"stopSequences": ["a", 5]}, "stopSequences.1"),
        ({"toolChoice": "f"}, "toolChoice"),
        ({"reasoning": "much"}, "reasoning"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"tools": "x"}, "tools"),
        ({"tools": {"f": "x"}}, "tools.f"),
        ({"tools": [{"description": "x"}]}, "tools.0.name"),
        ({"tools": [{"name": "f", "parameters": []}]}, "tools.0.parameters"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse({"id": "c", "messages": [ASKED], "model": "m", **body})
    assert caught.value.param == param


# ---- to providers ---------------------------------------------------------------------------------------------


def test_a_conversation_with_everything_reaches_every_provider() -> None:
    said = message(
        "assistant", STEP, text("I look."), tool("output-available", "f", output="3 m"), STEP, text("Three.")
    )
    asked = message(
        "user", text("Where?"), {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA"}
    )
    request = parse(ASKED, said, asked, system="Be brief.", tools=[{"name": "f"}], maxOutputTokens=9)
    body, ignored = DIALECTS["anthropic"].build(request)
    assert ignored == ()
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert body["messages"][1]["content"][1] == {"type": "tool_use", "id": "call_f", "name": "f", "input": {"x": 1}}
    assert body["messages"][2]["content"][0]["tool_use_id"] == "call_f"
    assert body["messages"][4]["content"][1]["source"]["data"] == "AAAA"
    body, ignored = DIALECTS["openai_chat"].build(request)
    assert ignored == ()
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "tool", "assistant", "user"]
    for name in ("openai_responses", "gemini", "ollama"):
        assert "Be brief." in str(DIALECTS[name].build(request).body)


def test_no_provider_can_be_asked_in_this_dialect() -> None:
    for call in (lambda: DIALECT.build(Request(model="m", turns=())), lambda: DIALECT.forward({}, "m")):
        with pytest.raises(BadRequest):
            call()


def test_the_way_to_a_relay() -> None:
    assert DIALECT.endpoint("m") == "/ui/chat"
    assert DIALECT.headers("key", {})["authorization"] == "Bearer key"
    assert "authorization" not in DIALECT.headers(None, {"authorization": "Bearer client"})
