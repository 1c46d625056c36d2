"""What a provider is asked: a request in this dialect's words, and a client's own on its way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tailrace.dialects import KNOWN_PROVIDERS, Quirks
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.errors import BadRequest
from tailrace.events import (
    ImagePart,
    OutputSchema,
    Reasoning,
    Request,
    TextPart,
    Tool,
    ToolChoice,
    Turn,
)
from tests.dialects.openai_chat_cases import built

SCHEMA = {"type": "object", "properties": {}}


def test_the_least_request_streams_with_usage() -> None:
    assert built() == (
        {
            "model": "m1",
            "messages": [{"role": "user", "content": "When?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        (),
    )


def test_every_field_is_said_in_this_dialects_words() -> None:
    body, ignored = built(
        system=(TextPart("Be brief."),),
        max_tokens=100,
        temperature=0.5,
        top_p=0.9,
        stop=("a",),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        choices=2,
        user="u1",
        parallel_tools=False,
        tools=(Tool("read", SCHEMA, "d", True),),
        tool_choice=ToolChoice("tool", "read"),
        reasoning=Reasoning(effort="low"),
        output=OutputSchema(SCHEMA, "tide", True, "d"),
    )
    assert ignored == ()
    assert body == {
        "model": "m1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When?"}],
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["a"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "n": 2,
        "user": "u1",
        "parallel_tool_calls": False,
        "tools": [
            {"type": "function", "function": {"name": "read", "parameters": SCHEMA, "description": "d", "strict": True}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "read"}},
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "tide", "schema": SCHEMA, "description": "d", "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_request_of_this_dialect_comes_back_through_the_vocabulary() -> None:
    body = {
        "model": "m1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC", "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "content": "b",
                "tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
            },
            {"role": "tool", "tool_call_id": "x", "content": "c"},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}}]},
            {"role": "assistant", "content": None, "refusal": "d"},
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAEC"}}
                ],
            },
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": SCHEMA}},
            {"type": "custom", "custom": {"name": "log"}},
        ],
        "tool_choice": "required",
        "max_completion_tokens": 5,
        "logit_bias": {"5": 1},
        "service_tier": "flex",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert OPENAI_CHAT.build(OPENAI_CHAT.parse(body)) == (body, ())


@pytest.mark.parametrize(("mode", "word"), [("auto", "auto"), ("none", "none"), ("any", "required")])
def test_the_choice_of_tools(mode: Any, word: str) -> None:
    tools = (Tool("f", SCHEMA),)
    assert built(tools=tools, tool_choice=ToolChoice(mode))[0]["tool_choice"] == word
    assert "tool_choice" not in built(tool_choice=ToolChoice(mode))[0]


@pytest.mark.parametrize(
    ("reasoning", "effort", "ignored"),
    [
        (Reasoning(effort="max"), "max", ()),
        (Reasoning(enabled=False, effort="none"), "none", ()),
        (Reasoning(enabled=False), None, ("reasoning",)),
        (Reasoning(enabled=False, effort="high"), None, ("reasoning",)),
        (Reasoning(adaptive=True), None, ("reasoning",)),
        (Reasoning(adaptive=True, show=True), None, ("reasoning.show", "reasoning")),
        (Reasoning(budget=1_024), "low", ("reasoning.budget",)),
        (Reasoning(budget=10_000), "medium", ("reasoning.budget",)),
        (Reasoning(budget=30_000), "high", ("reasoning.budget",)),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, effort: str | None, ignored: tuple[str, ...]) -> None:
    body, found = built(reasoning=reasoning)
    assert (body.get("reasoning_effort"), found) == (effort, ignored)


@pytest.mark.parametrize(
    ("extra", "said", "ignored"),
    [
        ({"logprobs": True, "store": False}, {"logprobs": True, "store": False}, ()),
        ({"service_tier": "flex"}, {"service_tier": "flex"}, ()),
        ({"service_tier": "standard_only"}, {}, ("service_tier",)),
        ({"service_tier": {}}, {}, ("service_tier",)),
        ({"cache_control": {"type": "ephemeral"}, "speed": "fast"}, {}, ("cache_control", "speed")),
        ({"document.context": "c", "messages.name": "ann"}, {}, ("document.context", "messages.name")),
        ({"tools": [{"type": "custom", "custom": {}}]}, {"tools": [{"type": "custom", "custom": {}}]}, ()),
    ],
)
def test_further_fields_are_said_or_listed(
    extra: dict[str, Any], said: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    plain, _ = built()
    assert built(extra=extra) == ({**plain, **said}, ignored)


@pytest.mark.parametrize(
    "extra", [{"mcp_servers": []}, {"container": "c"}, {"tools": [{"type": "web_search_20260209"}]}, {"tools": {}}]
)
def test_what_cannot_be_asked_is_refused_by_name(extra: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        built(extra=extra)
    assert caught.value.param == next(iter(extra))


def test_wishes_without_a_word_are_listed() -> None:
    assert built(top_k=40)[1] == ("top_k",)


# ---- on the way, and where ------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [None, {"include_usage": False, "include_obfuscation": False}, "wrong"])
def test_a_body_of_this_dialect_is_forwarded_as_it_came_but_streaming_with_usage(options: Any) -> None:
    body = {
        "model": "route",
        "messages": [{"role": "user", "content": "x", "name": "ann"}],
        "new_field": {"a": [1]},
        "max_tokens": 5,
        "stream": False,
        "stream_options": options,
    }
    before = msgspec.json.encode(body)
    rest = options if isinstance(options, dict) else {}
    assert OPENAI_CHAT.forward(body, "m1") == {
        **body,
        "model": "m1",
        "stream": True,
        "stream_options": {**rest, "include_usage": True},
    }
    assert msgspec.json.encode(body) == before


@pytest.mark.parametrize(
    ("quirks", "missing", "renamed"),
    [
        (Quirks(), (), False),
        (Quirks(old_max_tokens=True), (), True),
        (KNOWN_PROVIDERS["deepseek"].quirks, (), True),
        (KNOWN_PROVIDERS["mistral"].quirks, ("stream_options",), True),
        (KNOWN_PROVIDERS["openai"].quirks, (), False),
    ],
)
def test_a_server_that_knows_less_is_asked_in_its_words(
    quirks: Quirks, missing: tuple[str, ...], renamed: bool
) -> None:
    body, _ = built(max_tokens=7)
    adapted = OPENAI_CHAT.adapt(body, quirks)
    assert adapted.get("max_tokens" if renamed else "max_completion_tokens") == 7
    assert ("max_completion_tokens" in adapted) != renamed
    assert set(body) - set(adapted) == {*missing, *({"max_completion_tokens"} if renamed else ())}
    assert body["max_completion_tokens"] == 7


def test_the_endpoint_is_below_a_base_url_that_ends_in_v1() -> None:
    assert OPENAI_CHAT.endpoint("m1") == "/chat/completions"


def test_the_headers_carry_the_relays_key_and_not_the_clients() -> None:
    client = {"authorization": "Bearer client", "openai-organization": "org", "openai-beta": "b=1", "cookie": "c"}
    assert OPENAI_CHAT.headers("secret", client) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "authorization": "Bearer secret",
        "openai-beta": "b=1",
    }
    assert "authorization" not in OPENAI_CHAT.headers(None, client)


def test_an_image_without_its_media_type_is_refused() -> None:
    """A data URL must name one, and a made-up one would be a lie."""
    turns = (Turn("user", (ImagePart(data="aGk="),)),)
    with pytest.raises(BadRequest) as caught:
        OPENAI_CHAT.build(Request(model="m", turns=turns))
    assert "media type" in str(caught.value)
