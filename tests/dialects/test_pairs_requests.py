"""Anthropic ⇄ Chat Completions: what a client of one asks, as a provider of the other is asked."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tailrace.dialects import DIALECTS
from tailrace.errors import BadRequest

ANTHROPIC, CHAT = DIALECTS["anthropic"], DIALECTS["openai_chat"]

SCHEMA = {"type": "object", "properties": {"station": {"type": "string"}}, "required": ["station"]}
PIXEL = "iVBORw0KGgo="


class Pair(NamedTuple):
    """The same request in both dialects, without model, limit and streaming."""

    anthropic: dict[str, Any]
    chat: dict[str, Any]


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


ASKED = user(text("When is high water?"))
CHAT_ASKED = {"role": "user", "content": "When is high water?"}

PAIRS: dict[str, Pair] = {
    "text": Pair({"messages": [ASKED]}, {"messages": [CHAT_ASKED]}),
    "several texts": Pair(
        {"messages": [user(text("a"), text("b"))]},
        {"messages": [user(text("a"), text("b"))]},
    ),
    "instructions": Pair(
        {"system": [text("Be brief.")], "messages": [ASKED]},
        {"messages": [{"role": "system", "content": "Be brief."}, CHAT_ASKED]},
    ),
    "conversation": Pair(
        {"messages": [ASKED, {"role": "assistant", "content": [text("At six.")]}, user(text("And low?"))]},
        {
            "messages": [
                CHAT_ASKED,
                {"role": "assistant", "content": "At six."},
                {"role": "user", "content": "And low?"},
            ]
        },
    ),
    "image": Pair(
        {
            "messages": [
                user(
                    text("Where?"),
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
                )
            ]
        },
        {
            "messages": [
                user(
                    text("Where?"),
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                )
            ]
        },
    ),
    "document": Pair(
        {
            "messages": [
                user(
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                        "title": "tides.pdf",
                    }
                )
            ]
        },
        {
            "messages": [
                user(
                    {
                        "type": "file",
                        "file": {"filename": "tides.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                    }
                )
            ]
        },
    ),
    "parallel calls and their results": Pair(
        {
            "messages": [
                ASKED,
                {
                    "role": "assistant",
                    "content": [
                        text("I look both up."),
                        {"type": "tool_use", "id": "t1", "name": "read_gauge", "input": {"station": "Brest"}},
                        {"type": "tool_use", "id": "t2", "name": "list_stations", "input": {}},
                    ],
                },
                user(
                    {"type": "tool_result", "tool_use_id": "t1", "content": [text("3 m")]},
                    {"type": "tool_result", "tool_use_id": "t2", "content": [text("Brest"), text("Vigo")]},
                ),
            ],
            "tools": [{"name": "read_gauge", "input_schema": SCHEMA, "description": "A gauge.", "strict": True}],
        },
        {
            "messages": [
                CHAT_ASKED,
                {
                    "role": "assistant",
                    "content": "I look both up.",
                    "tool_calls": [
                        {
                            "id": "t1",
                            "type": "function",
                            "function": {"name": "read_gauge", "arguments": '{"station":"Brest"}'},
                        },
                        {"id": "t2", "type": "function", "function": {"name": "list_stations", "arguments": "{}"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "t1", "content": "3 m"},
                {"role": "tool", "tool_call_id": "t2", "content": [text("Brest"), text("Vigo")]},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "read_gauge", "parameters": SCHEMA, "description": "A gauge.", "strict": True},
                }
            ],
        },
    ),
    "sampling": Pair(
        {
            "messages": [ASKED],
            "temperature": 0.5,
            "top_p": 0.9,
            "stop_sequences": ["END"],
            "metadata": {"user_id": "u"},
        },
        {"messages": [CHAT_ASKED], "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "user": "u"},
    ),
    "one tool at a time": Pair(
        {
            "messages": [ASKED],
            "tools": [{"name": "f", "input_schema": SCHEMA}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
        {
            "messages": [CHAT_ASKED],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
        },
    ),
    "any tool": Pair(
        {
            "messages": [ASKED],
            "tools": [{"name": "f", "input_schema": SCHEMA}],
            "tool_choice": {"type": "any"},
        },
        {
            "messages": [CHAT_ASKED],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
            "tool_choice": "required",
        },
    ),
    "a certain tool": Pair(
        {
            "messages": [ASKED],
            "tools": [{"name": "f", "input_schema": SCHEMA}],
            "tool_choice": {"type": "tool", "name": "f"},
        },
        {
            "messages": [CHAT_ASKED],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
    ),
    "an effort": Pair(
        {"messages": [ASKED], "output_config": {"effort": "high"}},
        {"messages": [CHAT_ASKED], "reasoning_effort": "high"},
    ),
}

each = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@each
def test_an_anthropic_request_reaches_a_chat_provider(pair: Pair) -> None:
    request = ANTHROPIC.parse({"model": "m", "max_tokens": 9, **pair.anthropic})
    assert CHAT.build(request) == ({"model": "m", "max_completion_tokens": 9, **pair.chat, **STREAMED}, ())


@each
def test_a_chat_request_reaches_an_anthropic_provider(pair: Pair) -> None:
    request = CHAT.parse({"model": "m", "max_completion_tokens": 9, **pair.chat, **STREAMED})
    assert ANTHROPIC.build(request) == ({"model": "m", "max_tokens": 9, **pair.anthropic, "stream": True}, ())


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        ({"top_k": 5}, ("top_k",)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, ("reasoning.budget",)),
        ({"thinking": {"type": "disabled"}}, ("reasoning",)),
        ({"service_tier": "standard_only"}, ("service_tier",)),
        ({"system": [{**text("x"), "cache_control": {"type": "ephemeral"}}]}, ("cache_control",)),
        ({"context_management": {"edits": []}}, ("context_management",)),
    ],
)
def test_what_an_anthropic_client_wishes_and_chat_cannot_say_is_listed(
    body: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    request = ANTHROPIC.parse({"model": "m", "max_tokens": 9, "messages": [ASKED], **body})
    assert CHAT.build(request).ignored == ignored


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        ({"seed": 5}, ("seed",)),
        ({"logprobs": False, "modalities": ["text"]}, ()),
        ({"service_tier": "flex", "store": True}, ("service_tier", "store")),
        ({"messages": [{**CHAT_ASKED, "name": "ann"}]}, ("messages.name",)),
    ],
)
def test_what_a_chat_client_wishes_and_anthropic_cannot_say_is_listed(
    body: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    request = CHAT.parse({"model": "m", "messages": [CHAT_ASKED], **body})
    assert sorted(ANTHROPIC.build(request).ignored) == sorted(ignored)


def test_thinking_of_an_earlier_turn_stays_with_its_provider() -> None:
    said = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, text("Six.")]}
    request = ANTHROPIC.parse({"model": "m", "max_tokens": 9, "messages": [ASKED, said, ASKED]})
    body, ignored = CHAT.build(request)
    assert body["messages"][1] == {"role": "assistant", "content": "Six."}
    assert ignored == ("thinking",)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"mcp_servers": [{"type": "url", "url": "u", "name": "n"}]}, "mcp_servers"),
        ({"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, "tools"),
        (
            {"messages": [user({"type": "search_result", "source": "s", "title": "t", "content": []})]},
            "messages.0.content.0",
        ),
    ],
)
def test_what_chat_cannot_be_asked_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    request = ANTHROPIC.parse({"model": "m", "max_tokens": 9, "messages": [ASKED], **body})
    with pytest.raises(BadRequest) as caught:
        CHAT.build(request)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "custom", "custom": {"name": "log"}}]}, "tools"),
        ({"max_tokens": -1}, "max_tokens"),
        (
            {"messages": [user({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}})]},
            "messages.0.content.0",
        ),
    ],
)
def test_what_anthropic_cannot_be_asked_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    request = CHAT.parse({"model": "m", "messages": [CHAT_ASKED], **body})
    with pytest.raises(BadRequest) as caught:
        ANTHROPIC.build(request)
    assert caught.value.param == param


@pytest.mark.parametrize("target", ["anthropic", "openai_chat"])
def test_a_plain_question_reaches_every_provider(target: str) -> None:
    request = DIALECTS["plain"].parse({"model": "m", "prompt": "When?", "system": "Be brief.", "max_tokens": 9})
    body, ignored = DIALECTS[target].build(request)
    assert "When?" in str(body["messages"])
    assert "Be brief." in str(body)
    assert ignored == ()
