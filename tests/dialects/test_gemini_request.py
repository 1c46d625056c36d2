"""What a client asks, in both casings of its fields, and what is wrong with it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.dialects.gemini.blocks import seal, unseal
from tailrace.events import (
    ImagePart,
    OpaquePart,
    OutputSchema,
    Part,
    Reasoning,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)
from tests.dialects.gemini_requests import PARTS, RESULTS, SIGNATURE, answer, asked, configured, part_of


@pytest.mark.parametrize(("part", "said"), PARTS)
def test_parts(part: dict[str, Any], said: Part) -> None:
    assert part_of(part) == said


@pytest.mark.parametrize(("response", "texts", "failed"), RESULTS)
def test_results_of_functions(response: dict[str, Any], texts: tuple[str, ...], failed: bool) -> None:
    assert part_of(answer(**response)) == ToolResultPart("c", tuple(map(TextPart, texts)), failed, "f")


def test_a_result_with_a_picture() -> None:
    parts = [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]
    assert part_of(answer(parts=parts)) == ToolResultPart("c", (ImagePart("image/png", "AA=="),), name="f")
    both = part_of(answer(response={"output": "see"}, parts=parts))
    assert both == ToolResultPart("c", (TextPart("see"), ImagePart("image/png", "AA==")), name="f")
    file = answer(parts=[{"fileData": {"fileUri": "https://x.test"}}])
    assert part_of(file) == OpaquePart("gemini", "functionResponse", file)


def test_results_without_ids_answer_the_calls_of_their_name_in_order() -> None:
    def call(name: str) -> dict[str, Any]:
        return {"functionCall": {"name": name, "args": {}}}

    def result(name: str, **fields: Any) -> dict[str, Any]:
        return {"functionResponse": {"name": name, "response": {}, **fields}}

    request = asked(
        contents=[
            {"role": "model", "parts": [call("a"), call("b"), call("a"), {"functionCall": {"name": "a", "id": "x"}}]},
            {"role": "function", "parts": [result("b"), result("a"), result("a", id="x"), result("a"), result("z")]},
        ]
    )
    calls, results = request.turns
    assert [part.id for part in calls.parts] == ["call_0", "call_1", "call_2", "x"]  # type: ignore[union-attr]
    answered = [part.tool_call_id for part in results.parts]  # type: ignore[union-attr]
    assert answered == ["call_1", "call_0", "x", "call_2", "call_4"]
    assert results.role == "user"


def test_empty_parts_say_nothing() -> None:
    request = asked(
        contents=[{"parts": [{"text": ""}, {}, {"thoughtSignature": "c2ln"}, {"text": "", "thought": True}]}]
    )
    assert request.turns == (Turn("user", ()),)


def test_the_system_instruction() -> None:
    parts = [{"text": "Be brief."}, {"text": "Be kind."}]
    for body in ({"systemInstruction": {"parts": parts}}, {"system_instruction": {"role": "user", "parts": parts}}):
        assert asked(**body).system == (TextPart("Be brief."), TextPart("Be kind."))


def test_sampling_and_limits() -> None:
    request = configured(
        temperature=0.5, topP=0.9, topK=40.0, candidateCount=2, maxOutputTokens=9, stopSequences=["END"], seed=7,
        presencePenalty=0.1, frequencyPenalty=0.2,
    )  # fmt: skip
    assert request.turns == (Turn("user", (TextPart("Hi"),)),)
    assert (request.temperature, request.top_p, request.top_k, request.seed) == (0.5, 0.9, 40, 7)
    assert (request.choices, request.max_tokens, request.stop) == (2, 9, ("END",))
    assert (request.presence_penalty, request.frequency_penalty) == (0.1, 0.2)
    assert request.stream
    assert request.extra == {}


def test_snake_case_says_the_same_at_every_depth() -> None:
    schema = {"type": "OBJECT", "properties": {"the_place": {"type": "STRING", "max_length": "9"}}}
    body = {
        "generation_config": {
            "max_output_tokens": 9,
            "thinking_config": {"include_thoughts": True, "thinking_level": "LOW"},
            "response_mime_type": "application/json",
            "response_schema": schema,
        },
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"x_y": 1}}]}],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
    }
    request = asked(**body)
    assert request.max_tokens == 9
    assert request.reasoning == Reasoning(effort="low", show=True)
    # What users have named themselves stays as it is.
    properties = {"the_place": {"type": "string", "maxLength": 9}}
    assert request.output == OutputSchema({"type": "object", "properties": properties})
    assert request.tools == (Tool("f", {"x_y": 1}),)
    assert request.tool_choice == ToolChoice("tool", "f")


def test_tools() -> None:
    declared = [
        {"name": "a", "description": "A.", "parameters": {"type": "OBJECT", "nullable": True}},
        {"name": "b", "response": {"type": "STRING"}, "behavior": "BLOCKING"},
    ]
    request = asked(tools=[{"functionDeclarations": declared, "googleSearch": {}}, {"code_execution": {}}])
    assert request.tools == (
        Tool("a", {"type": ["object", "null"]}, "A."),
        Tool("b", {"type": "object", "properties": {}}),
    )
    assert request.extra["tools"] == [{"googleSearch": {}}, {"codeExecution": {}}]
    assert {name for name in request.extra if "." in name} == {
        "functionDeclarations.response",
        "functionDeclarations.behavior",
    }


def test_schemas_of_google_become_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "kind": {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True},
            "many": {"type": "ARRAY", "items": {"type": "NUMBER", "format": "double"}, "minItems": "2", "maxItems": 3},
            "either": {"anyOf": [{"type": "INTEGER"}, {"type": "BOOLEAN"}], "example": 1},
            "type": {"type": "TYPE_UNSPECIFIED", "title": "T", "default": None},
            "map": {"type": "OBJECT", "additionalProperties": {"type": "STRING"}},
            "open": {"type": "OBJECT", "additionalProperties": False},
        },
        "required": ["kind"],
        "propertyOrdering": ["many", "kind"],
        "$defs": {"inner": {"type": "string"}},
    }
    assert configured(responseMimeType="application/json", responseSchema=schema).output == OutputSchema(
        {
            "type": "object",
            "properties": {
                "kind": {"type": ["string", "null"], "enum": ["a", None]},
                "many": {
                    "type": "array",
                    "items": {"type": "number", "format": "double"},
                    "minItems": 2,
                    "maxItems": 3,
                },
                "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
                "type": {"title": "T"},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "open": {"type": "object", "additionalProperties": False},
            },
            "required": ["kind"],
            "$defs": {"inner": {"type": "string"}},
        }
    )


CHOICES: list[tuple[dict[str, Any], ToolChoice | None, set[str]]] = [
    ({}, ToolChoice("auto"), set()),
    ({"mode": "AUTO"}, ToolChoice("auto"), set()),
    ({"mode": "none"}, ToolChoice("none"), set()),
    ({"mode": "ANY"}, ToolChoice("any"), set()),
    ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("tool", "f"), set()),
    ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice("any"), {"toolConfig"}),
    ({"mode": "VALIDATED"}, ToolChoice("auto"), {"toolConfig.functionCallingConfig.mode"}),
    (
        {"streamFunctionCallArguments": True},
        ToolChoice("auto"),
        {"toolConfig.functionCallingConfig.streamFunctionCallArguments"},
    ),
]


@pytest.mark.parametrize(("config", "choice", "extra"), CHOICES)
def test_choosing_a_tool(config: dict[str, Any], choice: ToolChoice | None, extra: set[str]) -> None:
    request = asked(toolConfig={"functionCallingConfig": config})
    assert request.tool_choice == choice
    assert set(request.extra) == extra


THINKING: list[tuple[dict[str, Any], Reasoning | None]] = [
    ({}, None),
    ({"includeThoughts": False}, None),
    ({"includeThoughts": True}, Reasoning(show=True)),
    ({"thinkingBudget": 0}, Reasoning(enabled=False)),
    ({"thinkingBudget": -1}, Reasoning(adaptive=True)),
    ({"thinkingBudget": 512, "includeThoughts": True}, Reasoning(budget=512, show=True)),
    ({"thinkingLevel": "XHIGH"}, Reasoning(effort="xhigh")),
    ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
]


@pytest.mark.parametrize(("config", "said"), THINKING)
def test_thinking(config: dict[str, Any], said: Reasoning | None) -> None:
    assert configured(thinkingConfig=config).reasoning == said


def test_the_shape_of_the_answer() -> None:
    assert configured(responseMimeType="text/plain").output is None
    assert configured(responseMimeType="application/json").output == OutputSchema()
    schema = {"type": "object", "properties": {}}
    both = configured(responseMimeType="application/json", responseJsonSchema=schema)
    assert both.output == OutputSchema(schema)
    assert configured(responseMimeType="text/x.enum").extra == {"responseMimeType": "text/x.enum"}


def test_what_has_no_word_is_kept_by_its_name() -> None:
    request = asked(
        cached_content="cachedContents/1",
        safetySettings=[{"category": "c"}],
        serviceTier="flex",
        labels=None,
        generationConfig={
            "mediaResolution": "MEDIA_RESOLUTION_LOW", "responseModalities": ["TEXT"], "responseLogprobs": False,
            "speech_config": {"voice": 1},
        },
    )  # fmt: skip
    assert request.extra == {
        "cachedContent": "cachedContents/1",
        "safetySettings": [{"category": "c"}],
        "service_tier": "flex",
        "generationConfig.mediaResolution": "MEDIA_RESOLUTION_LOW",
        "speechConfig": {"voice": 1},
    }
    parts = [
        {"text": "x", "thoughtSignature": "c2ln"},
        {"inlineData": {"mimeType": "a/b", "data": "AA=="}, "videoMetadata": {}},
    ]
    assert set(asked(contents=[{"parts": parts}]).extra) == {"text.thoughtSignature", "inlineData.videoMetadata"}


def test_the_models_name_is_bare() -> None:
    assert asked(model="models/gemini-x").model == "gemini-x"
    assert asked(model="ant/sim:tokens=4").model == "ant/sim:tokens=4"


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
@example(seal("an envelope of its own!"))
def test_any_signature_comes_back_whatever_alphabet_a_client_sends_it_in(signature: str) -> None:
    sealed = seal(signature)
    data = base64.b64decode(sealed, validate=True)
    for encoded in (sealed, base64.urlsafe_b64encode(data).decode(), sealed.rstrip("=")):
        assert unseal(encoded) == signature


def test_a_signature_of_googles_own_goes_back_as_it_came() -> None:
    assert seal(SIGNATURE) == SIGNATURE
    # A word that their page on signatures names; it is base64, if by chance.
    assert unseal("context_engineering_is_the_way_to_go!") == "context_engineering_is_the_way_to_go!"


def test_a_streamed_answer_comes_back_in_pieces_and_is_put_together() -> None:
    pieces: list[dict[str, Any]] = [
        {"text": "Moon ", "thought": True},
        {"text": "first.", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": SIGNATURE},
        {"text": "Then wind.", "thought": True},
        {"text": "Neap "},
        {"text": "tide."},
        {"functionCall": {"name": "f", "id": "c"}},
        {"text": "So "},
        {"text": "it is."},
    ]
    question = {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}
    said = (
        ThinkingPart("Moon first.", SIGNATURE),
        ThinkingPart("Then wind."),
        TextPart("Neap tide."),
        ToolCallPart("c", "f", {}),
        TextPart("So it is."),
    )
    together = [question, {"role": "model", "parts": pieces}, question]
    apart = [question, *({"role": "model", "parts": [piece]} for piece in pieces), question]
    for contents in (together, apart):
        asking = Turn("user", (TextPart("a"), TextPart("b")))
        assert asked(contents=contents).turns == (asking, Turn("assistant", said), asking)
