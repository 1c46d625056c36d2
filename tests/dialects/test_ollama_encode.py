"""What clients are sent: lines that every client reads, calls whole or not at all, errors that are never ends."""

from __future__ import annotations

import json
from typing import Any

import ollama
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.ollama import OLLAMA
from tailrace.dialects.ollama.encode import MAX_ARGUMENTS
from tailrace.errors import LimitExceeded
from tailrace.events import (
    ERROR_STATUS,
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    RefusalBlock,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
    fold,
)
from tests.dialects.ollama_cases import REPLY, encode, events_of, message_of, reading, sdk_reading

START = MessageStart("a1", "m1")
END: list[Event] = [Finish("end_turn"), MessageEnd()]


def rows(events: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(row) for row in encode(events).splitlines()]


def text(index: int, *pieces: str, choice: int = 0) -> list[Event]:
    return [BlockStart(index, "text", choice=choice), *(TextDelta(index, p) for p in pieces), BlockStop(index)]


def call(index: int, *pieces: str, name: str = "f", key: str | None = None) -> list[Event]:
    start = BlockStart(index, "tool_call", key, name)
    return [start, *(ToolInputDelta(index, piece) for piece in pieces), BlockStop(index)]


def test_every_line_says_who_when_and_in_which_role() -> None:
    said = rows([START, *text(0, "Ebb", " flow"), *END])
    assert [row["message"]["content"] for row in said] == ["Ebb", " flow", ""]
    for row in said:
        assert (row["model"], row["created_at"]) == ("m1", "2027-01-15T08:00:00Z")
        assert row["message"]["role"] == "assistant"
    assert [row["done"] for row in said] == [False, False, True]


def test_an_answer_without_a_name_has_the_relays() -> None:
    assert rows([MessageStart("", ""), *END])[0]["model"] == REPLY.model


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("end_turn"), "stop"),
        (Finish("stop_sequence", "END"), "stop"),
        (Finish("tool_use"), "stop"),
        (Finish("max_tokens"), "length"),
        (Finish("context_window"), "length"),
        (Finish("pause"), "length"),
        (Finish("refusal"), "refusal"),
        (Finish("other", native="SAFETY"), "SAFETY"),
        (Finish("other"), "stop"),
    ],
)
def test_every_reason_has_a_word(finish: Finish, word: str) -> None:
    assert rows([START, finish, MessageEnd()])[-1]["done_reason"] == word
    body = OLLAMA.message_body(fold([START, finish, MessageEnd()]), REPLY)
    assert (body["done_reason"], body["done"]) == (word, True)


def test_a_call_comes_whole_in_one_line_and_calls_are_numbered() -> None:
    said = rows([START, *call(0, '{"a', '": 1}', key="x"), *call(1), Finish("tool_use"), MessageEnd()])
    assert [row["message"].get("tool_calls") for row in said] == [
        [{"id": "x", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}],
        [{"function": {"index": 1, "name": "f", "arguments": {}}}],
        None,
    ]


def test_arguments_are_written_as_the_model_wrote_them_on_one_line() -> None:
    written = encode([START, *call(0, '{\n  "a":\r\n 1.10, "b": 12345678901234567890123\n}')])
    assert b'{   "a":   1.10, "b": 12345678901234567890123 }' in written
    assert written.count(b"\n") == 1


BROKEN = ['{"a": ', "[1, 2]", '"text"', "7", "}{", "null"]


@pytest.mark.parametrize("arguments", BROKEN)
def test_a_call_without_whole_arguments_is_none_to_run_and_not_lost(arguments: str) -> None:
    events: list[Event] = [START, *call(0, arguments, key="x"), Finish("max_tokens"), MessageEnd()]
    assert sdk_reading(encode(events)).calls == []
    (block,) = message_of(encode(events)).tool_calls
    assert (block.id, block.name, block.json) == ("x", "f", arguments)
    body = OLLAMA.message_body(fold(events), REPLY)
    assert "tool_calls" not in body["message"]
    assert body["tailrace"]["incomplete_tool_calls"] == [{"id": "x", "name": "f", "arguments": arguments}]
    ollama.ChatResponse(**body)


def test_arguments_are_bounded() -> None:
    encoder = OLLAMA.encoder(REPLY)
    encoder.encode(BlockStart(0, "tool_call", "x", "f"))
    piece = "x" * (1 << 20)
    for _ in range(MAX_ARGUMENTS // len(piece)):
        encoder.encode(ToolInputDelta(0, piece))
    with pytest.raises(LimitExceeded):
        encoder.encode(ToolInputDelta(0, "x"))


LEFT_OUT: dict[str, list[Event]] = {
    "a signature": [BlockStart(0, "thinking"), SignatureDelta(0, "s"), BlockStop(0)],
    "redacted thinking": [BlockStart(0, "redacted_thinking", data="x"), BlockStop(0)],
    "a citation": [BlockStart(0, "text"), CitationDelta(0, {"type": "char_location"}), BlockStop(0)],
    "a tool of the provider's own": [
        BlockStart(0, "server_tool_call", "a", "search"),
        ToolInputDelta(0, "{}"),
        BlockStop(0),
        BlockStart(1, "server_tool_result", "a", data={}),
        BlockStop(1),
    ],
    "a second choice": text(0, "other", choice=1),
    "a second choice's call": [BlockStart(0, "tool_call", "x", "f", 1), ToolInputDelta(0, "{}"), BlockStop(0)],
    "media of another dialect": [BlockStart(0, "media", data=["x"], dialect="openai_chat"), BlockStop(0)],
    "an unknown block": [
        BlockStart(0, "opaque", data={}, dialect="anthropic"),
        BlockDelta(0, {}, "anthropic"),
        BlockStop(0),
    ],
    "what is opaque": [Opaque("anthropic", {"type": "x"}, "x")],
    "an empty text": text(0, ""),
}


@pytest.mark.parametrize("events", LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_has_no_word_is_left_out_with_all_that_belongs_to_it(events: list[Event]) -> None:
    assert rows([START, *events, *END]) == rows([START, *END])


def test_a_refusal_is_text() -> None:
    events: list[Event] = [START, BlockStart(0, "refusal"), TextDelta(0, "No."), BlockStop(0), Finish("refusal")]
    assert sdk_reading(encode([*events, MessageEnd()])).text == "No."
    assert isinstance(fold(events).blocks[0], RefusalBlock)


def test_a_ping_is_a_line_that_adds_nothing() -> None:
    (row,) = rows([Ping()])
    assert row["message"] == {"role": "assistant", "content": ""}
    assert events_of([encode([Ping()])]) == [Ping()]


def test_the_heartbeat_is_one_too() -> None:
    assert events_of([OLLAMA.heartbeat]) == [Ping()]
    chunk = ollama.ChatResponse(**json.loads(OLLAMA.heartbeat))
    assert (chunk.message.content, chunk.done) == ("", False)


# ---- figures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["exact", "estimated", "unknown"])
@pytest.mark.parametrize("usage", [Usage(), Usage(3), Usage(None, 4), Usage(3, 4)])
def test_figures_that_nobody_knows_are_not_written_as_zero(usage: Usage, label: Any) -> None:
    events: list[Event] = [START, UsageReport(usage, label), *END]
    message = message_of(encode(events))
    assert message.usage == usage
    assert message.usage_label == (label if usage != Usage() or label != "exact" else "unknown")
    body = OLLAMA.message_body(fold(events), REPLY)
    assert {n: body[n] for n in ("prompt_eval_count", "eval_count") if n in body} == {
        name: value
        for name, value in (("prompt_eval_count", usage.input_tokens), ("eval_count", usage.output_tokens))
        if value is not None
    }


# ---- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ERROR_STATUS)
def test_an_error_line_is_never_an_end_and_keeps_what_a_relay_knows(kind: Any) -> None:
    error = Error(kind, "words", "truncated", True, code="c", status=503, retry_after=2.5)
    stream = encode([START, *text(0, "Ebb"), UsageReport(Usage(3, 1), "estimated"), error])
    with pytest.raises(ollama.ResponseError, match="words"):
        sdk_reading(stream)
    *_, report, last = events_of([stream])
    assert report == UsageReport(Usage(3, 1), "estimated")
    assert last == error


def test_an_open_call_is_not_written_before_an_error() -> None:
    stream = encode([START, BlockStart(0, "tool_call", "x", "f"), ToolInputDelta(0, "{}"), Error("truncated", "cut")])
    assert b"tool_calls" not in stream


@pytest.mark.parametrize("last", [MessageEnd(), Error("upstream", "x")])
def test_nothing_follows_the_end(last: Event) -> None:
    events: list[Event] = [START, Finish("end_turn"), last]
    for more in (Error("cancelled", "y"), TextDelta(0, "z"), MessageEnd(), Ping()):
        assert encode([*events, more]) == encode(events)


def test_an_error_without_words_is_one_all_the_same() -> None:
    with pytest.raises(ollama.ResponseError, match="overloaded"):
        sdk_reading(encode([Error("overloaded", "")]))


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (404, b'{"error":"model \'x\' not found"}', "not_found", "model 'x' not found"),
        (400, b'{"error":"does not support tools"}', "invalid_request", "does not support tools"),
        (500, b'{"error":{"message":"CUDA"}}', "upstream", "CUDA"),
        (503, b"<html>", "overloaded", "the provider answered with status 503"),
        (401, b'{"error":7}', "authentication", "the provider answered with status 401"),
        (418, b"[1]", "invalid_request", "the provider answered with status 418"),
        (599, b"[" * 100_000, "upstream", "the provider answered with status 599"),
        (429, b'{"error":"' + b"x" * 100_000, "rate_limit", "the provider answered with status 429"),
    ],
)
def test_a_providers_refusal_is_read_whatever_its_form(status: int, body: bytes, kind: str, message: str) -> None:
    error = OLLAMA.read_error(status, body)
    assert (error.kind, error.message, error.http_status) == (kind, message, status)


def test_marks_can_make_no_success_of_an_error() -> None:
    marks = {
        "ending": "completed",
        "kind": "x",
        "retryable": 1,
        "status": 200,
        "retry_after": -1,
        "code": 7,
        "param": 3,
    }
    error = OLLAMA.read_error(500, json.dumps({"error": "x", "tailrace": marks}).encode())
    assert (error.ending, error.kind, error.retryable, error.status) == ("failed", "upstream", True, 500)
    assert (error.retry_after, error.code, error.data) == (None, None, None)


def test_a_refused_field_is_named_over_a_relay() -> None:
    body = OLLAMA.error_body(Error("invalid_request", "m", data={"param": "tools"}))
    assert OLLAMA.read_error(400, json.dumps(body).encode()).data == {"param": "tools"}


# ---- whole answers --------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8"), max_size=12)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Draw the events of one answer: text, thinking, refusals and calls in turns."""
    events: list[Event] = [MessageStart(draw(WORDS), draw(WORDS))]
    for index in range(draw(st.integers(0, 6))):
        pieces = draw(st.lists(WORDS, max_size=4))
        match draw(st.sampled_from(["text", "thinking", "refusal", "tool_call"])):
            case "tool_call":
                value = json.dumps(draw(st.dictionaries(WORDS, WORDS | st.integers(), max_size=3)), indent=1)
                events += call(index, *value[:5:1], value[5:], key=draw(st.none() | WORDS), name=draw(WORDS))
            case "thinking":
                events += [BlockStart(index, "thinking"), *(ThinkingDelta(index, p) for p in pieces), BlockStop(index)]
            case kind:
                start = BlockStart(index, kind)  # type: ignore[arg-type]
                events += [start, *(TextDelta(index, piece) for piece in pieces), BlockStop(index)]
    return [*events, UsageReport(Usage(draw(st.none() | st.integers(0, 9)), 3)), *END]


@given(answers(), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_an_answer_comes_through_in_any_split_and_through_the_official_sdk(events: list[Event], cut: int) -> None:
    stream, truth = encode(events), fold(events)
    back = fold(events_of([stream[i : i + cut] for i in range(0, len(stream), cut)]))
    assert reading(back) == reading(truth) == sdk_reading(stream)
    assert back.model == (truth.model or REPLY.model)
    whole = json.dumps(OLLAMA.message_body(truth, REPLY), ensure_ascii=False).replace("\u2028", "\\u2028")
    assert reading(message_of(whole.encode())) == reading(truth)
