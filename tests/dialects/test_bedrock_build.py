"""What the service is asked, checked against its own description; the same request from clients of other dialects."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.validate import ParamValidator

from tailrace.dialects import DIALECTS
from tailrace.dialects.bedrock import BEDROCK
from tailrace.dialects.bedrock.parts import DOCUMENTS, IMAGES
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
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)
from tests.dialects.bedrock_cases import CONVERSE, MODEL, built
from tests.dialects.test_pairs_requests import PAIRS, Pair

SCHEMA = {"type": "object", "properties": {"station": {"type": "string"}}}
TOOL = Tool("gauge", SCHEMA, "A gauge.")
PIXEL = "iVBORw0KGgo="
CLAUDE = "eu.anthropic.claude-tide-v1:0"


def checked(**changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what is asked, after botocore has found nothing wrong with it."""
    body, ignored = built(**changes)
    shape = MODEL.operation_model(CONVERSE).input_shape
    report = ParamValidator().validate({"modelId": changes.get("model", "m1"), **body}, shape)
    assert not report.has_errors(), report.generate_report()
    return body, ignored


def test_the_least_that_can_be_asked() -> None:
    assert checked() == ({"messages": [{"role": "user", "content": [{"text": "When?"}]}]}, ())


def test_settings_have_their_places() -> None:
    body, ignored = checked(
        model=CLAUDE, system=(TextPart("Be brief."), TextPart(" ")), max_tokens=50, temperature=0.5, top_p=0.9,
        top_k=20, stop=("END",), tools=(TOOL,), tool_choice=ToolChoice("tool", "gauge"),
        output=OutputSchema(SCHEMA, "tides"), reasoning=Reasoning(effort="minimal", budget=2048),
    )  # fmt: skip
    assert body["system"] == [{"text": "Be brief."}]
    assert body["inferenceConfig"] == {"maxTokens": 50, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert body["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "gauge", "inputSchema": {"json": SCHEMA}, "description": "A gauge."}}],
        "toolChoice": {"tool": {"name": "gauge"}},
    }
    schema = '{"type":"object","properties":{"station":{"type":"string"}}}'
    assert body["outputConfig"] == {
        "effort": "low",
        "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": "tides"}}},
    }
    thinking = {"type": "enabled", "budget_tokens": 2048}
    assert body["additionalModelRequestFields"] == {"thinking": thinking, "top_k": 20}
    assert ignored == ()


@pytest.mark.parametrize(
    ("reasoning", "thinking", "effort"),
    [
        (Reasoning(), {"type": "adaptive"}, None),
        (Reasoning(adaptive=True, effort="high"), {"type": "adaptive"}, "high"),
        (Reasoning(enabled=False), {"type": "disabled"}, None),
        (Reasoning(effort="none"), {"type": "disabled"}, None),
        (Reasoning(effort="xhigh"), None, "xhigh"),
        (Reasoning(show=False), {"type": "adaptive", "display": "omitted"}, None),
        (Reasoning(budget=1024, show=True), {"type": "enabled", "budget_tokens": 1024, "display": "summarized"}, None),
    ],
)
def test_thinking_of_anthropics_models_is_asked_in_their_makers_form(
    reasoning: Reasoning, thinking: Any, effort: str | None
) -> None:
    body, ignored = checked(model=CLAUDE, reasoning=reasoning)
    assert body.get("additionalModelRequestFields", {}).get("thinking") == thinking
    assert body.get("outputConfig", {}).get("effort") == effort
    assert ignored == ()


@pytest.mark.parametrize(
    ("reasoning", "effort", "ignored"),
    [
        (Reasoning(effort="low"), "low", ()),
        (Reasoning(), None, ("reasoning",)),
        (Reasoning(effort="low", budget=1024), "low", ("reasoning",)),
        (Reasoning(enabled=False), None, ("reasoning",)),
    ],
)
def test_other_models_know_an_effort_and_the_rest_is_listed(
    reasoning: Reasoning, effort: str | None, ignored: tuple[str, ...]
) -> None:
    body, left_out = checked(model="openai.gpt-tide-1:0", reasoning=reasoning)
    assert body.get("outputConfig", {}).get("effort") == effort
    assert "additionalModelRequestFields" not in body
    assert left_out == ignored


def messages(*turns: tuple[Any, tuple[Part, ...]]) -> list[dict[str, Any]]:
    body, _ = checked(turns=tuple(Turn(role, parts) for role, parts in turns))
    return list(body["messages"])


def test_a_conversation_with_calls_and_results() -> None:
    calls = (
        ThinkingPart("Hm.", "sig"),
        RedactedThinkingPart("EtkE"),
        TextPart("I look."),
        ToolCallPart("c1", "gauge", {"a": 1}),
        ToolCallPart("c2", "b", {}),
    )
    answers = (ToolResultPart("c1", (TextPart("3 m"), ImagePart("image/png", PIXEL))), ToolResultPart("c2", (), True))
    assert messages(
        ("user", (TextPart("Hi"),)), ("assistant", calls), ("user", answers), ("user", (TextPart("x"),))
    ) == [
        {"role": "user", "content": [{"text": "Hi"}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
                {"reasoningContent": {"redactedContent": base64.b64encode(b"EtkE").decode()}},
                {"text": "I look."},
                {"toolUse": {"toolUseId": "c1", "name": "gauge", "input": {"a": 1}}},
                {"toolUse": {"toolUseId": "c2", "name": "b", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": "c1",
                        "content": [{"text": "3 m"}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}],
                    }
                },
                {"toolResult": {"toolUseId": "c2", "content": [], "status": "error"}},
                {"text": "x"},
            ],
        },
    ]


def test_turns_of_nothing_are_not_sent() -> None:
    assert messages(("user", (TextPart("a"),)), ("assistant", (TextPart(" \n"),)), ("user", (RefusalPart("b"),))) == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]}
    ]


@pytest.mark.parametrize(("media_type", "name"), IMAGES.items())
def test_every_kind_of_image(media_type: str, name: str) -> None:
    (block,) = messages(("user", (ImagePart(media_type, PIXEL),)))[0]["content"]
    assert block == {"image": {"format": name, "source": {"bytes": PIXEL}}}


@pytest.mark.parametrize(("media_type", "name"), DOCUMENTS.items())
def test_every_kind_of_document(media_type: str, name: str) -> None:
    (block,) = messages(("user", (FilePart(media_type, PIXEL),)))[0]["content"]
    assert block == {"document": {"format": name, "name": "document", "source": {"bytes": PIXEL}}}


def test_what_lies_in_s3_is_sent_by_its_place() -> None:
    image, document = ImagePart(url="s3://b/a.jpg"), FilePart(url="s3://b/tides.PDF")
    assert messages(("user", (image, document)))[0]["content"] == [
        {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://b/a.jpg"}}}},
        {"document": {"format": "pdf", "name": "document", "source": {"s3Location": {"uri": "s3://b/tides.PDF"}}}},
    ]


def test_documents_have_names_that_are_allowed_and_differ() -> None:
    wanted = ["tides.pdf", "tides pdf", None, "", "a_b/c\t\td", "x" * 300, "(1) [a]-b"]
    blocks = messages(("user", tuple(FilePart("application/pdf", PIXEL, name=name) for name in wanted)))[0]["content"]
    assert [block["document"]["name"] for block in blocks] == [
        "tides pdf",
        "tides pdf (2)",
        "document",
        "document (2)",
        "a b c d",
        "x" * 190,
        "(1) [a]-b",
    ]


def test_its_own_parts_and_fields_go_back_as_they_came() -> None:
    guarded = {"guardContent": {"text": {"text": "x"}}}
    extra = {"guardrailConfig": {"guardrailIdentifier": "g"}, "additionalModelRequestFields": {"seed": 1}}
    body, ignored = checked(turns=(Turn("user", (OpaquePart("bedrock", "guardContent", guarded),)),), extra=extra)
    assert body["messages"][0]["content"] == [guarded]
    assert body["guardrailConfig"] == {"guardrailIdentifier": "g"}
    assert body["additionalModelRequestFields"] == {"seed": 1}
    assert ignored == ()


@pytest.mark.parametrize(
    ("changes", "ignored"),
    [
        ({"seed": 7, "presence_penalty": 0.1, "frequency_penalty": 0.0}, ("seed", "presence_penalty")),
        ({"top_k": 5}, ("top_k",)),
        ({"user": "u"}, ("user",)),
        ({"turns": (Turn("user", (TextPart("x"), ThinkingPart("y"))),)}, ("thinking",)),
        ({"turns": (Turn("user", (TextPart("x"), RedactedThinkingPart(7))),)}, ("thinking",)),
        ({"turns": (Turn("user", (ImagePart("image/png", PIXEL, detail="low"),)),)}, ("image_url.detail",)),
        ({"extra": {"metadata": {}, "a.b": 1, "logprobs": False}}, ("metadata", "a.b")),
        ({"tools": (TOOL,), "tool_choice": ToolChoice("none")}, ()),
    ],
)  # fmt: skip
def test_what_may_be_left_out_is_listed(changes: dict[str, Any], ignored: tuple[str, ...]) -> None:
    body, left_out = checked(**changes)
    assert left_out == ignored
    assert "toolConfig" not in body


CALLED = (Turn("assistant", (ToolCallPart("c", "gauge", {}),)), Turn("user", (ToolResultPart("c", ()),)))

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "several answers": ({"choices": 2}, "n"),
    "too much warmth": ({"temperature": 1.5}, "temperature"),
    "one call at a time": ({"tools": (TOOL,), "parallel_tools": False}, "parallel_tool_calls"),
    "no call after calls": ({"turns": CALLED, "tools": (TOOL,), "tool_choice": ToolChoice("none")}, "tool_choice"),
    "JSON of any form": ({"output": OutputSchema()}, "response_format"),
    "an image by URL": ({"turns": (Turn("user", (ImagePart(url="https://x/a.png"),)),)}, "messages.0.content.0"),
    "an image of another kind": ({"turns": (Turn("user", (ImagePart("image/bmp", PIXEL),)),)}, "messages.0.content.0"),
    "an image that is no base64": ({"turns": (Turn("user", (ImagePart("image/png", "!"),)),)}, "messages.0.content.0"),
    "a document by URL": ({"turns": (Turn("user", (FilePart(url="https://x/a.pdf"),)),)}, "messages.0.content.0"),
    "an uploaded document": ({"turns": (Turn("user", (FilePart(file_id="f"),)),)}, "messages.0.content.0"),
    "a document of another kind": ({"turns": (Turn("user", (FilePart("x/y", PIXEL),)),)}, "messages.0.content.0"),
    "a part of another dialect": (
        {"turns": (Turn("user", (TextPart("x"), OpaquePart("anthropic", "search_result", {}))),)},
        "messages.0.content.1",
    ),
    "an input that is no object": (
        {"turns": (Turn("assistant", (ToolCallPart("c", "f", [1]),)),)},
        "messages.0.content.0",
    ),
    "another provider's own tools": ({"extra": {"tools": [{"type": "web_search_20250305"}]}}, "tools"),
    "an unknown field": ({"extra": {"novelty": 1}}, "novelty"),
    "log-probabilities": ({"extra": {"logprobs": True}}, "logprobs"),
}


@pytest.mark.parametrize(("changes", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_asked_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        built(**changes)
    assert refused.value.param == param


# ---- from and to other dialects -------------------------------------------------------------------------------

NOT_HERE = {"image", "one tool at a time"}
"""Requests of the pairs that the service cannot be asked: an image by URL, one call at a time."""

each = pytest.mark.parametrize(
    "pair", [pair for name, pair in PAIRS.items() if name not in NOT_HERE], ids=[n for n in PAIRS if n not in NOT_HERE]
)


@each
def test_the_same_request_of_two_dialects_is_the_same_here(pair: Pair) -> None:
    anthropic = DIALECTS["anthropic"].parse({"model": CLAUDE, "max_tokens": 9, **pair.anthropic})
    chat = DIALECTS["openai_chat"].parse({"model": CLAUDE, "max_tokens": 9, **pair.chat})
    assert BEDROCK.build(anthropic) == BEDROCK.build(chat)


@each
def test_a_request_comes_through_this_dialect_to_another(pair: Pair) -> None:
    anthropic = DIALECTS["anthropic"]
    request = anthropic.parse({"model": CLAUDE, "max_tokens": 9, **pair.anthropic})
    direct = anthropic.build(request).body
    through = anthropic.build(BEDROCK.parse({"model": CLAUDE, **BEDROCK.build(request).body})).body
    for body in (direct, through):
        body.pop("metadata", None)  # left out and listed
        for message in body["messages"]:
            for block in message["content"]:
                block.pop("title", None)  # of a document, whose name may not have a dot
    assert through == direct


@pytest.mark.parametrize("name", sorted(NOT_HERE))
def test_the_pairs_that_are_left_out_are_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        BEDROCK.build(DIALECTS["openai_chat"].parse({"model": "m", **PAIRS[name].chat}))


def test_thinking_of_one_of_anthropics_models_goes_back_wherever_it_is_served() -> None:
    """A conversation begun at Anthropic's own door goes on at Bedrock: signatures and ciphers are the same there."""
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "EtkECkgIBxAB"},
        {"type": "text", "text": "At six."},
    ]
    asked = {"role": "user", "content": "When?"}
    request = DIALECTS["anthropic"].parse(
        {"model": CLAUDE, "max_tokens": 9, "messages": [asked, {"role": "assistant", "content": content}, asked]}
    )
    body = BEDROCK.build(request).body
    back = DIALECTS["anthropic"].build(BEDROCK.parse({"model": CLAUDE, **body})).body
    assert back["messages"][1]["content"] == content
