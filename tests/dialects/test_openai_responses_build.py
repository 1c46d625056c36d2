"""Requests to a responses provider: from every dialect, and a client's own on its way."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import DIALECTS
from tailrace.dialects.openai_responses import OPENAI_RESPONSES
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

HI = (Turn("user", (TextPart("Hi"),)),)
PIXEL = "data:image/png;base64,AA=="


def built(**fields: Any) -> dict[str, Any]:
    return OPENAI_RESPONSES.build(Request(**{"model": "m", "turns": HI, **fields})).body


def ignored(**fields: Any) -> tuple[str, ...]:
    return OPENAI_RESPONSES.build(Request(**{"model": "m", "turns": HI, **fields})).ignored


def test_the_least_request_is_not_stored() -> None:
    assert built() == {"model": "m", "input": [{"role": "user", "content": "Hi"}], "store": False, "stream": True}


FIELDS: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({"system": (TextPart("One."),)}, {"instructions": "One."}, ()),
    (
        {"max_tokens": 9, "temperature": 1.5, "top_p": 0.5},
        {"max_output_tokens": 9, "temperature": 1.5, "top_p": 0.5},
        (),
    ),
    ({"user": "u"}, {"user": "u"}, ()),
    (
        {"top_k": 3, "seed": 1, "presence_penalty": 0.5, "frequency_penalty": 0.5},
        {},
        ("top_k", "seed", "presence_penalty", "frequency_penalty"),
    ),
    (
        {
            "tools": (Tool("f", {"type": "object"}, "d", True),),
            "tool_choice": ToolChoice("any"),
            "parallel_tools": False,
        },
        {
            "tools": [
                {"type": "function", "name": "f", "parameters": {"type": "object"}, "description": "d", "strict": True}
            ],
            "tool_choice": "required",
            "parallel_tool_calls": False,
        },
        (),
    ),
    (
        {"tools": (Tool("f", {}),), "tool_choice": ToolChoice("tool", "f")},
        {
            "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}],
            "tool_choice": {"type": "function", "name": "f"},
        },
        (),
    ),
    ({"tool_choice": ToolChoice("auto"), "parallel_tools": True}, {}, ()),
    (
        {"reasoning": Reasoning(effort="low")},
        {"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]},
        (),
    ),
    (
        {"reasoning": Reasoning(budget=8_000)},
        {"reasoning": {"effort": "medium", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
        ("reasoning.budget",),
    ),
    (
        {"reasoning": Reasoning(adaptive=True, show=False)},
        {"include": ["reasoning.encrypted_content"]},
        ("reasoning",),
    ),
    ({"reasoning": Reasoning(enabled=False)}, {}, ("reasoning",)),
    ({"reasoning": Reasoning(enabled=False, effort="none")}, {"reasoning": {"effort": "none"}}, ()),
    ({"output": OutputSchema()}, {"text": {"format": {"type": "json_object"}}}, ()),
    (
        {"output": OutputSchema({"type": "object"}, "n", True, "d"), "extra": {"verbosity": "low"}},
        {
            "text": {
                "verbosity": "low",
                "format": {
                    "type": "json_schema",
                    "name": "n",
                    "schema": {"type": "object"},
                    "description": "d",
                    "strict": True,
                },
            }
        },
        (),
    ),
    (
        {"extra": {"store": True, "metadata": {}, "service_tier": "flex"}},
        {"store": True, "metadata": {}, "service_tier": "flex"},
        (),
    ),
    (
        {
            "extra": {
                "service_tier": "standard_only",
                "cache_control": {},
                "prediction": {},
                "tools.x": 1,
                "context_management": {},
            }
        },
        {},
        ("service_tier", "cache_control", "prediction", "tools.x", "context_management"),
    ),
    ({"extra": {"logprobs": False, "logit_bias": {}, "modalities": ["text"]}}, {}, ()),
    (
        {"extra": {"include": ["x"]}, "reasoning": Reasoning(effort="high")},
        {"reasoning": {"effort": "high"}, "include": ["reasoning.encrypted_content", "x"]},
        (),
    ),
    ({"extra": {"tools": [{"type": "web_search"}]}}, {"tools": [{"type": "web_search"}]}, ()),
    ({"extra": {"tool_choice": {"type": "web_search"}}}, {}, ("tool_choice",)),
]


@pytest.mark.parametrize(("fields", "expected", "left_out"), FIELDS, ids=[str(i) for i in range(len(FIELDS))])
def test_fields(fields: dict[str, Any], expected: dict[str, Any], left_out: tuple[str, ...]) -> None:
    assert built(**fields) == {**built(), **expected}
    assert ignored(**fields) == left_out


SIGNED = "openai_responses:rs_1:e"
CONVERSATION: list[tuple[Turn, list[dict[str, Any]]]] = [
    (Turn("system", (TextPart("Hurry."),)), [{"role": "system", "content": "Hurry."}]),
    (Turn("assistant", ()), []),
    (Turn("assistant", (TextPart(""),)), []),
    (
        Turn(
            "assistant",
            (
                ThinkingPart("a", SIGNED),
                TextPart("x"),
                TextPart("y"),
                RefusalPart("no"),
                ToolCallPart("c", "f", {"a": 1}),
            ),
        ),
        [
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "a"}],
                "encrypted_content": "e",
                "id": "rs_1",
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "x"},
                    {"type": "output_text", "text": "y"},
                    {"type": "refusal", "refusal": "no"},
                ],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
        ],
    ),
    (
        Turn("assistant", (ThinkingPart("", "openai_responses::e"),)),
        [{"type": "reasoning", "summary": [], "encrypted_content": "e"}],
    ),
    (
        Turn(
            "user", (TextPart("See"), ImagePart("image/png", "AA=="), ImagePart(url="https://x.test/i", detail="low"))
        ),
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "See"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                    {"type": "input_image", "image_url": "https://x.test/i", "detail": "low"},
                ],
            }
        ],
    ),
    (
        Turn("user", (FilePart("application/pdf", "AA=="), FilePart(file_id="f"), FilePart(url="https://x.test/d"))),
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,AA=="},
                    {"type": "input_file", "file_id": "f"},
                    {"type": "input_file", "file_url": "https://x.test/d"},
                ],
            }
        ],
    ),
    (
        Turn("user", (TextPart("So?"), ToolResultPart("c", (TextPart("ok"),)), ToolResultPart("d", ()))),
        [
            {"type": "function_call_output", "call_id": "c", "output": "ok"},
            {"type": "function_call_output", "call_id": "d", "output": ""},
            {"role": "user", "content": "So?"},
        ],
    ),
    (
        Turn("user", (ToolResultPart("c", (TextPart("a"), ImagePart("image/png", "AA=="))),)),
        [
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                ],
            }
        ],
    ),
    (
        Turn("user", (OpaquePart("openai_responses", "mcp_approval_response", {"type": "mcp_approval_response"}),)),
        [{"type": "mcp_approval_response"}],
    ),
    (
        Turn("user", (OpaquePart("openai_responses", "input_audio", {"type": "input_audio"}),)),
        [{"role": "user", "content": [{"type": "input_audio"}]}],
    ),
    (
        Turn("assistant", (OpaquePart("openai_responses", "item_reference", {"type": "item_reference", "id": "i"}),)),
        [{"type": "item_reference", "id": "i"}],
    ),
]


@pytest.mark.parametrize(("turn", "items"), CONVERSATION, ids=[str(i) for i in range(len(CONVERSATION))])
def test_turns(turn: Turn, items: list[dict[str, Any]]) -> None:
    assert built(turns=(turn,))["input"] == items
    assert ignored(turns=(turn,)) == ()


def test_several_instructions_stay_apart() -> None:
    body = built(system=(TextPart("One."), TextPart("Two.")))
    assert "instructions" not in body
    assert body["input"][0] == {
        "role": "system",
        "content": [{"type": "input_text", "text": "One."}, {"type": "input_text", "text": "Two."}],
    }


@pytest.mark.parametrize(
    ("part", "left_out"),
    [
        (ThinkingPart("hm"), "thinking"),
        (ThinkingPart("hm", "another's"), "thinking"),
        (RedactedThinkingPart("r"), "thinking"),
    ],
)
def test_thoughts_that_are_not_this_dialects_are_left_out_and_listed(part: Part, left_out: str) -> None:
    assert ignored(turns=(Turn("assistant", (part,)),)) == (left_out,)


def test_a_result_that_is_an_error_says_so_in_words_only() -> None:
    assert ignored(turns=(Turn("user", (ToolResultPart("c", (), is_error=True),)),)) == ("tool_result.is_error",)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("n", {"choices": 2}),
    ("stop", {"stop": ("END",)}),
    ("logprobs", {"extra": {"logprobs": True}}),
    ("logit_bias", {"extra": {"logit_bias": {"7": 1}}}),
    ("audio", {"extra": {"audio": {}}}),
    ("mcp_servers", {"extra": {"mcp_servers": []}}),
    ("tools", {"extra": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}}),
    ("tools", {"extra": {"tools": [{"type": "custom", "custom": {"name": "f"}}]}}),
    ("tools", {"extra": {"tools": "all"}}),
    ("messages.0.content.0", {"turns": (Turn("user", (OpaquePart("anthropic", "search_result", {}),)),)}),
    ("messages.0.content.0", {"turns": (Turn("assistant", (OpaquePart("anthropic", "container_upload", {}),)),)}),
    ("messages.0.content.0", {"turns": (Turn("assistant", (ImagePart(url="https://x.test/i"),)),)}),
    ("messages.0.content.0", {"turns": (Turn("user", (ImagePart(),)),)}),
    ("messages.0.content.0", {"turns": (Turn("user", (FilePart(),)),)}),
    ("messages.0.content.0", {"turns": (Turn("user", (ToolCallPart("c", "f", {}),)),)}),
]


@pytest.mark.parametrize(("param", "fields"), REFUSED, ids=[f"{param}-{i}" for i, (param, _) in enumerate(REFUSED)])
def test_what_cannot_be_asked_is_refused_by_name(param: str, fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        built(**fields)
    assert caught.value.param == param


# ---- from and to the other dialects ---------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}
RICH: dict[str, Any] = {
    "model": "m",
    "instructions": "Be brief.",
    "max_output_tokens": 900,
    "temperature": 0.5,
    "top_p": 0.9,
    "tools": [{"type": "function", "name": "tide_at", "description": "d", "parameters": SCHEMA, "strict": True}],
    "tool_choice": {"type": "function", "name": "tide_at"},
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}},
    "user": "u",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": PIXEL}],
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
        {"type": "function_call", "call_id": "c1", "name": "tide_at", "arguments": '{"place":"Sk"}'},
        {"type": "function_call", "call_id": "c2", "name": "tide_at", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "06:12"},
        {"type": "function_call_output", "call_id": "c2", "output": "07:00"},
        {"role": "user", "content": "And then?"},
    ],
}

KEPT = ("turns", "system", "max_tokens", "temperature", "top_p", "tools", "tool_choice", "parallel_tools")


@pytest.mark.parametrize("target", ["anthropic", "openai_chat", "openai_responses"])
def test_a_rich_request_says_the_same_after_a_way_through_another_dialect(target: str) -> None:
    asked = OPENAI_RESPONSES.parse(RICH)
    body, left_out = DIALECTS[target].build(asked)
    heard = DIALECTS[target].parse(body)
    assert set(left_out) <= {"output.name"}
    for name in KEPT:
        assert getattr(heard, name) == getattr(asked, name), name
    assert heard.output is not None
    assert heard.output.schema == SCHEMA
    assert heard.reasoning == asked.reasoning
    again = OPENAI_RESPONSES.parse(OPENAI_RESPONSES.build(heard).body)
    for name in KEPT:
        assert getattr(again, name) == getattr(asked, name), name


def test_a_thought_goes_back_to_its_provider_through_a_client_of_another_dialect() -> None:
    """The client of another dialect gets the signature with the block, and gives it back unread."""
    block = {"type": "thinking", "thinking": "Moon.", "signature": SIGNED}
    messages = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": [block, {"type": "text", "text": "Yes."}]},
        {"role": "user", "content": "Why?"},
    ]
    thinking = {"type": "enabled", "budget_tokens": 4_000}
    asked = DIALECTS["anthropic"].parse({"model": "m", "max_tokens": 9, "messages": messages, "thinking": thinking})
    body, left_out = OPENAI_RESPONSES.build(asked)
    assert body["input"][1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Moon."}],
        "encrypted_content": "e",
    }
    assert body["reasoning"] == {"effort": "medium", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert left_out == ("reasoning.budget",)


# ---- on its way -----------------------------------------------------------------------------------------------


def test_a_clients_own_request_goes_on_as_it_came_but_streaming_and_in_the_foreground() -> None:
    body = {
        "model": "alias",
        "input": "Hi",
        "background": True,
        "background_options": {},
        "new_field": 1,
        "stream": False,
    }
    assert OPENAI_RESPONSES.forward(body, "real") == {"model": "real", "input": "Hi", "new_field": 1, "stream": True}
    assert body["background"] is True


def test_what_a_relay_made_of_other_providers_answers_does_not_reach_this_one() -> None:
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}
    items = [
        {"role": "user", "content": "?"},
        own,
        {"type": "reasoning", "id": "rs_tailrace_x_0", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "tailrace:signature:s"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "tailrace": {"signature": "g"}},
        "not an item",
    ]
    assert OPENAI_RESPONSES.forward({"input": items}, "m")["input"] == [
        items[0],
        own,
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        "not an item",
    ]
