"""What the decoder refuses, bounds and forgives."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import Quirks
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockStart,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    TextDelta,
    ToolInputDelta,
    UsageReport,
)
from tests.dialects.openai_chat_cases import REPLY, call, chunk, decode, events_of, sse

OPENING = b'data: {"id":"c1","model":"m1","choices":[{"delta":{"content":"Ebb"}}]}\n\n'

HOSTILE: dict[str, bytes] = {
    "not JSON": b'{"choices": [',
    "not UTF-8": b'{"choices":[{"delta":{"content":"\xff"}}]}',
    "a string": b'"the tide is high at six"',
    "an array": b'[{"choices":[]}, 1, 2]',
    "a number": b"12345678901234567890",
    "choices of a wrong type": b'{"choices":{"index":0}}',
    "a choice that is none": b'{"choices":["Ebb, and flow"]}',
    "a delta that is none": b'{"choices":[{"delta":"Ebb"}]}',
    "content that is a number": b'{"choices":[{"delta":{"content":7}}]}',
    "content in parts that are none": b'{"choices":[{"delta":{"content":["Ebb"]}}]}',
    "a refusal that is an object": b'{"choices":[{"delta":{"refusal":{}}}]}',
    "a reason that is a number": b'{"choices":[{"delta":{},"finish_reason":1}]}',
    "a choice number that is a string": b'{"choices":[{"index":"0","delta":{}}]}',
    "a negative choice": b'{"choices":[{"index":-1,"delta":{}}]}',
    "a choice number beyond all use": b'{"choices":[{"index":128,"delta":{}}]}',
    "tool calls that are an object": b'{"choices":[{"delta":{"tool_calls":{}}}]}',
    "a call that is null": b'{"choices":[{"delta":{"tool_calls":[null]}}]}',
    "a call number that is a string": b'{"choices":[{"delta":{"tool_calls":[{"index":"0"}]}}]}',
    "arguments that are a number": b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":1}}]}}]}',
    "arguments of no call": b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]}',
    "usage that is a string": b'{"choices":[],"usage":"21 tokens"}',
    "too deep": b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "half a character in a broken chunk": b'{"choices":[{"delta":{"content":"\\ud83c"}}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_broken_data_is_refused_and_what_came_before_is_kept(data: bytes) -> None:
    decoder = OPENAI_CHAT.decoder(Quirks())
    with pytest.raises(RemoteProtocolError):
        decoder.feed(b"data: %b\n\n" % data)
    decoder = OPENAI_CHAT.decoder(Quirks(eof_ends=True))
    received = decoder.feed(OPENING + b"data: %b\n\n" % data + sse(chunk({}, "stop")))
    assert [type(event) for got in received for event in got.events] == [MessageStart, BlockStart, TextDelta]
    for more in (b"", sse(chunk({}, "stop"))):
        with pytest.raises(RemoteProtocolError):
            decoder.feed(more)
    with pytest.raises(RemoteProtocolError):
        decoder.close()
    assert not decoder.ended


def test_a_marker_without_an_answer_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="before any choice"):
        events_of([b"data: [DONE]\n\n"])


@pytest.mark.parametrize("data", [b"[DONE].", b'"[DONE]"', b"[DONE] [DONE]", b"DONE", b"[done]"])
def test_only_the_marker_itself_ends_an_answer(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        events_of([OPENING + b"data: %b\n\n" % data, b""])


@pytest.mark.parametrize("data", [b"[DONE]", b" [DONE] ", b"[DONE]\t"])
def test_space_around_the_marker_is_forgiven(data: bytes) -> None:
    assert isinstance(events_of([OPENING + b"data: %b\n\n" % data])[-1], MessageEnd)


def test_a_marker_without_its_blank_line_is_none() -> None:
    received, ended = decode([OPENING + b"data: [DONE]\n"], Quirks(eof_ends=True))
    assert not ended
    assert len(received) == 1


FORGIVEN: dict[str, dict[str, Any]] = {
    "no delta": {"choices": [{"index": 0}]},
    "null delta": {"choices": [{"index": 0, "delta": None}]},
    "null everywhere": {
        "id": None,
        "model": None,
        "usage": None,
        "error": None,
        "choices": [
            {
                "index": None,
                "finish_reason": None,
                "delta": {"role": None, "content": None, "refusal": None, "tool_calls": None, "function_call": None},
            }
        ],
    },
    "no calls": {"choices": [{"delta": {"tool_calls": []}}]},
    "an empty reason": {"choices": [{"delta": {}, "finish_reason": ""}]},
    "numeric extras": {"choices": [{"delta": {"tokens": 7, "score": 0.5}, "weight": 3}]},
    "a vendor's field of another type": {
        "choices": [{"delta": {"reasoning": {"steps": 3}, "reasoning_details": "none"}, "stop_reason": [1]}]
    },
    "a reasoning detail that is none": {"choices": [{"delta": {"reasoning_details": [7, None, {}]}}]},
    "an error that says nothing": {"choices": [{"delta": {}}], "error": {}},
    "marks that say nothing": {"choices": [{"delta": {}}], "tailrace": {"usage_label": ["exact"]}},
}


@pytest.mark.parametrize("forgiven", FORGIVEN.values(), ids=FORGIVEN.keys())
def test_what_says_nothing_changes_nothing(forgiven: dict[str, Any]) -> None:
    plain = events_of([sse(chunk({"content": "Ebb"}), chunk({"content": " flow"}), chunk({}, "stop"))])
    assert (
        events_of([sse(chunk({"content": "Ebb"}), forgiven, chunk({"content": " flow"}), chunk({}, "stop"))]) == plain
    )


def test_the_first_named_chunk_names_the_answer() -> None:
    stream = sse(
        {"id": "", "model": "", "choices": []}, chunk({"content": "x"}), {"id": "c2", "choices": [{"delta": {}}]}
    )
    assert [e for e in events_of([stream]) if isinstance(e, MessageStart)] == [MessageStart("c1", "m1")]


# ---- servers without the marker -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "complete"),
    [
        ([chunk({"content": "Ebb"}), chunk({}, "stop")], True),
        ([chunk({"content": "Ebb"}), chunk({}, "stop"), {"choices": [], "usage": {"prompt_tokens": 1}}], True),
        ([chunk({"content": "Ebb"})], False),
        ([chunk({"content": "Ebb"}), chunk({}, "stop"), chunk({"content": "more"})], False),
        ([chunk({"content": "A"}), chunk({"content": "B"}, index=1), chunk({}, "stop")], False),
        (
            [chunk({"content": "A"}), chunk({"content": "B"}, index=1), chunk({}, "stop"), chunk({}, "stop", index=1)],
            True,
        ),
        ([], False),
    ],
)
def test_closing_completes_an_answer_with_all_its_reasons_where_the_server_is_known_to_do_so(
    chunks: list[dict[str, Any]], complete: bool
) -> None:
    stream = sse(*chunks, done=False)
    received, ended = decode([stream], Quirks(eof_ends=True))
    assert ended == complete
    assert [type(event) for got in received for event in got.events].count(MessageEnd) == int(complete)
    assert decode([stream])[1] is False


def test_the_end_by_closing_is_passed_on_as_the_marker() -> None:
    received, _ = decode([sse(chunk({"content": "Ebb"}), chunk({}, "stop"), done=False)], Quirks(eof_ends=True))
    encoder = OPENAI_CHAT.encoder(REPLY)
    assert encoder.verbatim(received[-1]) == [b"data: [DONE]\n\n"]


# ---- ends and figures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
        ("model_length", "context_window"),
        ("error", "other"),
        ("SAFETY", "other"),
    ],
)
def test_every_finish_reason_is_understood_or_kept(word: str, reason: str) -> None:
    finish = next(e for e in events_of([sse(chunk({"content": "x"}, word))]) if isinstance(e, Finish))
    assert (finish.reason, finish.native) == (reason, word)


def test_a_forced_call_that_stops_naturally_is_a_stop_for_the_call_in_its_own_choice_only() -> None:
    stream = sse(
        {
            "choices": [
                {"index": 1, "delta": {"content": "x"}},
                {"delta": call(0, "{}", name="f")["choices"][0]["delta"]},
            ]
        },
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}, {"index": 1, "finish_reason": "stop"}]},
    )
    assert {e.choice: e.reason for e in events_of([stream]) if isinstance(e, Finish)} == {0: "tool_use", 1: "end_turn"}


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
@pytest.mark.parametrize(("value", "sequence"), [("END", "END"), (2, None), (None, None), ("", None), ([1], None)])
def test_a_stop_string_counts_and_an_end_token_does_not(field: str, value: Any, sequence: str | None) -> None:
    finish = next(
        e for e in events_of([sse(chunk({"content": "x"}, "stop", **{field: value}))]) if isinstance(e, Finish)
    )
    assert finish.sequence == sequence
    assert finish.reason == ("stop_sequence" if sequence else "end_turn")


def test_usage_before_any_choice_is_taken() -> None:
    events = events_of([sse({"choices": [], "usage": {"prompt_tokens": 3}}, chunk({"content": "x"}, "stop"))])
    assert isinstance(events[0], UsageReport)
    assert events[0].usage.input_tokens == 3


def test_what_only_this_dialect_understands_is_carried_as_it_came() -> None:
    events = events_of([sse(chunk({"content": "x"}), {"kind": "trace", "id": "t1"}, chunk({}, "stop"))])
    assert [e for e in events if isinstance(e, Opaque)] == [Opaque("openai_chat", {"kind": "trace", "id": "t1"})]


def test_arguments_come_as_they_were_cut() -> None:
    events = events_of([sse(call(0, '{"a', id="x", name="f"), call(0, '":1}'), chunk({}, "tool_calls"))])
    assert [e.json for e in events if isinstance(e, ToolInputDelta)] == ['{"a', '":1}']
