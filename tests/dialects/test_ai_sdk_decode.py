"""What the AI SDK's stream may not say: refused as the SDK's own client refuses it, and what came before is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import DIALECTS, Quirks
from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.events import Event, Opaque, Order
from tailrace.sse import MAX_LINE
from tests.dialects.front_end_cases import decode, events_of, sse, vectors

NAME = "ai_sdk"
VECTORS = vectors(NAME)

START = {"type": "start", "messageId": "m1"}
TEXT = {"type": "text-start", "id": "0"}
CALL = {"type": "tool-input-start", "toolCallId": "a", "toolName": "f"}
DONE = b"data: [DONE]\n\n"

HOSTILE: dict[str, list[Any]] = {
    "not JSON": [b"data: {\n\n"],
    "empty data": [b"data:\n\n"],
    "not UTF-8": [b'data: {"type":"error","errorText":"\xff"}\n\n'],
    "half a surrogate pair": [b'data: {"type":"error","errorText":"\\ud83c"}\n\n'],
    "deep": [b"data: " + b"[" * 100_000 + b"\n\n"],
    "a list": [[]],
    "null": [None],
    "no type": [{"id": "0"}],
    "a type that is no text": [{"type": 5}],
    "a piece without a start": [START, {"type": "text-delta", "id": "0", "delta": "x"}],
    "an end without a start": [START, {"type": "text-end", "id": "0"}],
    "a piece of reasoning without a start": [TEXT, {"type": "reasoning-delta", "id": "0", "delta": "x"}],
    "a start that stands twice": [TEXT, TEXT],
    "a piece that is no text": [TEXT, {"type": "text-delta", "id": "0", "delta": 5}],
    "an id that is no text": [{"type": "text-start", "id": 0}],
    "a piece of what nobody can read": [
        {"type": "reasoning-start", "id": "0", "providerMetadata": {"tailrace": {"redacted": "x"}}},
        {"type": "reasoning-delta", "id": "0", "delta": "x"},
    ],
    "input without a call": [{"type": "tool-input-delta", "toolCallId": "a", "inputTextDelta": "{"}],
    "a call that stands twice": [CALL, CALL],
    "a call without a name": [{"type": "tool-input-start", "toolCallId": "a"}],
    "a call that is open at the end": [START, CALL, {"type": "finish", "finishReason": "tool-calls"}, DONE],
    "what cannot be taken back": [START, TEXT, {"type": "reset-step"}],
}


@pytest.mark.parametrize("chunks", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_no_rule_allows_is_refused_and_what_came_before_is_kept(chunks: list[Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(NAME, sse(*chunks))
    good = sse(START, {"type": "text-start", "id": "9"}, {"type": "text-delta", "id": "9", "delta": "High"})
    decoder = DIALECTS[NAME].decoder(Quirks())
    assert len(decoder.feed(good + sse(*chunks))) >= 3
    with pytest.raises(RemoteProtocolError):
        decoder.feed(b"")
    with pytest.raises(RemoteProtocolError):
        decoder.close()
    assert not decoder.ended


def test_a_line_past_the_limit_is_refused() -> None:
    decoder = DIALECTS[NAME].decoder(Quirks())
    with pytest.raises(LimitExceeded):
        decoder.feed(b"x" * (MAX_LINE + 1))


@pytest.mark.parametrize("kind", ["tool-approval-request", "steering-message", "reasoning-file", "data-x", "later"])
def test_a_chunk_that_says_nothing_here_is_carried(kind: str) -> None:
    chunk = {"type": kind, "anything": [1]}
    assert events_of(NAME, sse(START, chunk))[1:] == [Opaque(NAME, chunk, kind)]


@pytest.mark.parametrize(
    "metadata",
    [5, None, [], {"usage": 5}, {"usage": {"inputTokens": "12", "outputTokens": -1}, "usageLabel": 5}, {"model": {}}],
)
def test_metadata_of_any_form_are_read_or_passed_over(metadata: Any) -> None:
    chunks = [{**START, "messageMetadata": metadata}, {"type": "finish", "messageMetadata": metadata}, DONE]
    order = Order()
    for event in events_of(NAME, sse(*chunks)):
        order.advance(event)
    assert order.state == "ended"


@pytest.mark.parametrize(
    "chunk", [{"type": "error"}, {"type": "error", "errorText": 5}, {"type": "abort", "reason": []}]
)
def test_an_error_needs_no_words(chunk: Any) -> None:
    (error,) = events_of(NAME, sse(chunk))
    assert error.message  # type: ignore[union-attr]


@pytest.mark.parametrize("told", [5, None, [], {"ending": "completed", "kind": "no such"}])
def test_an_ending_of_any_form_never_makes_a_success(told: Any) -> None:
    part = {"type": "data-tailrace", "data": told, "transient": True}
    (error,) = events_of(NAME, sse(part, {"type": "error", "errorText": "words"}))
    assert (error.message, error.ending) == ("words", "failed")  # type: ignore[union-attr]


# ---- anything at all ------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS = sorted({chunk["type"] for v in VECTORS for line in v.stream.split(b"\n") if line.startswith(b'data: {"type')
                for chunk in [json.loads(line[6:])]})  # fmt: skip
CHUNKS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "id": st.sampled_from(["0", "1"]),
        "toolCallId": st.sampled_from(["a", "b"]),
        "toolName": st.just("f"),
        "delta": st.text(max_size=3) | JSON,
        "inputTextDelta": st.text(max_size=3),
        "input": JSON,
        "output": JSON,
        "finishReason": st.sampled_from(["stop", "length", "error", "interrupted"]) | JSON,
        "messageMetadata": JSON,
        "providerMetadata": st.just({"tailrace": {"signature": "s", "redacted": 1}}) | JSON,
        "data": JSON,
    },
)


@given(st.lists(CHUNKS, max_size=12), st.integers(1, 40), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_chunks_give_a_legal_order_or_are_refused(chunks: list[Any], cut: int, done: bool) -> None:
    stream = sse(*chunks, *([DONE] if done else []))
    order, events = Order(), list[Event]()
    try:
        for one in decode(NAME, *(stream[i : i + cut] for i in range(0, len(stream), cut)))[0]:
            events += one.events
    except RemoteProtocolError:
        pass
    for event in events:
        order.advance(event)


@given(st.binary(max_size=300), st.sampled_from(VECTORS), st.data())
@settings(max_examples=150, deadline=None)
def test_bytes_in_the_middle_never_do_more_than_raise_our_error(junk: bytes, vector: Any, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(vector.stream)))
    order = Order()
    try:
        for one in decode(NAME, vector.stream[:place], junk, vector.stream[place:])[0]:
            for event in one.events:
                order.advance(event)
    except RemoteProtocolError:
        pass
