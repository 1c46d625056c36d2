"""Every vector: what it says, in any split, to us and to the official SDK, and what is left of it after a way back."""

from __future__ import annotations

import random

import ollama
import pydantic
import pytest

from tailrace.dialects import Quirks, Received
from tailrace.dialects.ollama import OLLAMA
from tailrace.events import Fold
from tests.dialects.ollama_cases import (
    REPLY,
    Vector,
    decode,
    encode,
    events_of,
    message_of,
    reading,
    sdk_reading,
    vectors,
)

VECTORS = vectors()
COMPLETE = [vector for vector in VECTORS if vector.last == "MessageEnd"]
NO_END = {"cut", "cut-in-line"}

SDK_CANNOT = {
    "error-empty": "an object without message",
    "framing": "blank lines",
    "generate": "another door's answer",
    "image": "images that are text",
    "line-separators": "characters at which it ends a line",
    "tool-arguments-text": "arguments that are no object",
    "tool-no-arguments": "arguments that are no object",
    "unknown-line": "an object without message",
}
"""Vectors that the official SDK cannot read as they came from the provider, and why."""

CHANGED = {
    "error-empty": "what is opaque is left out",
    "error-first": "the provider's error object becomes ours",
    "error-midway": "the provider's error object becomes ours",
    "error-object": "the provider's error object becomes ours",
    "no-reason": "the reason gets Ollama's usual word",
    "unknown-line": "what is opaque is left out",
}
"""Vectors that an encoder and a decoder do not give back event by event, and what changes."""


def by_name(vector: Vector) -> str:
    return vector.name


each = pytest.mark.parametrize("vector", VECTORS, ids=by_name)
each_complete = pytest.mark.parametrize("vector", COMPLETE, ids=by_name)


@each
def test_a_vector_says_its_events(vector: Vector) -> None:
    assert events_of([vector.stream]) == list(vector.events)


@each
def test_any_split_of_the_bytes_says_the_same(vector: Vector) -> None:
    stream = vector.stream
    assert events_of([stream[i : i + 1] for i in range(len(stream))]) == list(vector.events)
    for seed in range(8):
        chosen = random.Random(seed)
        cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(chosen.randrange(1, 30)))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert events_of(pieces) == list(vector.events)


@each
def test_its_order_is_legal_and_it_ends_once(vector: Vector) -> None:
    state = Fold()
    for event in vector.events:
        state.add(event)
    assert state.ended == (vector.name not in NO_END)
    assert decode([vector.stream])[1] == state.ended


@each
def test_no_prefix_is_complete_before_the_last_line_is_whole(vector: Vector) -> None:
    stream = vector.stream
    ends = [decode([stream[:length]])[1] for length in range(len(stream) + 1)]
    assert ends == sorted(ends)
    if vector.name in NO_END:
        assert not any(ends)
    elif vector.last == "MessageEnd":
        # At the end of input a last line needs no end of its own.
        assert stream[: ends.index(True)].endswith(b"}")
        assert b'"done":true' in stream[: ends.index(True)].splitlines()[-1]


@each_complete
def test_what_follows_the_end_is_not_read(vector: Vector) -> None:
    decoder = OLLAMA.decoder(Quirks())
    decoder.feed(vector.stream + b"\n")
    assert decoder.feed(b'{"junk": 1}\n}{\n') == []
    assert decoder.close() == []


# ---- the official SDK -----------------------------------------------------------------------------------------


@each_complete
def test_the_official_sdk_reads_the_same_where_it_can(vector: Vector) -> None:
    if vector.name == "usage-odd":
        # It takes any integer for a count.
        assert sdk_reading(vector.stream).counts == (None, -1)
        return
    if vector.name not in SDK_CANNOT:
        assert sdk_reading(vector.stream) == reading(message_of(vector.stream))
        return
    with pytest.raises((ValueError, pydantic.ValidationError)):
        sdk_reading(vector.stream)


@each
def test_the_official_sdk_reads_what_we_write_whatever_the_provider_wrote(vector: Vector) -> None:
    stream = encode(vector.events)
    if vector.last == "Error":
        with pytest.raises(ollama.ResponseError) as raised:
            sdk_reading(stream)
        assert raised.value.error == vector.events[-1].message  # type: ignore[union-attr]
        return
    done = vector.name not in NO_END
    assert sdk_reading(stream) == reading(message_of(vector.stream), done=done)


# ---- there and back -------------------------------------------------------------------------------------------


@each
def test_encoder_and_decoder_give_back_every_event_but_for_the_listed_changes(vector: Vector) -> None:
    once = events_of([encode(vector.events)])
    assert (once == list(vector.events)) == (vector.name not in CHANGED)
    assert events_of([encode(once)]) == once, "a second way changes nothing more"


@each
def test_verbatim_is_the_line_as_it_came(vector: Vector) -> None:
    encoder = OLLAMA.encoder(REPLY)
    received, _ = decode([vector.stream])
    frames = [b"".join(encoder.verbatim(one)) for one in received]
    if vector.name == "error-object":
        assert frames.pop().startswith(b'{"error":"out of memory"')
        received.pop()
    if vector.name == "line-separators":
        assert all(frame.isascii() for frame in frames)
    else:
        assert frames == [bytes(as_bytes(one)) + b"\n" for one in received]
    assert all(len(frame.decode().splitlines()) == 1 for frame in frames)


def as_bytes(received: Received) -> bytes:
    assert isinstance(received.raw, bytes)
    return received.raw
