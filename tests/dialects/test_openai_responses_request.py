"""A client's request for a response: what it says, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

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

NAME = "openai_responses"
MINIMAL: dict[str, Any] = {"model": "m", "input": "Hi"}
HI = (Turn("user", (TextPart("Hi"),)),)


def asked(**fields: Any) -> Request:
    return OPENAI_RESPONSES.parse({**MINIMAL, **fields})


def turns(*items: Any) -> tuple[Turn, ...]:
    return asked(input=list(items)).turns


def test_the_least_request() -> None:
    assert asked() == Request(model="m", turns=HI)


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"instructions": "Be brief."}, {"system": (TextPart("Be brief."),)}),
    ({"max_output_tokens": 9}, {"max_tokens": 9}),
    ({"temperature": 0.5, "top_p": 1}, {"temperature": 0.5, "top_p": 1}),
    ({"stream": True, "stream_options": {"include_obfuscation": False}}, {"stream": True}),
    ({"background": True, "background_options": {"completion_window": "soonest"}}, {"background": True}),
    ({"user": "u"}, {"user": "u"}),
    ({"parallel_tool_calls": False}, {"parallel_tools": False}),
    ({"tool_choice": "none"}, {"tool_choice": ToolChoice("none")}),
    ({"tool_choice": "required"}, {"tool_choice": ToolChoice("any")}),
    ({"tool_choice": {"type": "function", "name": "f"}}, {"tool_choice": ToolChoice("tool", "f")}),
    (
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
        {"extra": {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}},
    ),
    (
        {
            "tools": [
                {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True, "description": "d"}
            ]
        },
        {"tools": (Tool("f", {"type": "object"}, "d", True),)},
    ),
    (
        {"tools": [{"type": "function", "name": "f", "parameters": None, "strict": None}]},
        {"tools": (Tool("f", {"type": "object", "properties": {}}),)},
    ),
    ({"tools": [{"type": "web_search"}]}, {"extra": {"tools": [{"type": "web_search"}]}}),
    ({"reasoning": {"effort": "low"}}, {"reasoning": Reasoning(effort="low")}),
    ({"reasoning": {"effort": "none"}}, {"reasoning": Reasoning(enabled=False, effort="none")}),
    ({"reasoning": {"summary": "auto"}}, {"reasoning": Reasoning(show=True)}),
    ({"reasoning": {"generate_summary": "concise"}}, {"reasoning": Reasoning(show=True)}),
    ({"reasoning": {"effort": None, "summary": None}}, {}),
    ({"reasoning": {"context": "all_turns"}}, {"extra": {"reasoning.context": "all_turns"}}),
    ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"extra": {"verbosity": "low"}}),
    ({"text": {"format": {"type": "json_object"}}}, {"output": OutputSchema()}),
    (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}}},
        {"output": OutputSchema({"type": "object"}, "n", True)},
    ),
    ({"truncation": "disabled", "top_logprobs": 0, "include": ["reasoning.encrypted_content"]}, {}),
    ({"include": ["file_search_call.results"]}, {"extra": {"include": ["file_search_call.results"]}}),
    ({"store": False, "metadata": {"k": "v"}}, {"extra": {"store": False, "metadata": {"k": "v"}}}),
    ({"previous_response_id": "resp_1"}, {"extra": {"previous_response_id": "resp_1"}}),
    ({"previous_response_id": None, "conversation": None}, {}),
]


@pytest.mark.parametrize(("fields", "expected"), FIELDS, ids=lambda value: ",".join(value))
def test_fields(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert asked(**fields) == Request(**{"model": "m", "turns": HI, **expected})


PARTS: list[tuple[dict[str, Any], Part]] = [
    ({"type": "input_text", "text": "x"}, TextPart("x")),
    (
        {"type": "input_image", "image_url": "https://x.test/i", "detail": "low"},
        ImagePart(url="https://x.test/i", detail="low"),
    ),
    ({"type": "input_image", "image_url": "data:image/png;base64,AA=="}, ImagePart("image/png", "AA==")),
    (
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
        ImagePart("image/png", "AA=="),
    ),
    (
        {"type": "input_image", "file_id": "file_1", "detail": "auto"},
        OpaquePart(NAME, "input_image", {"type": "input_image", "file_id": "file_1", "detail": "auto"}),
    ),
    ({"type": "input_file", "file_id": "file_1"}, FilePart(file_id="file_1")),
    ({"type": "input_file", "file_url": "https://x.test/d"}, FilePart(url="https://x.test/d")),
    (
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        FilePart("application/pdf", "AA==", name="a.pdf"),
    ),
    ({"type": "input_file", "file_data": "AA=="}, FilePart(data="AA==")),
    (
        {"type": "input_audio", "input_audio": {}},
        OpaquePart(NAME, "input_audio", {"type": "input_audio", "input_audio": {}}),
    ),
]


@pytest.mark.parametrize(("part", "expected"), PARTS, ids=lambda value: str(value)[:40])
def test_parts(part: dict[str, Any], expected: Part) -> None:
    assert turns({"role": "user", "content": [part]}) == (Turn("user", (expected,)),)
    assert turns({"type": "message", "role": "user", "content": [part]}) == (Turn("user", (expected,)),)


CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c1",
    "name": "f",
    "arguments": '{"a":1}',
    "status": "completed",
}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "ok"}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Yes", "annotations": [], "logprobs": []}],
}


def test_items_of_one_side_are_one_turn_and_results_stand_together() -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "a"}],
        "encrypted_content": "e",
    }
    found = turns(
        {"role": "user", "content": "Q"},
        thought,
        SAID,
        CALL,
        {**CALL, "call_id": "c2", "arguments": ""},
        RESULT,
        {**RESULT, "call_id": "c2", "output": [{"type": "input_text", "text": "t"}]},
        {"role": "user", "content": "And?"},
        {"role": "user", "content": "More."},
        {"role": "developer", "content": "Hurry."},
        {"role": "assistant", "content": "Done."},
    )
    assert found == (
        Turn("user", (TextPart("Q"),)),
        Turn(
            "assistant",
            (
                ThinkingPart("a", "openai_responses:rs_1:e"),
                TextPart("Yes"),
                ToolCallPart("c1", "f", {"a": 1}),
                ToolCallPart("c2", "f", {}),
            ),
        ),
        Turn("user", (ToolResultPart("c1", (TextPart("ok"),)), ToolResultPart("c2", (TextPart("t"),)))),
        Turn("user", (TextPart("And?"),)),
        Turn("user", (TextPart("More."),)),
        Turn("system", (TextPart("Hurry."),)),
        Turn("assistant", (TextPart("Done."),)),
    )


def test_instructions_come_from_three_places() -> None:
    request = asked(
        instructions="One.",
        input=[
            {"role": "system", "content": "Two."},
            {"role": "developer", "content": "Three."},
            {"role": "user", "content": "Hi"},
        ],
    )
    assert request.system == (TextPart("One."), TextPart("Two."), TextPart("Three."))
    assert request.turns == HI


ITEMS: list[tuple[dict[str, Any], Part, str]] = [
    ({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, RefusalPart("No."), "assistant"),
    ({"type": "reasoning", "summary": []}, ThinkingPart(""), "assistant"),
    (
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        ThinkingPart("hm"),
        "assistant",
    ),
    ({"type": "reasoning", "encrypted_content": "tailrace:signature:s"}, ThinkingPart("", "s"), "assistant"),
    ({"type": "reasoning", "encrypted_content": "tailrace:redacted:r"}, RedactedThinkingPart("r"), "assistant"),
    ({**RESULT, "output": []}, ToolResultPart("c1", ()), "user"),
    (
        {**RESULT, "output": [{"type": "input_image", "image_url": "https://x.test/i"}]},
        ToolResultPart("c1", (ImagePart(url="https://x.test/i"),)),
        "user",
    ),
    *(
        (item, OpaquePart(NAME, str(item["type"]), item), side)
        for item, side in (
            ({"type": "item_reference", "id": "msg_1"}, "assistant"),
            ({"type": "web_search_call", "id": "ws_1"}, "assistant"),
            ({"type": "compaction", "encrypted_content": "c"}, "assistant"),
            ({"type": "custom_tool_call_output", "call_id": "c", "output": "x"}, "user"),
            ({"type": "mcp_approval_response", "approval_request_id": "m", "approve": True}, "user"),
            ({**RESULT, "output": [{"type": "input_image", "file_id": "f"}]}, "user"),
        )
    ),
]


@pytest.mark.parametrize(("item", "part", "side"), ITEMS, ids=lambda value: str(value)[:40])
def test_items(item: dict[str, Any], part: Part, side: Any) -> None:
    assert turns(item) == (Turn(side, (part,)),)


def test_what_has_no_place_is_noted_by_its_name() -> None:
    request = asked(
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "x", "prompt_cache_breakpoint": {}}]},
            {**CALL, "caller": 1},
        ],
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": False, "defer_loading": True}],
        reasoning={"effort": "low", "mode": "pro"},
    )
    assert set(request.extra) == {
        "input_text.prompt_cache_breakpoint", "function_call.caller", "tools.defer_loading", "reasoning.mode",
    }  # fmt: skip


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("model", {"model": None}),
    ("model", {"model": 7}),
    ("input", {"input": None}),
    ("input", {"input": 7}),
    ("input", {"input": []}),
    ("input", {"input": [{"role": "system", "content": "x"}]}),
    ("input.0", {"input": ["x"]}),
    ("input.0.role", {"input": [{"role": "tool", "content": "x"}]}),
    ("input.0.role", {"input": [{"type": "message", "content": "x"}]}),
    ("input.0.type", {"input": [{"type": 7}]}),
    ("input.0.content", {"input": [{"role": "user", "content": 7}]}),
    ("input.0.content.0", {"input": [{"role": "user", "content": ["x"]}]}),
    ("input.0.content.0.type", {"input": [{"role": "user", "content": [{"text": "x"}]}]}),
    ("input.0.content.0.text", {"input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
    ("input.0.content.0.image_url", {"input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
    (
        "input.0.content.0.image_url",
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]},
    ),
    ("input.0.content.0", {"input": [{"role": "user", "content": [{"type": "input_file"}]}]}),
    ("input.0.content.0", {"input": [{"role": "system", "content": [{"type": "input_file", "file_id": "f"}]}]}),
    ("input.0.call_id", {"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
    ("input.0.name", {"input": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}),
    ("input.0.arguments", {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"}]}),
    ("input.0.arguments", {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}),
    ("input.0.call_id", {"input": [{"type": "function_call_output", "output": "x"}]}),
    ("input.0.output", {"input": [{"type": "function_call_output", "call_id": "c", "output": 7}]}),
    ("input.0.summary", {"input": [{"type": "reasoning", "summary": "x"}]}),
    ("input.0.encrypted_content", {"input": [{"type": "reasoning", "encrypted_content": 7}]}),
    ("instructions", {"instructions": []}),
    ("max_output_tokens", {"max_output_tokens": 0}),
    ("max_output_tokens", {"max_output_tokens": "9"}),
    ("temperature", {"temperature": "hot"}),
    ("stream", {"stream": "yes"}),
    ("background", {"background": 1}),
    ("background_options.completion_window", {"background_options": {"completion_window": "2h"}}),
    ("include", {"include": "all"}),
    ("tools", {"tools": {}}),
    ("tools.0.type", {"tools": [{"name": "f"}]}),
    ("tools.0.name", {"tools": [{"type": "function", "parameters": {}}]}),
    ("tools.0.parameters", {"tools": [{"type": "function", "name": "f", "parameters": []}]}),
    ("tool_choice", {"tool_choice": "some"}),
    ("tool_choice.name", {"tool_choice": {"type": "function"}}),
    ("reasoning", {"reasoning": "low"}),
    ("reasoning.effort", {"reasoning": {"effort": "huge"}}),
    ("text.format.type", {"text": {"format": {}}}),
    ("text.format.type", {"text": {"format": {"type": "yaml"}}}),
    ("text.format.schema", {"text": {"format": {"type": "json_schema", "schema": []}}}),
]


@pytest.mark.parametrize(("param", "fields"), WRONG, ids=[f"{param}-{i}" for i, (param, _) in enumerate(WRONG)])
def test_what_is_wrong_is_named(param: str, fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(**fields)
    assert caught.value.param == param


def test_headers_and_path() -> None:
    assert OPENAI_RESPONSES.endpoint("any") == "/responses"
    sent = OPENAI_RESPONSES.headers("key", {"openai-beta": "b", "openai-organization": "o", "x": "y"})
    assert sent["authorization"] == "Bearer key"
    assert sent["openai-beta"] == "b"
    assert not {"openai-organization", "x"} & set(sent)
    assert "authorization" not in OPENAI_RESPONSES.headers(None, {})
