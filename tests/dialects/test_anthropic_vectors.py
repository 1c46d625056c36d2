"""Every vector: any split of its bytes, no false end, legal order, and back again."""

from __future__ import annotations

import itertools

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import Received
from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import Error, Event, MessageStart, Order, fold
from tailrace.sse import ServerSentEvent
from tests.dialects.anthropic_cases import (
    REPLY,
    VECTORS,
    Vector,
    bare,
    decode,
    encode,
    events_of,
    sdk_message,
    vectors,
    without_superseded_usage,
)

CASES = vectors()
OF_ANOTHER_SERVER = {"framing", "odd-indexes", "text-whole"}
"""Vectors that no official SDK reads: their servers speak the dialect in their own way."""

every_vector = pytest.mark.parametrize("vector", CASES, ids=[vector.name for vector in CASES])


def test_there_are_vectors_and_each_says_what_it_is() -> None:
    assert len(CASES) >= 24
    for vector in CASES:
        assert (VECTORS / vector.name / "note.md").read_text().strip()


@every_vector
def test_whole(vector: Vector) -> None:
    assert tuple(events_of([vector.stream])) == vector.events


@every_vector
def test_byte_by_byte(vector: Vector) -> None:
    assert tuple(events_of(vector.stream[i : i + 1] for i in range(len(vector.stream)))) == vector.events


@every_vector
def test_with_a_tail_that_is_ignored(vector: Vector) -> None:
    assert tuple(events_of([vector.stream + b"data: {\n\n", b"event: error\ndata: x\n\n"])) == vector.events


@every_vector
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_in_random_pieces(vector: Vector, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(vector.stream)), max_size=12)))
    places = [0, *cuts, len(vector.stream)]
    pieces = [vector.stream[start:end] for start, end in itertools.pairwise(places)]
    assert tuple(events_of(pieces)) == vector.events


@every_vector
def test_no_prefix_has_ended(vector: Vector) -> None:
    marker = len(vector.stream) - 1
    if vector.name == "framing":
        marker = vector.stream.index(b'"message_stop"}\r\n') + len(b'"message_stop"}\r\n')
    for length in range(marker + 1):
        received, ended = decode([vector.stream[:length]])
        assert not ended
        for item in received:
            assert not any(type(event).__name__ in {"MessageEnd", "Error"} for event in item.events)


@every_vector
def test_the_order_is_legal_and_ends(vector: Vector) -> None:
    order = Order()
    for event in vector.events:
        order.advance(event)
    assert order.state == "ended"


@every_vector
def test_decoding_what_was_encoded_gives_the_events_again(vector: Vector) -> None:
    again = events_of([encode(vector.events)])
    expected = without_superseded_usage(vector.events)
    if vector.name == "text-whole":
        # Where the provider named no model, the encoder writes the one it was told.
        expected = [MessageStart("msg_w", REPLY.model) if isinstance(e, MessageStart) else e for e in expected]
    if vector.name == "error-odd":
        expected[-1] = Error("upstream", "boom", retryable=True)
    if vector.name == "programmatic-call":
        # Usage has a second place now: the message_delta that says the stop reason.
        expected.insert(-2, expected[0])
    assert again == expected


@every_vector
def test_verbatim_changes_only_the_framing(vector: Vector) -> None:
    encoder = ANTHROPIC.encoder(REPLY)
    batch, _ = decode([vector.stream])
    written = b"".join(frame for received in batch for frame in encoder.verbatim(received))
    assert tuple(events_of([written])) == vector.events
    if vector.name != "framing":
        assert written == vector.stream
    for line in written.split(b"\n"):
        assert line == b"" or line.startswith((b"event: ", b"data: "))
    for block in written.removesuffix(b"\n\n").split(b"\n\n"):
        assert [line.split(b": ")[0] for line in block.split(b"\n")] == [b"event", b"data"]


@pytest.mark.parametrize(
    "vector", [v for v in CASES if v.name not in OF_ANOTHER_SERVER], ids=lambda vector: vector.name
)
@pytest.mark.parametrize("way", ["as it came", "encoded"])
def test_the_official_sdk_reads_the_same(vector: Vector, way: str) -> None:
    stream = vector.stream if way == "as it came" else encode(vector.events)
    if vector.failed:
        with pytest.raises(anthropic.APIStatusError):
            sdk_message(stream)
        return
    theirs = bare(sdk_message(stream))
    ours = bare(ANTHROPIC.message_body(fold(vector.events), REPLY))
    if vector.name == "tool-cut-short":
        # The SDK guesses at an input that broke off; here it is none.
        theirs["content"][0]["input"] = {}
    for name in ("id", "model", "role", "content", "stop_reason", "stop_sequence"):
        assert theirs.get(name) == ours.get(name), name
    for name in ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"):
        assert theirs["usage"].get(name) == ours["usage"].get(name), name


def test_a_wrong_event_line_is_put_right() -> None:
    data = b'{"type":"ping"}'
    for stream in (b"data: %b\n\n", b"event: content_block_stop\ndata: %b\n\n", b"event: message\ndata: %b\n\n"):
        batch, _ = decode([stream % data])
        assert [received.raw for received in batch] == [ServerSentEvent(data, "ping")]


def test_verbatim_of_bytes_writes_their_events() -> None:
    encoder = ANTHROPIC.encoder(REPLY)
    events: tuple[Event, ...] = (MessageStart("a", "b"), Error("internal", "x"))
    assert b"".join(encoder.verbatim(Received(b"", events))) == encode(events)
