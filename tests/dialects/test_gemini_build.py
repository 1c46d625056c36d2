"""What a provider is asked."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects.gemini import GEMINI
from tailrace.errors import BadRequest
from tailrace.events import (
    ImagePart,
    OutputSchema,
    Reasoning,
    TextPart,
    Tool,
    ToolChoice,
    Turn,
)
from tests.dialects.gemini_cases import ASK, CONTENTS, built

SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}


def test_the_least() -> None:
    assert GEMINI.build(ASK) == ({"contents": CONTENTS}, ())


def test_where_and_how_it_is_asked() -> None:
    path = "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"
    assert GEMINI.endpoint("gemini-x") == GEMINI.endpoint("models/gemini-x") == path
    assert GEMINI.endpoint("tunedModels/t") == "/v1beta/tunedModels/t:streamGenerateContent?alt=sse"
    assert GEMINI.endpoint("sim:tokens=4,fault=cut@1") == path.replace("gemini-x", "sim:tokens=4,fault=cut@1")
    assert GEMINI.endpoint("a b?c#d") == path.replace("gemini-x", "a%20b%3Fc%23d")
    assert GEMINI.headers(None, {"authorization": "Bearer x"}) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
    }
    assert GEMINI.headers("k", {})["x-goog-api-key"] == "k"


def test_a_request_of_the_same_dialect_goes_on_as_it_came() -> None:
    body = {"model": "m", "stream": True, "contents": [], "generation_config": {"x": 1}, "novel": 2}
    assert GEMINI.forward(body, "other") == {"contents": [], "generation_config": {"x": 1}, "novel": 2}
    assert "model" in body


def test_what_there_is_a_word_for() -> None:
    body, ignored = built(
        system=(TextPart("Be brief."), TextPart("")),
        max_tokens=9,
        temperature=1.5,
        top_p=0.9,
        top_k=40,
        stop=("END",),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        choices=2,
        tools=(Tool("f", SCHEMA, "F."), Tool("g", SCHEMA)),
        tool_choice=ToolChoice("any"),
        output=OutputSchema(SCHEMA),
    )
    assert ignored == ()
    assert body == {
        "contents": CONTENTS,
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "parametersJsonSchema": SCHEMA, "description": "F."},
                    {"name": "g", "parametersJsonSchema": SCHEMA},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "maxOutputTokens": 9,
            "temperature": 1.5,
            "topP": 0.9,
            "topK": 40,
            "stopSequences": ["END"],
            "seed": 7,
            "presencePenalty": 0.1,
            "frequencyPenalty": 0.2,
            "candidateCount": 2,
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("tool", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_choosing_a_tool(choice: ToolChoice, config: dict[str, Any]) -> None:
    body, _ = built(tools=(Tool("f", SCHEMA),), tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": config}
    assert "toolConfig" not in built(tool_choice=choice)[0]


@pytest.mark.parametrize(
    ("reasoning", "config"),
    [
        (Reasoning(enabled=False), {"thinkingBudget": 0}),
        (Reasoning(effort="none"), {"thinkingBudget": 0}),
        (Reasoning(), {"includeThoughts": True}),
        (Reasoning(adaptive=True), {"includeThoughts": True, "thinkingBudget": -1}),
        (Reasoning(budget=2048), {"includeThoughts": True, "thinkingBudget": 2048}),
        (Reasoning(budget=2048, effort="low", show=False), {"includeThoughts": False, "thinkingBudget": 2048}),
        (Reasoning(effort="low"), {"includeThoughts": True, "thinkingBudget": 1024}),
        (Reasoning(effort="medium", adaptive=True), {"includeThoughts": True, "thinkingBudget": 8192}),
        (Reasoning(effort="max"), {"includeThoughts": True, "thinkingBudget": 24576}),
    ],
)
def test_thinking(reasoning: Reasoning, config: dict[str, Any]) -> None:
    assert built(reasoning=reasoning)[0]["generationConfig"] == {"thinkingConfig": config}


def test_free_json_needs_no_schema() -> None:
    assert built(output=OutputSchema())[0]["generationConfig"] == {"responseMimeType": "application/json"}


IGNORED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"user": "u"}, ("user",)),
    ({"parallel_tools": False}, ("parallel_tools",)),
    ({"parallel_tools": True}, ()),
    ({"tools": (Tool("f", SCHEMA, strict=True),)}, ("tools.strict",)),
    ({"output": OutputSchema(SCHEMA, "n", True, "d")}, ("output.name", "output.description", "output.strict")),
    ({"extra": {"cache_control": {}, "store": True, "a.b": "c"}}, ("cache_control", "store", "a.b")),
    ({"extra": {"logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"]}}, ()),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "ignored"), IGNORED)
def test_what_may_be_left_out_is_listed(changes: dict[str, Any], ignored: tuple[str, ...]) -> None:
    assert built(**changes)[1] == ignored


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"extra": {"logprobs": True}}, "logprobs"),
    ({"extra": {"modalities": ["audio"]}}, "modalities"),
    ({"extra": {"tools": [{"type": "web_search_20260209"}]}}, "tools"),
    ({"extra": {"mcp_servers": []}}, "mcp_servers"),
    ({"turns": ()}, "messages"),
    ({"turns": (Turn("system", (ImagePart(url="u"),)),)}, "messages.0.content.0"),
]


@pytest.mark.parametrize(("changes", "param"), REFUSED)
def test_what_cannot_be_asked_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        built(**changes)
    assert caught.value.param == param


def test_fields_of_its_own_go_back_where_they_belong() -> None:
    extra = {
        "cachedContent": "c", "safetySettings": [], "speechConfig": {"v": 1}, "responseLogprobs": True,
        "toolConfig": {"retrievalConfig": {}}, "tools": [{"googleSearch": {}}],
    }  # fmt: skip
    body, ignored = built(extra=extra, tools=(Tool("f", SCHEMA),), tool_choice=ToolChoice("none"))
    assert ignored == ()
    assert body["tools"][1] == {"googleSearch": {}}
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}, "retrievalConfig": {}}
    assert body["generationConfig"] == {"speechConfig": {"v": 1}, "responseLogprobs": True}
    assert (body["cachedContent"], body["safetySettings"]) == ("c", [])


@pytest.mark.parametrize("model", ["..", "../x", "models/../../x", "a/./b", "."])
def test_a_models_name_leads_to_no_other_door(model: str) -> None:
    with pytest.raises(BadRequest):
        GEMINI.endpoint(model)
