"""Every vector: what it says, in any split, to us and to botocore, and what is left of it after a way back."""

from __future__ import annotations

import random

import pytest

from tailrace.dialects import Quirks
from tailrace.dialects.bedrock import BEDROCK
from tailrace.events import Fold, fold
from tests.dialects.bedrock_cases import (
    INVOKE,
    REPLY,
    Vector,
    botocore_events,
    botocore_frames,
    botocore_reading,
    decode,
    encode,
    events_of,
    message_of,
    reading,
    vectors,
)

VECTORS = vectors()
NO_END = {"cut", "cut-in-frame", "invoke-unknown"}

CHANGED = {
    "empty": "a block of nothing is not there",
    "error-frame": "an error frame becomes an exception",
    "exception-first": "the service's error object becomes ours",
    "exception-midway": "the service's error object becomes ours",
    "invoke-anthropic": "usage is said once, at the end",
    "invoke-openai": "the reason gets this dialect's word",
    "invoke-unknown": "another maker's chunks are left out",
}
"""Vectors that an encoder and a decoder do not give back event by event, and what changes."""


def by_name(vector: Vector) -> str:
    return vector.name


each = pytest.mark.parametrize("vector", VECTORS, ids=by_name)


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
def test_no_prefix_is_complete_before_the_message_is(vector: Vector) -> None:
    """Complete is an answer whose end the service has said, in a whole frame: ``messageStop``, or an error."""
    stream = vector.stream
    ends = [decode([stream[:length]])[1] for length in range(len(stream) + 1)]
    assert ends == sorted(ends)
    if vector.name in NO_END:
        assert not any(ends)
        return
    last = botocore_frames(stream[: ends.index(True)])[-1]
    if vector.last == "Error":
        assert last["headers"][":message-type"] in {"exception", "error"}
    elif not vector.invoked:
        assert last["headers"][":event-type"] == "messageStop"


@each
def test_metadata_is_waited_for_while_there_is_input(vector: Vector) -> None:
    decoder = BEDROCK.decoder(Quirks())
    decoder.feed(vector.stream)
    assert decoder.ended == (vector.name not in {*NO_END, "no-metadata", "invoke-openai"})
    if decoder.ended:
        assert decoder.feed(b"junk that is no frame") == []
        assert decoder.close() == []


# ---- botocore -------------------------------------------------------------------------------------------------


@each
def test_botocore_sees_the_frames_that_are_written_down(vector: Vector) -> None:
    assert botocore_frames(vector.stream) == list(vector.frames)


BY_BOTOCORE = [v for v in VECTORS if not v.invoked and v.last != "Error" and v.name not in {*NO_END, "unknown"}]


@pytest.mark.parametrize("vector", BY_BOTOCORE, ids=by_name)
def test_botocore_reads_the_same(vector: Vector) -> None:
    assert botocore_reading(vector.stream) == reading(message_of(vector.stream))


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.invoked], ids=by_name)
def test_botocore_finds_a_makers_event_in_every_chunk(vector: Vector) -> None:
    events = list(botocore_events(vector.stream, INVOKE))
    assert len(events) == len(vector.frames)
    assert all(event["chunk"]["bytes"].startswith(b"{") for event in events)


@each
def test_botocore_reads_what_we_write_whatever_the_provider_wrote(vector: Vector) -> None:
    written = encode(vector.events)
    if vector.last == "Error":
        with pytest.raises(ValueError, match="Exception"):
            botocore_reading(written)
        return
    message = fold(vector.events)
    ours, theirs = reading(message), botocore_reading(written)
    assert theirs[:4] == ours[:4]
    if vector.name not in NO_END:
        assert theirs.counts == tuple(count or 0 for count in ours.counts)
        assert theirs.reason is not None


# ---- there and back -------------------------------------------------------------------------------------------


@each
def test_encoder_and_decoder_give_back_every_event_but_for_the_listed_changes(vector: Vector) -> None:
    once = events_of([encode(vector.events)])
    assert (once == list(vector.events)) == (vector.name not in CHANGED)
    assert events_of([encode(once)]) == once, "a second way changes nothing more"


@each
def test_verbatim_is_the_frame_as_it_came(vector: Vector) -> None:
    encoder = BEDROCK.encoder(REPLY)
    decoder = BEDROCK.decoder(Quirks())
    written = b"".join(frame for one in decoder.feed(vector.stream) for frame in encoder.verbatim(one))
    assert vector.stream.startswith(written)
    assert len(written) > 0
