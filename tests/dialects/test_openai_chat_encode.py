"""What the encoder writes, frame by frame, and what it passes on as it came."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import openai
import pytest

from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.events import (
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
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
)
from tailrace.sse import Decoder
from tests.dialects.openai_chat_cases import REPLY, encode, sdk_client, streamed, vectors

START = MessageStart("c1", "m1")
SILENT = msgspec.structs.replace(REPLY, include_usage=False)
USAGE = UsageReport(Usage(21, 9, 16, None, 4))
CANCELLED = Error("cancelled", "the answer was stopped", ending="cancelled")


def frames(*events: Event, reply: Any = REPLY) -> list[dict[str, Any] | str]:
    """Return the data of what an encoder writes for ``events``, each parsed."""
    found = Decoder().feed(encode(events, reply))
    return ["[DONE]" if event.data == b"[DONE]" else json.loads(event.data) for event in found]


def deltas(*events: Event) -> list[dict[str, Any]]:
    """Return the deltas that an encoder writes for ``events`` after a start."""
    return [frame["choices"][0]["delta"] for frame in frames(START, *events)[1:] if isinstance(frame, dict)]


def test_every_chunk_has_the_same_envelope() -> None:
    written = frames(START, BlockStart(0, "text"), TextDelta(0, "Ebb"), BlockStop(0), Finish("end_turn"), MessageEnd())
    envelope = {"id": "c1", "object": "chat.completion.chunk", "created": REPLY.created, "model": "m1"}
    assert written == [
        {**envelope, "choices": [{"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}]},
        {**envelope, "choices": [{"index": 0, "delta": {"content": "Ebb"}, "finish_reason": None}]},
        {**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        "[DONE]",
    ]


def test_an_answer_without_a_name_gets_the_relays() -> None:
    (first,) = frames(MessageStart("", ""))
    assert isinstance(first, dict)
    assert (first["id"], first["model"]) == (REPLY.id, REPLY.model)


def test_frames_are_whole_events_on_one_data_line() -> None:
    for vector in vectors():
        encoder = OPENAI_CHAT.encoder(REPLY)
        for event in vector.events:
            for frame in encoder.encode(event):
                assert frame.startswith(b"data: ")
                assert frame.endswith(b"\n\n")
                assert frame.count(b"\n") == 2
                assert b"\r" not in frame


def test_text_of_any_kind_of_character_is_written_as_it_is() -> None:
    text = '"\\\n\r\t\0\u2028\u0085 🌊 %b %s {} [DONE] data: x\n\n'
    assert deltas(BlockStart(0, "text"), TextDelta(0, text)) == [{"content": text}]


def test_each_kind_of_text_has_its_field() -> None:
    assert deltas(BlockStart(0, "thinking"), ThinkingDelta(0, "a"), BlockStart(1, "refusal"), TextDelta(1, "b")) == [
        {"reasoning_content": "a"},
        {"refusal": "b"},
    ]


def test_a_call_says_who_it_is_once_and_calls_count_from_zero() -> None:
    written = deltas(
        BlockStart(0, "text"),
        TextDelta(0, "Look."),
        BlockStop(0),
        BlockStart(1, "tool_call", "call_a", "read"),
        BlockStart(2, "tool_call", "call_b", "write"),
        ToolInputDelta(2, '{"b":'),
        ToolInputDelta(1, ""),
        ToolInputDelta(1, '{"a":1}'),
        ToolInputDelta(2, "2}"),
    )
    assert [delta.get("tool_calls") for delta in written[1:]] == [
        [{"index": 0, "id": "call_a", "type": "function", "function": {"name": "read", "arguments": ""}}],
        [{"index": 1, "id": "call_b", "type": "function", "function": {"name": "write", "arguments": ""}}],
        [{"index": 1, "function": {"arguments": '{"b":'}}],
        [{"index": 0, "function": {"arguments": '{"a":1}'}}],
        [{"index": 1, "function": {"arguments": "2}"}}],
    ]


def test_a_call_without_arguments_or_id_gets_them() -> None:
    written = deltas(BlockStart(0, "tool_call", None, "list"), BlockStop(0))
    assert written[0]["tool_calls"][0]["id"] == f"call_{REPLY.id}_0"
    assert written[1]["tool_calls"] == [{"index": 0, "function": {"arguments": "{}"}}]


def test_each_choice_has_its_role_and_counts_its_own_calls() -> None:
    written = frames(
        START,
        BlockStart(0, "tool_call", "a", "f"),
        BlockStart(1, "tool_call", "b", "f", choice=2),
        Finish("end_turn", choice=3),
    )
    said = [(f["choices"][0]["index"], f["choices"][0]["delta"]) for f in written if isinstance(f, dict)]
    assert [number for number, delta in said if "role" in delta] == [0, 2, 3]
    assert [delta["tool_calls"][0]["index"] for _, delta in said if "tool_calls" in delta] == [0, 0]


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("end_turn", native="end_turn"), "stop"),
        (Finish("max_tokens"), "length"),
        (Finish("tool_use", native="stop"), "tool_calls"),
        (Finish("refusal"), "content_filter"),
        (Finish("pause"), "length"),
        (Finish("context_window"), "length"),
        (Finish("other", native="MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
        (Finish("other"), "stop"),
    ],
)
def test_every_reason_has_a_word_that_clients_know(finish: Finish, word: str) -> None:
    frame = frames(START, finish)[1]
    assert isinstance(frame, dict)
    assert frame["choices"] == [{"index": 0, "delta": {}, "finish_reason": word}]


def test_the_stop_string_is_named() -> None:
    frame = frames(START, Finish("stop_sequence", "END"))[1]
    assert isinstance(frame, dict)
    assert frame["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}]


@pytest.mark.parametrize(
    "events",
    [
        (BlockStart(0, "redacted_thinking", data="x"), BlockStop(0)),
        (BlockStart(0, "server_tool_call", "s", "web_search"), ToolInputDelta(0, "{}"), BlockStop(0)),
        (BlockStart(0, "server_tool_result", "s", data={}), BlockStop(0)),
        (
            BlockStart(0, "opaque", data={"type": "x"}, dialect="anthropic"),
            BlockDelta(0, {}, "anthropic"),
            BlockStop(0),
        ),
        (BlockStart(0, "media", name="audio", dialect="gemini"), BlockDelta(0, {}, "gemini"), BlockStop(0)),
        (BlockStart(0, "thinking"), SignatureDelta(0, "sig"), BlockStop(0)),
        (BlockStart(0, "text"), CitationDelta(0, {"type": "char_location"}), BlockDelta(0, {}, "anthropic")),
        (Ping(), Opaque("openai_chat", {"choices": []}), Opaque("anthropic", {"type": "x"}, "x")),
    ],
)
def test_what_cannot_be_said_is_left_out(events: tuple[Event, ...]) -> None:
    assert deltas(*events) == []


def test_citations_and_speech_of_this_dialect_are_said() -> None:
    citation = {"type": "url_citation", "url_citation": {"url": "https://example.org"}}
    assert deltas(
        BlockStart(0, "text"),
        CitationDelta(0, citation),
        BlockStart(1, "media", name="audio", dialect="openai_chat"),
        BlockDelta(1, {"data": "AAEC"}, "openai_chat"),
    ) == [{"annotations": [citation]}, {"audio": {"data": "AAEC"}}]


# ---- usage ----------------------------------------------------------------------------------------------------


def test_usage_is_the_last_chunk_and_merged() -> None:
    *_, usage, done = frames(START, UsageReport(Usage(21, 1)), USAGE, Finish("end_turn"), MessageEnd())
    assert done == "[DONE]"
    assert isinstance(usage, dict)
    assert usage["choices"] == []
    assert usage["usage"] == {
        "prompt_tokens": 21,
        "completion_tokens": 9,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert "tailrace" not in usage


@pytest.mark.parametrize("end", [MessageEnd(), CANCELLED])
def test_usage_that_was_not_asked_for_is_not_sent(end: Event) -> None:
    assert all("usage" not in frame for frame in frames(START, USAGE, Finish("end_turn"), end, reply=SILENT))


def test_without_a_report_there_is_no_usage_chunk() -> None:
    assert all("usage" not in frame for frame in frames(START, Finish("end_turn"), MessageEnd()))


@pytest.mark.parametrize(
    ("report", "figures", "marks"),
    [
        (UsageReport(Usage(), "unknown"), None, {"usage_label": "unknown"}),
        (
            UsageReport(Usage(None, 5), "estimated"),
            {"prompt_tokens": 0, "completion_tokens": 5, "total_tokens": 5},
            {"usage_label": "estimated", "placeholders": ["prompt_tokens"]},
        ),
        (
            UsageReport(Usage(7, 5), "estimated"),
            {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
            {"usage_label": "estimated"},
        ),
    ],
)
def test_usage_that_is_not_exact_says_so(report: UsageReport, figures: Any, marks: dict[str, Any]) -> None:
    *_, usage, _ = frames(START, report, CANCELLED)
    assert isinstance(usage, dict)
    assert (usage["choices"], usage["usage"], usage["tailrace"]) == ([], figures, marks)


# ---- errors ---------------------------------------------------------------------------------------------------


def test_an_error_never_looks_like_an_end() -> None:
    written = frames(
        START, BlockStart(0, "tool_call", "a", "f"), ToolInputDelta(0, '{"a'), USAGE, CANCELLED, MessageEnd()
    )
    assert written[-1] == {
        "error": {"message": "the answer was stopped", "type": "cancelled", "param": None, "code": "cancelled"},
        "tailrace": {"ending": "cancelled", "retryable": False, "kind": "cancelled"},
    }
    usage = written[-2]
    assert isinstance(usage, dict)
    assert usage["usage"]["completion_tokens"] == 9
    assert all(not frame["choices"] or not frame["choices"][0]["finish_reason"] for frame in written[:-1])  # type: ignore[index]


def test_an_error_can_be_the_first_word() -> None:
    assert len(frames(Error("overloaded", "later", retryable=True))) == 1


def test_the_official_sdk_raises_for_an_error() -> None:
    stream = encode([START, BlockStart(0, "text"), TextDelta(0, "High wa"), USAGE, CANCELLED])
    client = sdk_client(streamed(stream))
    chunks = iter(client.chat.completions.create(model="m", messages=[], stream=True))
    assert [next(chunks).choices[0].delta.content for _ in range(2)] == [None, "High wa"]
    assert next(chunks).usage is not None
    with pytest.raises(openai.APIError, match="the answer was stopped") as caught:
        next(chunks)
    assert (caught.value.type, caught.value.code) == ("cancelled", "cancelled")
