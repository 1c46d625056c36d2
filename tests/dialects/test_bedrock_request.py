"""A ConverseStream request read into the vocabulary, and what is wrong with it, by name."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tailrace.dialects.bedrock import BEDROCK
from tailrace.errors import BadRequest
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    OutputSchema,
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
from tests.conftest import data_folder

SCHEMA = {"type": "object", "properties": {"station": {"type": "string"}}}
ASKED = {"role": "user", "content": [{"text": "When?"}]}
PIXEL = "iVBORw0KGgo="


def parse(**body: Any) -> Request:
    return BEDROCK.parse({"model": "m", "messages": [ASKED], **body})


def part(**block: Any) -> Any:
    ((one,),) = [turn.parts for turn in parse(messages=[{"role": "user", "content": [block]}]).turns]
    return one


def test_the_least_that_can_be_asked() -> None:
    assert parse() == Request(model="m", turns=(Turn("user", (TextPart("When?"),)),), stream=True)
    assert parse(stream=False).stream is False


def test_settings_have_their_places() -> None:
    request = parse(
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 50, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "other": 1},
        toolConfig={
            "tools": [
                {"toolSpec": {"name": "gauge", "inputSchema": {"json": SCHEMA}, "description": "A.", "strict": True}},
                {"toolSpec": {"name": "list", "inputSchema": {}}},
                {"systemTool": {"name": "nova_grounding"}},
            ],
            "toolChoice": {"any": {}},
        },
        outputConfig={
            "effort": "low",
            "textFormat": {"structure": {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "tides"}}},
        },
        guardrailConfig={"guardrailIdentifier": "g"},
    )
    assert request.system == (TextPart("Be brief."),)
    assert (request.max_tokens, request.temperature, request.top_p, request.stop) == (50, 0.5, 0.9, ("END",))
    assert request.tools == (
        Tool("gauge", SCHEMA, "A.", True),
        Tool("list", {"type": "object", "properties": {}}),
    )
    assert request.tool_choice == ToolChoice("any")
    assert request.reasoning == Reasoning(effort="low")
    assert request.output == OutputSchema(SCHEMA, "tides")
    assert request.extra == {
        "inferenceConfig.other": 1,
        "tools": [{"systemTool": {"name": "nova_grounding"}}],
        "guardrailConfig": {"guardrailIdentifier": "g"},
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ({"auto": {}}, ToolChoice("auto")),
        ({"any": {}}, ToolChoice("any")),
        ({"tool": {"name": "f"}}, ToolChoice("tool", "f")),
    ],
)
def test_every_choice_of_a_tool(choice: Any, expected: ToolChoice | None) -> None:
    assert parse(toolConfig={"toolChoice": choice}).tool_choice == expected


@pytest.mark.parametrize(
    ("fields", "reasoning", "extra"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, Reasoning(budget=5), {}),
        ({"thinking": {"type": "adaptive"}}, Reasoning(adaptive=True), {}),
        ({"thinking": {"type": "disabled"}, "top_k": 1}, Reasoning(enabled=False),
         {"additionalModelRequestFields": {"top_k": 1}}),
        ({"thinking": {"type": "new"}}, None, {"additionalModelRequestFields": {"thinking": {"type": "new"}}}),
        ({"top_k": 1}, None, {"additionalModelRequestFields": {"top_k": 1}}),
    ],
)  # fmt: skip
def test_thinking_of_anthropics_models(fields: Any, reasoning: Reasoning | None, extra: dict[str, Any]) -> None:
    request = parse(additionalModelRequestFields=fields)
    assert (request.reasoning, request.extra) == (reasoning, extra)


PARTS: dict[str, tuple[dict[str, Any], Any]] = {
    "an image": ({"image": {"format": "jpeg", "source": {"bytes": PIXEL}}}, ImagePart("image/jpeg", PIXEL)),
    "an image in S3": (
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/a"}}}},
        ImagePart("image/png", url="s3://b/a"),
    ),
    "a document": (
        {"document": {"format": "pdf", "name": "tides", "source": {"bytes": PIXEL}}},
        FilePart("application/pdf", PIXEL, name="tides"),
    ),
    "a document of text": (
        {"document": {"name": "tides", "source": {"text": "six"}}},
        FilePart("text/plain", "c2l4", name="tides"),
    ),
    "a call": (
        {"toolUse": {"toolUseId": "a", "name": "f", "input": {"x": 1}}},
        ToolCallPart("a", "f", {"x": 1}),
    ),
    "a result": (
        {"toolResult": {"toolUseId": "a", "content": [{"text": "3 m"}, {"json": {"m": 3}}], "status": "error"}},
        ToolResultPart("a", (TextPart("3 m"), TextPart('{"m":3}')), True),
    ),
    "reasoning": (
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        ThinkingPart("Hm.", "s"),
    ),
    "reasoning that only its provider can read": (
        {"reasoningContent": {"redactedContent": "RXRrRQ=="}},
        RedactedThinkingPart("EtkE"),
    ),
}


@pytest.mark.parametrize(("block", "expected"), PARTS.values(), ids=PARTS.keys())
def test_every_kind_of_block(block: dict[str, Any], expected: Any) -> None:
    assert part(**block) == expected


OWN: dict[str, dict[str, Any]] = {
    "cachePoint": {"cachePoint": {"type": "default"}},
    "guardContent": {"guardContent": {"text": {"text": "x"}}},
    "video": {"video": {"format": "mp4", "source": {}}},
    "document": {"document": {"name": "x", "source": {"content": [{"text": "x"}]}}},
    "image": {"image": {"format": "tiff", "source": {"bytes": PIXEL}}},
    "toolResult": {"toolResult": {"toolUseId": "a", "content": [{"video": {}}]}},
    "reasoningContent": {"reasoningContent": {"novelty": "x"}},
}


@pytest.mark.parametrize("kind", OWN)
def test_what_only_this_dialect_understands_is_kept_as_it_came(kind: str) -> None:
    assert part(**OWN[kind]) == OpaquePart("bedrock", kind, OWN[kind])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": None}, "model"),
    "no messages": ({"messages": []}, "messages"),
    "an unknown role": ({"messages": [{"role": "sailor", "content": []}]}, "messages.0.role"),
    "content that is text": ({"messages": [{"role": "user", "content": "hi"}]}, "messages.0.content"),
    "a block that is text": ({"messages": [{"role": "user", "content": ["hi"]}]}, "messages.0.content.0"),
    "a block of nothing": ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0"),
    "text that is a number": ({"messages": [{"role": "user", "content": [{"text": 1}]}]}, "messages.0.content.0.text"),
    "an image that is text": (
        {"messages": [{"role": "user", "content": [{"image": "x"}]}]},
        "messages.0.content.0.image",
    ),
    "a call without id": (
        {"messages": [{"role": "assistant", "content": [{"toolUse": {"name": "f"}}]}]},
        "messages.0.content.0.toolUse.toolUseId",
    ),
    "a result without id": (
        {"messages": [{"role": "user", "content": [{"toolResult": {"content": []}}]}]},
        "messages.0.content.0.toolResult.toolUseId",
    ),
    "instructions that are a picture": (
        {"system": [{"image": {"format": "png", "source": {"bytes": PIXEL}}}]},
        "system.0",
    ),
    "a limit of nothing": ({"inferenceConfig": {"maxTokens": 0}}, "inferenceConfig.maxTokens"),
    "a stop that is a number": ({"inferenceConfig": {"stopSequences": [1]}}, "inferenceConfig.stopSequences.0"),
    "a tool without a name": (
        {"toolConfig": {"tools": [{"toolSpec": {}}]}},
        "toolConfig.tools.0.toolSpec.name",
    ),
    "an unknown choice": ({"toolConfig": {"toolChoice": {"none": {}}}}, "toolConfig.toolChoice"),
    "a schema that is no JSON": (
        {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "}{"}}}}},
        "outputConfig.textFormat.structure.jsonSchema.schema",
    ),
    "a schema that is a list": (
        {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "[]"}}}}},
        "outputConfig.textFormat.structure.jsonSchema.schema",
    ),
}


@pytest.mark.parametrize(("body", "param"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(**body)
    assert refused.value.param == param


def test_where_and_how_it_is_asked() -> None:
    assert BEDROCK.endpoint("eu.anthropic.claude-tide-v1:0") == "/model/eu.anthropic.claude-tide-v1%3A0/converse-stream"
    arn = "arn:aws:bedrock:eu-west-1:1:inference-profile/x"
    assert BEDROCK.endpoint(arn) == (
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/converse-stream"
    )
    headers = BEDROCK.headers("k", {"authorization": "Bearer client"})
    assert (headers["authorization"], headers["accept"]) == ("Bearer k", "application/vnd.amazon.eventstream")
    assert "authorization" not in BEDROCK.headers(None, {})


def test_forwarding_leaves_out_what_stands_in_the_url() -> None:
    body = {"model": "m", "stream": True, "messages": [ASKED], "novelty": 1}
    assert BEDROCK.forward(body, "m") == {"messages": [ASKED], "novelty": 1}


def recorded() -> list[tuple[str, dict[str, Any]]]:
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    if folder is None:
        return []
    found = [(p.name, json.loads(p.read_bytes())) for p in sorted((folder / "bedrock").glob("*.request.json"))]
    return [(name, body) for name, body in found if "messages" in body and "content" in str(body["messages"])]


CONVERSED = [
    (name, body)
    for name, body in recorded()
    if "converse" in name or name.startswith(("ruby-llm", "pydantic-ai", "openllmetry-titan"))
]


def test_recorded_requests_are_there_where_they_must_be() -> None:
    if not CONVERSED:
        assert not (os.environ.get("CI") == "true" and os.environ.get("TAILRACE_RECORDINGS"))
        pytest.skip("no recordings")
    assert len(CONVERSED) >= 6


@pytest.mark.parametrize("body", [body for _, body in CONVERSED], ids=[name for name, _ in CONVERSED])
def test_a_recorded_request_comes_through(body: dict[str, Any]) -> None:
    """Real requests: what is read and asked again says the same."""
    again = BEDROCK.build(BEDROCK.parse({"model": "eu.anthropic.x", **body})).body
    empty: tuple[Any, ...] = ({}, [], None)
    expected = {name: value for name, value in body.items() if value not in empty}
    again.pop("additionalModelResponseFieldPaths", None)
    for block in (b for m in expected["messages"] for b in m["content"]):
        _as_bytes(block)
        for inner in block.get("toolResult", {}).get("content", ()):
            if "json" in inner:
                inner["text"] = json.dumps(inner.pop("json"), separators=(",", ":"))
    assert again == expected


def _as_bytes(block: dict[str, Any]) -> None:
    import base64

    document = block.get("document", {})
    document.pop("citations", None)
    if "text" in document.get("source", {}):
        document["source"] = {"bytes": base64.b64encode(document["source"]["text"].encode()).decode()}
