"""The decoder where providers misbehave."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import Quirks
from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.events import Error, Event, MessageEnd, Order, TextDelta, UsageReport, fold
from tests.dialects.anthropic_cases import REPLY, decode, encode, events_of


def wire(*payloads: Any) -> bytes:
    """Return ``payloads`` (objects, or bytes as they are) as a stream."""
    parts = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in payloads]
    return b"".join(b"data: %b\n\n" % part for part in parts)


START = {
    "type": "message_start",
    "message": {"id": "m", "model": "x", "usage": {"input_tokens": 1, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}


def opened(kind: str = "text", index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


def grown(kind: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def closed(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def changed(reason: Any = "end_turn", **fields: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, **fields}


DEEP = b'{"type":"weather","x":' + b"[" * 100_000
TOOL = opened("tool_use", id="t", name="n")

HOSTILE: dict[str, tuple[list[Any], str]] = {
    "empty data": ([b""], "is not JSON"),
    "not json": ([b"{"], "is not JSON"),
    "openai's end": ([b"[DONE]"], "is not JSON"),
    "not utf-8": ([b'{"type":"ping\xff"}'], "is not JSON"),
    "half a surrogate pair": (
        [START, opened(), b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ud83d"}}'],
        "is not JSON",
    ),
    "too deep": ([DEEP], "is not JSON"),
    "too deep inside a block": ([START, b'{"type":"content_block_start","index":0,"content_block":' + DEEP], "JSON"),
    "too deep where nobody looks": ([b'{"type":"ping","x":' + b"[" * 100_000], "JSON"),
    "an array": ([b"[]"], "not an object with a type"),
    "a string": ([b'"ping"'], "not an object with a type"),
    "no type": ([{"index": 0}], "not an object with a type"),
    "type of another type": ([{"type": 7}], "not an object with a type"),
    "a type that would break a line": ([{"type": "a\nb"}], "not an object with a type"),
    "an empty type": ([{"type": ""}], "not an object with a type"),
    "start without message": ([{"type": "message_start"}], "message_start: Object missing required field `message`"),
    "message of another type": ([{"type": "message_start", "message": []}], "message_start: Expected `object`"),
    "id of another type": ([{"type": "message_start", "message": {"id": 1}}], "message_start: Expected `str`"),
    "usage of another type": ([{"type": "message_start", "message": {"usage": 3}}], "Expected `object | null`"),
    "tokens of another type": ([START, changed(usage={"output_tokens": "7"})], "message_delta: Expected `int | null`"),
    "fewer tokens than none": ([START, changed(usage={"output_tokens": -1})], "message_delta: Expected `int` >= 0"),
    "stop reason of another type": ([START, changed(5)], "message_delta: Expected `str | null`"),
    "a second start": ([START, START], "MessageStart may not come in state 'open'"),
    "block before start": ([opened()], "BlockStart may not come in state 'new'"),
    "delta before start": ([grown("text_delta", text="x")], "content_block_delta for index 0, where no block is open"),
    "change before start": ([changed(usage={"output_tokens": 1})], "message_delta before message_start"),
    "end before start": ([STOP], "MessageEnd may not come in state 'new'"),
    "end without a stop reason": ([START, STOP], "MessageEnd may not come in state 'open'"),
    "end after a stop reason of null": ([START, changed(None), STOP], "MessageEnd may not come in state 'open'"),
    "end inside a block": ([START, opened(), changed(), STOP], "MessageEnd with open blocks"),
    "delta without a block": ([START, grown("text_delta", text="x")], "where no block is open"),
    "delta for another block": ([START, opened(), grown("text_delta", 1, text="x")], "index 1, where no block is open"),
    "delta after its block": ([START, opened(), closed(), grown("text_delta", text="x")], "where no block is open"),
    "unknown delta without a block": ([START, grown("sparkle", x=1)], "where no block is open"),
    "stop without a block": ([START, closed()], "content_block_stop for index 0, where no block is open"),
    "a second stop": ([START, opened(), closed(), closed()], "where no block is open"),
    "the same index twice": ([START, opened(), opened()], "index 0, which is already open"),
    "text for a tool": ([START, TOOL, grown("text_delta", text="x")], "TextDelta for index 0, which is a tool_call"),
    "input for a text": ([START, opened(), grown("input_json_delta", partial_json="{")], "which is a text block"),
    "thinking for a text": ([START, opened(), grown("thinking_delta", thinking="x")], "which is a text block"),
    "a citation for a tool": ([START, TOOL, grown("citations_delta", citation={})], "which is a tool_call block"),
    "delta without its field": ([START, opened(), grown("text_delta")], "missing required field `text`"),
    "text of another type": ([START, opened(), grown("text_delta", text=None)], "Expected `str`, got `null`"),
    "citation of another type": ([START, opened(), grown("citations_delta", citation=[])], "Expected `object`"),
    "delta without a type": ([START, opened(), {**grown("x"), "delta": {}}], "content_block_delta: Object missing"),
    "delta of another type": ([START, opened(), {**grown("x"), "delta": []}], "content_block_delta: Expected `object`"),
    "index of another type": ([START, {**opened(), "index": "0"}], "content_block_start: Expected `int`"),
    "index that is true": ([START, opened(), {**grown("sparkle"), "index": True}], "Expected `int`, got `bool`"),
    "no index": ([START, {"type": "content_block_stop"}], "missing required field `index`"),
    "no block": ([START, {"type": "content_block_start", "index": 0}], "missing required field `content_block`"),
    "block of another type": ([START, {**opened(), "content_block": "x"}], "block is not an object with a type"),
    "block without a type": ([START, {**opened(), "content_block": {}}], "block is not an object with a type"),
    "tool without an id": (
        [START, opened("tool_use", name="n")],
        "'id' of an anthropic tool_use block is not a string",
    ),
    "tool without a name": ([START, opened("tool_use", id="t")], "'name' of an anthropic tool_use block"),
    "text block of another type": ([START, opened(text=5)], "'text' of an anthropic text block is not a string"),
    "redacted of another type": (
        [START, opened("redacted_thinking", data=5)],
        "'data' of an anthropic redacted_thinking",
    ),
    "citations of another type": ([START, opened(citations=["x"])], "citations of an anthropic text block"),
    "content that is no block": ([{"type": "message_start", "message": {"content": [7]}}], "not an object with a type"),
    "too many blocks": (
        [START, *[opened("redacted_thinking", i, data="") for i in range(10_001)]],
        "more than 10000 blocks",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_rule_allows_is_refused_in_a_clear_sentence(name: str) -> None:
    payloads, sentence = HOSTILE[name]
    decoder = ANTHROPIC.decoder(Quirks())
    for payload in payloads[:-1]:
        decoder.feed(wire(payload))
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.feed(wire(payloads[-1]))
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 300
    assert not decoder.ended
    with pytest.raises(RemoteProtocolError):
        decoder.feed(wire(STOP))


def test_what_came_before_a_fault_in_the_same_bytes_is_not_lost() -> None:
    stream = wire(START, opened(), grown("text_delta", text="kept"), b"{", grown("text_delta", text="lost"))
    for size in (1, 7, len(stream)):
        decoder = ANTHROPIC.decoder(Quirks())
        events: list[Event] = []
        with pytest.raises(RemoteProtocolError, match="is not JSON"):  # noqa: PT012
            for i in range(0, len(stream), size):
                events += [event for received in decoder.feed(stream[i : i + size]) for event in received.events]
            decoder.close()
        assert fold(events).text == "kept"
        assert not decoder.ended


def test_a_line_past_the_limit_is_refused() -> None:
    decoder = ANTHROPIC.decoder(Quirks())
    assert len(decoder.feed(wire(START) + b"data: ")) == 1
    with pytest.raises(LimitExceeded):  # noqa: PT012
        for _ in range(20):
            decoder.feed(b"x" * 1024 * 1024)


def test_bytes_after_the_end_are_ignored_and_closing_is_idempotent() -> None:
    decoder = ANTHROPIC.decoder(Quirks())
    decoder.feed(wire(START, changed(), STOP))
    assert decoder.ended
    assert decoder.feed(b"data: {\n\n") == []
    assert decoder.close() == []
    assert decoder.close() == []
    assert decoder.ended


@pytest.mark.parametrize(
    ("payloads", "complete"),
    [
        ((START, opened(), closed(), changed()), True),
        ((START, opened(), closed()), False),
        ((START, opened(), changed()), False),
        ((), False),
    ],
)
def test_a_server_without_terminal_marker_is_complete_after_a_stop_reason(payloads: Any, complete: bool) -> None:
    batch, ended = decode([wire(*payloads)], Quirks(eof_ends=True))
    assert ended is complete
    assert decode([wire(*payloads)])[1] is False
    if complete:
        assert batch[-1].events == (MessageEnd(),)
        encoder = ANTHROPIC.encoder(REPLY)
        frames = [frame for received in batch for frame in encoder.verbatim(received)]
        assert frames[-1] == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_the_providers_key_words_are_only_words_inside_text() -> None:
    text = 'data: [DONE]\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    batch, ended = decode([wire(START, opened(), grown("text_delta", text=text))])
    assert batch[-1].events == (TextDelta(0, text),)
    assert not ended


def test_usage_without_input_tokens_has_no_total() -> None:
    events = events_of([wire(START | {"message": {"usage": {"cache_read_input_tokens": 9}}})])
    assert isinstance(events[0], UsageReport)
    assert events[0].usage.input_tokens is None
    assert events[0].usage.cache_read_tokens == 9


def test_an_error_can_never_say_that_the_answer_is_complete() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "x"}, "tailrace": {"ending": "completed"}}
    events = events_of([wire(START, error)])
    assert isinstance(events[-1], Error)
    assert events[-1].ending == "failed"


_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "id", "name", "input", "data", "message", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
_payloads: st.SearchStrategy[Any] = st.one_of(
    st.just(START),
    st.just(STOP),
    st.just({"type": "ping"}),
    st.builds(closed, st.integers(0, 2)),
    st.builds(lambda index: opened("tool_use", index, id="t", name="n", input={"a": 1}), st.integers(0, 2)),
    st.builds(opened, st.sampled_from(["text", "thinking", "novel", "x_tool_result"]), st.integers(0, 2)),
    st.builds(lambda index: grown("text_delta", index, text="a"), st.integers(0, 2)),
    st.builds(lambda index: grown("input_json_delta", index, partial_json="{}"), st.integers(0, 2)),
    st.builds(lambda index: grown("novel_delta", index), st.integers(0, 2)),
    st.builds(changed, st.sampled_from([None, "end_turn", "novel"])),
    st.builds(lambda value: {"type": "error", "error": value, "tailrace": value}, _values),
    st.builds(lambda value: {**changed(), "usage": value, "tailrace": value}, _values),
    st.builds(lambda value: {**opened(), "content_block": value}, _values),
    st.dictionaries(st.sampled_from(["type", "index", "delta", "error"]), _values, max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_payloads, max_size=14))
def test_whatever_comes_the_order_is_legal_or_the_fault_is_theirs(payloads: list[Any]) -> None:
    decoder = ANTHROPIC.decoder(Quirks())
    order = Order()
    events: list[Event] = []
    try:
        for payload in payloads:
            events += [event for received in decoder.feed(wire(payload)) for event in received.events]
    except RemoteProtocolError:
        assert not decoder.ended
    for event in events:
        order.advance(event)
    assert decoder.ended == (order.state == "ended")
    # What was decoded can be encoded, and that is a legal stream again.
    events_of([encode(events)])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"data: ", b"\n\n", b"\r\n", b"event: ping", b"{}"]), max_size=12
    )
)
def test_whatever_bytes_come_only_our_own_errors_are_raised(chunks: list[bytes]) -> None:
    decoder = ANTHROPIC.decoder(Quirks())
    try:
        for chunk in chunks:
            decoder.feed(chunk)
        decoder.close()
    except RemoteProtocolError:
        pass
    assert not decoder.ended
