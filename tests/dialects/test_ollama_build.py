"""What a provider of this dialect is asked; the same request from clients of other dialects."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import DIALECTS
from tailrace.dialects.ollama import OLLAMA
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
from tests.dialects.ollama_cases import built
from tests.dialects.test_pairs_requests import PAIRS, Pair

SCHEMA = {"type": "object", "properties": {"station": {"type": "string"}}}
TOOL = Tool("gauge", SCHEMA, "A gauge.")


def test_the_least_that_can_be_asked() -> None:
    assert built() == ({"model": "m1", "messages": [{"role": "user", "content": "When?"}], "stream": True}, ())


def test_settings_have_their_places() -> None:
    body, ignored = built(
        max_tokens=50, temperature=0.5, top_p=0.9, top_k=20, seed=7, stop=("END",), presence_penalty=0.1,
        frequency_penalty=0.2, output=OutputSchema(SCHEMA), tools=(TOOL,), reasoning=Reasoning(effort="low"),
    )  # fmt: skip
    assert body["options"] == {
        "num_predict": 50, "temperature": 0.5, "top_p": 0.9, "top_k": 20, "seed": 7, "stop": ["END"],
        "presence_penalty": 0.1, "frequency_penalty": 0.2,
    }  # fmt: skip
    assert body["format"] == SCHEMA
    assert body["think"] == "low"
    described = {"name": "gauge", "parameters": SCHEMA, "description": "A gauge."}
    assert body["tools"] == [{"type": "function", "function": described}]
    assert ignored == ()


@pytest.mark.parametrize(
    ("reasoning", "think", "ignored"),
    [
        (Reasoning(), True, ()),
        (Reasoning(enabled=False), False, ()),
        (Reasoning(effort="none"), False, ()),
        (Reasoning(effort="minimal"), "low", ()),
        (Reasoning(effort="xhigh"), "high", ()),
        (Reasoning(adaptive=True), True, ()),
        (Reasoning(budget=2048), True, ("reasoning.budget",)),
        (Reasoning(show=True), True, ("reasoning.show",)),
    ],
)
def test_thinking_is_yes_no_or_how_much(reasoning: Reasoning, think: Any, ignored: tuple[str, ...]) -> None:
    body, left_out = built(reasoning=reasoning)
    assert (body["think"], left_out) == (think, ignored)


def test_free_json_is_a_word_and_what_a_schema_says_beside_itself_is_listed() -> None:
    assert built(output=OutputSchema())[0]["format"] == "json"
    assert built(output=OutputSchema(SCHEMA, "tides", True, "Tides."))[1] == (
        "output.name",
        "output.description",
        "output.strict",
    )


@pytest.mark.parametrize(("choice", "offered"), [(None, True), (ToolChoice("auto"), True), (ToolChoice("none"), False)])
def test_tools_that_must_not_be_called_are_not_offered(choice: ToolChoice | None, offered: bool) -> None:
    assert ("tools" in built(tools=(TOOL,), tool_choice=choice)[0]) is offered


def messages(*turns: tuple[Any, tuple[Part, ...]]) -> list[dict[str, Any]]:
    body, _ = built(turns=tuple(Turn(role, parts) for role, parts in turns))
    return list(body["messages"])


def test_a_conversation_with_calls_and_results() -> None:
    calls = (
        ThinkingPart("Hm."),
        TextPart("I look."),
        ToolCallPart("c1", "gauge", {"a": 1}),
        ToolCallPart("c2", "b", {}),
    )
    answers = (TextPart("And?"), ToolResultPart("c1", (TextPart("3 m"),)), ToolResultPart("c2", (), name="own"))
    assert messages(("user", (TextPart("Hi"),)), ("assistant", calls), ("user", answers)) == [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "I look.",
            "thinking": "Hm.",
            "tool_calls": [
                {"id": "c1", "function": {"name": "gauge", "arguments": {"a": 1}}},
                {"id": "c2", "function": {"name": "b", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "3 m", "tool_call_id": "c1", "tool_name": "gauge"},
        {"role": "tool", "content": "", "tool_call_id": "c2", "tool_name": "own"},
        {"role": "user", "content": "And?"},
    ]


def test_several_texts_are_one_with_a_blank_line_between_them() -> None:
    body, _ = built(system=(TextPart("A"), TextPart("B")), turns=(Turn("user", (TextPart("x"), TextPart("y"))),))
    assert [message["content"] for message in body["messages"]] == ["A\n\nB", "x\n\ny"]


def test_images_are_bare_base64_also_in_a_result() -> None:
    image = ImagePart("image/png", "iVBORw0KGgo=")
    said = messages(("user", (image, TextPart("Where?"))), ("user", (ToolResultPart("c", (image,)),)))
    assert [message["images"] for message in said] == [["iVBORw0KGgo="]] * 2


def test_a_refusal_is_text_and_an_empty_turn_stays_one() -> None:
    assert messages(("assistant", (RefusalPart("No."),)), ("user", ())) == [
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": ""},
    ]


@pytest.mark.parametrize(
    ("changes", "ignored"),
    [
        ({"user": "u"}, ("user",)),
        ({"tools": (Tool("f", SCHEMA, strict=True),)}, ("tools.strict",)),
        ({"turns": (Turn("assistant", (ThinkingPart("x", "sig"),)),)}, ("thinking.signature",)),
        ({"turns": (Turn("assistant", (RedactedThinkingPart("x"),)),)}, ("redacted_thinking",)),
        ({"turns": (Turn("user", (ToolResultPart("c", (), True),)),)}, ("tool_result.is_error",)),
        ({"turns": (Turn("user", (ImagePart("image/png", "x", detail="low"),)),)}, ("image_url.detail",)),
        ({"extra": {"metadata": {}, "cache_control": {}, "document.context": "x"}},
         ("metadata", "cache_control", "document.context")),
        ({"extra": {"logit_bias": {}, "modalities": ["text"]}}, ()),
    ],
)  # fmt: skip
def test_what_may_be_left_out_is_listed(changes: dict[str, Any], ignored: tuple[str, ...]) -> None:
    assert built(**changes)[1] == ignored


def test_its_own_fields_go_back_to_their_places() -> None:
    extra = {"keep_alive": "5m", "logprobs": True, "options.num_ctx": 4096, "options.num_predict": -1}
    body, ignored = built(extra=extra)
    assert (body["keep_alive"], body["logprobs"]) == ("5m", True)
    assert body["options"] == {"num_ctx": 4096, "num_predict": -1}
    assert ignored == ()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "several answers": ({"choices": 2}, "n"),
    "a forced call": ({"tools": (TOOL,), "tool_choice": ToolChoice("any")}, "tool_choice"),
    "a certain call": ({"tools": (TOOL,), "tool_choice": ToolChoice("tool", "gauge")}, "tool_choice"),
    "one call at a time": ({"tools": (TOOL,), "parallel_tools": False}, "parallel_tool_calls"),
    "a document": ({"turns": (Turn("user", (FilePart("application/pdf", "x"),)),)}, "messages.0.content.0"),
    "a document in a result": (
        {"turns": (Turn("user", (ToolResultPart("c", (FilePart("application/pdf", "x"),)),)),)},
        "messages.0.content.0",
    ),
    "an image by URL": ({"turns": (Turn("user", (ImagePart(url="https://x/a.png"),)),)}, "messages.0.content.0"),
    "a part of another dialect": (
        {"turns": (Turn("user", (TextPart("x"), OpaquePart("openai_chat", "input_audio", {}))),)},
        "messages.0.content.1",
    ),
    "an input that is no object": (
        {"turns": (Turn("assistant", (ToolCallPart("c", "f", [1]),)),)},
        "messages.0.content.0",
    ),
    "a provider's own tools": ({"extra": {"tools": [{"type": "web_search_20250305"}]}}, "tools"),
    "a bias": ({"extra": {"logit_bias": {"5": 1}}}, "logit_bias"),
    "sound": ({"extra": {"modalities": ["text", "audio"]}}, "modalities"),
    "an unknown field": ({"extra": {"novelty": 1}}, "novelty"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_asked_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        built(**changes)
    assert refused.value.param == param


# ---- from and to other dialects -------------------------------------------------------------------------------

NOT_HERE = {"document", "image", "one tool at a time", "any tool", "a certain tool"}
"""Requests of the pairs that this dialect cannot ask."""

each = pytest.mark.parametrize(
    "pair", [pair for name, pair in PAIRS.items() if name not in NOT_HERE], ids=[n for n in PAIRS if n not in NOT_HERE]
)


@each
def test_the_same_request_of_two_dialects_is_the_same_here(pair: Pair) -> None:
    anthropic = DIALECTS["anthropic"].parse({"model": "m", "max_tokens": 9, **pair.anthropic})
    chat = DIALECTS["openai_chat"].parse({"model": "m", "max_tokens": 9, **pair.chat})
    assert OLLAMA.build(anthropic) == OLLAMA.build(chat)


@each
def test_a_request_comes_through_this_dialect_to_another(pair: Pair) -> None:
    """A relay behind a relay: asked by Anthropic's client, carried in this dialect, asked of Anthropic."""
    anthropic = DIALECTS["anthropic"]
    request = anthropic.parse({"model": "m", "max_tokens": 9, **pair.anthropic})
    direct = anthropic.build(request).body
    through = anthropic.build(OLLAMA.parse(OLLAMA.build(request).body)).body
    for body in (direct, through):
        body.pop("metadata", None)  # left out and listed
        for tool in body.get("tools", ()):
            tool.pop("strict", None)  # left out and listed
    assert glued(through) == glued(direct)


def glued(body: dict[str, Any]) -> dict[str, Any]:
    """Return ``body`` with several texts of one message as one, which is all that this dialect can say."""
    for message in body["messages"]:
        for blocks in (message["content"], *(b.get("content", []) for b in message["content"])):
            texts = [block["text"] for block in blocks if block["type"] == "text"]
            if len(texts) > 1:
                blocks[:] = [{"type": "text", "text": "\n\n".join(texts)}]
    return body


@pytest.mark.parametrize("name", sorted(NOT_HERE))
def test_the_pairs_that_are_left_out_are_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        OLLAMA.build(DIALECTS["openai_chat"].parse({"model": "m", **PAIRS[name].chat}))
