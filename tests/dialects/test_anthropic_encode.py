"""The encoder: what is held, what is left out, and how an answer ends badly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import Reply
from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import (
    BlockDelta,
    BlockKind,
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
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
    fold,
)
from tests.dialects.anthropic_cases import REPLY, bare, encode, events_of, payloads, sdk_message, vectors

START = MessageStart("msg_1", "m")
END: list[Event] = [Finish("end_turn"), MessageEnd()]


def text_block(index: int, text: str, **start: Any) -> list[Event]:
    return [BlockStart(index, "text", **start), TextDelta(index, text), BlockStop(index)]


def test_an_answer_of_another_provider() -> None:
    stream = encode(
        [
            MessageStart("chatcmpl-1", "gpt-9"),
            *text_block(0, "Hi"),
            BlockStart(1, "tool_call", "call_1", "f"),
            ToolInputDelta(1, '{"a":1}'),
            BlockStop(1),
            Finish("tool_use", native="tool_calls"),
            UsageReport(Usage(10, 5, 4, None, 2)),
            MessageEnd(),
        ]
    )
    assert payloads(stream) == [
        {
            "type": "message_start",
            "message": {
                "id": "chatcmpl-1",
                "type": "message",
                "role": "assistant",
                "model": "gpt-9",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 0, "output_tokens": 0},
            },
            "tailrace": {"placeholders": ["input_tokens", "output_tokens"]},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "call_1", "name": "f", "input": {}},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {
                "input_tokens": 6,
                "output_tokens": 5,
                "cache_read_input_tokens": 4,
                "output_tokens_details": {"thinking_tokens": 2},
            },
        },
        {"type": "message_stop"},
    ]
    message = sdk_message(stream)
    assert message["usage"]["input_tokens"] == 6
    assert message["content"][1]["input"] == {"a": 1}


def test_figures_that_are_known_at_the_start_stand_in_the_opening() -> None:
    stream = encode([UsageReport(Usage(7, 1), "estimated"), START, *END])
    opening, closing = payloads(stream)[:2]
    assert opening["message"]["usage"] == {"input_tokens": 7, "output_tokens": 1}
    assert opening["tailrace"] == {"usage_label": "estimated"}
    assert closing["usage"] == {"input_tokens": 7, "output_tokens": 1}


def test_names_that_the_provider_did_not_give_are_the_replys() -> None:
    opening, call = payloads(encode([MessageStart("", ""), BlockStart(0, "tool_call", name="f")]))
    assert (opening["message"]["id"], opening["message"]["model"]) == (REPLY.id, REPLY.model)
    assert call["content_block"]["id"] == f"toolu_{REPLY.id}_0"


LEFT_OUT: dict[str, list[Event]] = {
    "media": [BlockStart(1, "media", data={"type": "audio"}), BlockDelta(1, "x"), BlockStop(1)],
    "another dialect's block": [
        BlockStart(1, "opaque", data={"type": "web_search_call"}, dialect="openai_responses"),
        BlockDelta(1, {"type": "delta"}, "openai_responses"),
        BlockStop(1),
    ],
    "another provider's tool": [
        BlockStart(1, "server_tool_call", "s", "search", data={}, dialect="gemini"),
        ToolInputDelta(1, "{}"),
        BlockStop(1),
        BlockStart(2, "server_tool_result", data={"type": "x"}, dialect="gemini"),
        BlockStop(2),
    ],
    "a block without data": [BlockStart(1, "opaque"), BlockStop(1)],
    "thinking that another provider hid": [
        BlockStart(1, "redacted_thinking", data="x", dialect="openai_responses"),
        BlockStop(1),
    ],
    "a second choice": text_block(1, "other", choice=1),
    "another dialect's event": [Opaque("openai_responses", {"type": "response.queued"}, "response.queued")],
    "a second choice's reason": [Finish("max_tokens", choice=1)],
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_cannot_be_said_is_left_out_with_all_that_belongs_to_it(name: str) -> None:
    left_out = LEFT_OUT[name]
    after = sum(isinstance(event, BlockStart) for event in left_out) + 1
    stream = encode([START, *text_block(0, "a"), *left_out, *text_block(after, "b"), *END])
    assert stream == encode([START, *text_block(0, "a"), *text_block(1, "b"), *END])


@pytest.mark.parametrize(
    ("start", "delta"),
    [
        (BlockStart(0, "text"), SignatureDelta(0, "gemini's")),
        (BlockStart(0, "tool_call", "t", "n"), SignatureDelta(0, "gemini's")),
        (BlockStart(0, "text"), CitationDelta(0, {"type": "url_citation", "url": "x"})),
        (BlockStart(0, "text"), BlockDelta(0, {"logprobs": []}, "openai_chat")),
        (BlockStart(0, "text"), BlockDelta(0, {"logprobs": []})),
    ],
)
def test_deltas_that_cannot_be_said_are_left_out_of_their_block(start: BlockStart, delta: Event) -> None:
    assert encode([START, start, delta, BlockStop(0)]) == encode([START, start, BlockStop(0)])


def test_a_call_keeps_its_own_tool_whoever_made_it() -> None:
    stream = encode([START, BlockStart(0, "tool_call", "c", "f", data={"x": 1}, dialect="openai_responses")])
    assert payloads(stream)[1]["content_block"] == {"type": "tool_use", "id": "c", "name": "f", "input": {}}


def test_a_refusal_is_text_and_a_stop_reason() -> None:
    for reason, word in (("end_turn", "refusal"), ("other", "refusal"), ("max_tokens", "max_tokens")):
        finish = Finish(reason)  # type: ignore[arg-type]
        stream = encode([START, BlockStart(0, "refusal"), TextDelta(0, "No."), BlockStop(0), finish, MessageEnd()])
        message = sdk_message(stream)
        assert message["stop_reason"] == word
        assert bare(message["content"]) == [{"type": "text", "text": "No."}]


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("end_turn", native="stop"), "end_turn"),
        (Finish("pause"), "pause_turn"),
        (Finish("pause", native="compaction"), "compaction"),
        (Finish("pause", native="tool_use"), "pause_turn"),
        (Finish("context_window", native="model_length"), "model_context_window_exceeded"),
        (Finish("other"), "other"),
        (Finish("other", native="novel"), "novel"),
        (Finish("other", native="end_turn"), "other"),
    ],
)
def test_stop_reasons(finish: Finish, word: str) -> None:
    assert payloads(encode([START, finish, MessageEnd()]))[1]["delta"]["stop_reason"] == word


def test_every_stop_reason_has_a_word() -> None:
    for reason in StopReason.__args__:  # type: ignore[attr-defined]
        again = events_of([encode([START, Finish(reason), MessageEnd()])])
        assert [event.reason for event in again if isinstance(event, Finish)] == [reason]


def test_a_lone_surrogate_becomes_an_escape() -> None:
    stream = encode([START, *text_block(0, "a\ud83d")])
    assert b'"a\\ud83d"' in stream
    stream.decode()


def test_nothing_follows_the_end() -> None:
    for last in (MessageEnd(), Error("internal", "x")):
        encoder = ANTHROPIC.encoder(REPLY)
        encoder.encode(START)
        assert encoder.encode(last)
        for event in (Ping(), UsageReport(Usage(1, 1)), MessageEnd(), Error("internal", "x")):
            assert encoder.encode(event) == []


def test_each_kind_of_block_opens_with_every_field_that_the_sdk_needs() -> None:
    kinds: dict[BlockKind, dict[str, Any]] = {
        "text": {"type": "text", "text": ""},
        "thinking": {"type": "thinking", "thinking": "", "signature": ""},
        "redacted_thinking": {"type": "redacted_thinking", "data": "d"},
        "tool_call": {"type": "tool_use", "id": "i", "name": "n", "input": {}},
        "server_tool_call": {"type": "server_tool_use", "id": "i", "name": "n", "input": {}},
    }
    for kind, block in kinds.items():
        data = "d" if kind == "redacted_thinking" else None
        stream = encode([START, BlockStart(0, kind, "i", "n", data=data)])
        assert payloads(stream)[1]["content_block"] == block


def test_thinking_and_its_signature() -> None:
    events: list[Event] = [BlockStart(0, "thinking"), ThinkingDelta(0, "hm"), SignatureDelta(0, "s"), BlockStop(0)]
    message = sdk_message(encode([START, *events, *END]))
    assert bare(message["content"]) == [{"type": "thinking", "thinking": "hm", "signature": "s"}]


def test_the_heartbeat_is_skipped_wherever_it_stands() -> None:
    vector = next(vector for vector in vectors() if vector.name == "tool-calls")
    blocks = vector.stream.split(b"\n\n")[:-1]
    beating = ANTHROPIC.heartbeat + b"".join(block + b"\n\n" + ANTHROPIC.heartbeat for block in blocks)
    assert sdk_message(beating) == sdk_message(vector.stream)


def test_ids_are_survived_as_the_dialect_says() -> None:
    vector = next(vector for vector in vectors() if vector.name == "thinking")
    blocks = vector.stream.split(b"\n\n")[:-1]
    numbered = b"".join(b"id: %d\n%b\n\n" % (number, block) for number, block in enumerate(blocks))
    assert ANTHROPIC.ids
    assert sdk_message(numbered) == sdk_message(vector.stream)


def test_two_encoders_share_nothing() -> None:
    first, second = ANTHROPIC.encoder(REPLY), ANTHROPIC.encoder(Reply(id="b", model="b", created=0))
    first.encode(START)
    first.encode(BlockStart(0, "text"))
    assert second.encode(TextDelta(0, "x")) == []


@st.composite
def legal_answers(draw: st.DrawFn) -> list[Event]:
    """Return an answer of any provider: legal, but with whatever this dialect has no word for."""
    events: list[Event] = [START]
    dialects = st.sampled_from([None, "anthropic", "gemini"])
    kinds = st.sampled_from(BlockKind.__args__)  # type: ignore[attr-defined]
    open_blocks: dict[int, str] = {}
    opened = 0
    for _ in range(draw(st.integers(0, 12))):
        if not open_blocks or draw(st.booleans()):
            kind = draw(kinds)
            data = draw(st.none() | st.just("d") | st.just({"type": "novel"}))
            events.append(BlockStart(opened, kind, None, "n", draw(st.integers(0, 1)), data, draw(dialects)))
            open_blocks[opened] = kind
            opened += 1
        index = draw(st.sampled_from(sorted(open_blocks)))
        deltas: dict[str, Event] = {
            "text": TextDelta(index, draw(st.text(max_size=3))),
            "refusal": TextDelta(index, "n"),
            "thinking": ThinkingDelta(index, "t"),
            "tool_call": ToolInputDelta(index, "{}"),
            "server_tool_call": ToolInputDelta(index, "{}"),
        }
        events.append(deltas.get(open_blocks[index], BlockDelta(index, {"type": "x"}, draw(dialects))))
        if draw(st.booleans()):
            events.append(BlockStop(index))
            del open_blocks[index]
    if draw(st.booleans()):
        return [*events, Error("upstream", "gone", retryable=True)]
    return [*events, *(BlockStop(index) for index in open_blocks), *END]


@settings(max_examples=150, deadline=None)
@given(legal_answers())
def test_whatever_is_said_the_wire_is_legal_and_ends_the_same_way(events: list[Event]) -> None:
    message = fold(events)
    again = events_of([encode(events)])
    assert type(again[-1]) is type(events[-1])
    read = fold(again)
    refused = "".join(b.text for b in message.blocks if isinstance(b, RefusalBlock) and b.choice == 0)
    assert sorted(read.text) == sorted(message.text + refused)
    assert len(read.tool_calls) == len(message.tool_calls)
