"""Every vector: whole, byte by byte, split at will, cut short, re-encoded, passed on, and read by the official SDK."""

from __future__ import annotations

import random
import warnings

import msgspec
import pytest
from google.genai import errors
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.gemini import GEMINI
from tailrace.events import (
    BlockStop,
    Error,
    Event,
    Finish,
    Fold,
    MessageEnd,
    MessageStart,
    Ping,
    ToolInputDelta,
    UsageReport,
    fold,
)
from tests.dialects.gemini_cases import (
    NO_QUIRKS,
    REPLY,
    Vector,
    candidates,
    decode,
    encode,
    events_of,
    payloads,
    sdk_candidates,
    sdk_chunks,
    vectors,
)

VECTORS = vectors()
CUT = {"cut", "cut-array", "candidates-cut"}
each = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
complete = [v for v in VECTORS if v.last == "MessageEnd"]
each_complete = pytest.mark.parametrize("vector", complete, ids=lambda vector: vector.name)


def test_there_are_vectors_of_every_kind() -> None:
    kinds = {type(event).__name__ for vector in VECTORS for event in vector.events}
    assert kinds == {
        "MessageStart", "BlockStart", "BlockStop", "TextDelta", "ThinkingDelta", "ToolInputDelta", "SignatureDelta",
        "CitationDelta", "UsageReport", "Finish", "MessageEnd", "Error", "Opaque", "Ping",
    }  # fmt: skip
    assert {vector.is_sse for vector in VECTORS} == {True, False}
    assert {vector.name for vector in VECTORS if vector.last not in {"MessageEnd", "Error"}} == CUT


@each
def test_it_says_what_is_written_down(vector: Vector) -> None:
    batch, ended = decode([vector.stream])
    assert tuple(event for received in batch for event in received.events) == vector.events
    assert ended == (vector.name not in CUT)
    state = Fold()
    for event in vector.events:
        state.add(event)
    assert state.ended == ended


@each
def test_byte_by_byte_it_says_the_same(vector: Vector) -> None:
    assert tuple(events_of(vector.stream[i : i + 1] for i in range(len(vector.stream)))) == vector.events


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(VECTORS), st.integers(0, 2**32))
def test_split_anywhere_it_says_the_same(vector: Vector, seed: int) -> None:
    stream, chosen = vector.stream, random.Random(seed)
    cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(chosen.randrange(1, 12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert tuple(events_of(pieces)) == vector.events


@each
def test_no_prefix_without_its_reason_is_complete(vector: Vector) -> None:
    """Nothing but the end of input ends an answer, and only behind the last candidate's reason."""
    finished = {event.choice for event in vector.events if isinstance(event, Finish)}
    for end in range(len(vector.stream)):
        decoder = GEMINI.decoder(NO_QUIRKS)
        events = [event for received in decoder.feed(vector.stream[:end]) for event in received.events]
        early = decoder.ended
        closing = [event for received in decoder.close() for event in received.events]
        if early:
            # An array ends with its bracket, any answer with its error; only white space may follow.
            assert vector.last == "Error" or not vector.is_sse
            assert tuple(events) == vector.events
        elif decoder.ended:
            assert {event.choice for event in events if isinstance(event, Finish)} == finished
            assert isinstance(closing[-1], MessageEnd)


@each_complete
def test_the_bytes_after_the_last_reason_must_be_whole(vector: Vector) -> None:
    if vector.is_sse:
        # Without its blank line the last event is unfinished, and so is the answer.
        _, ended = decode([vector.stream.rstrip(b"\r\n")])
        assert not ended


# ---- and back --------------------------------------------------------------------------------------------------


def as_written(events: tuple[Event, ...]) -> list[Event]:
    """Return ``events`` as they come back, which is all that the dialect cannot say:

    An encoder gives names where the provider gave none. Of reasons only the last counts, and is said at the end. Of
    usage only the last report before the next content is said. Signs of life say nothing.
    """
    body: list[Event] = []
    finishes: dict[int, Finish] = {}
    last = max((i for i, event in enumerate(events) if type(event) not in {BlockStop, MessageEnd}), default=-1)
    for event in events[: last + 1]:
        if isinstance(event, Finish):
            finishes[event.choice] = event
            continue
        if isinstance(event, UsageReport) and body and isinstance(body[-1], UsageReport):
            body.pop()
        if isinstance(event, MessageStart):
            event = MessageStart(event.id or REPLY.id, event.model or REPLY.model)
        if not isinstance(event, Ping):
            body.append(event)
    return [*body, *(finishes[choice] for choice in sorted(finishes)), *events[last + 1 :]]


@each
def test_re_encoded_it_says_the_same(vector: Vector) -> None:
    there = events_of([encode(vector.events)])
    if vector.name in CUT:
        # Whoever ends it says how: nothing here does.
        assert there == [event for event in as_written(vector.events) if not isinstance(event, Finish)]
    elif isinstance(error := vector.events[-1], Error):
        # Our own marks say what an error is; the provider's object is the provider's.
        begun = [event for event in as_written(vector.events[:-1]) if not isinstance(event, Finish | MessageStart)]
        assert without(there, "MessageStart") == [*begun, msgspec.structs.replace(error, data=None)]
    else:
        assert there == as_written(vector.events)


def without(events: list[Event], *kinds: str) -> list[Event]:
    return [event for event in events if type(event).__name__ not in kinds]


@each
def test_a_second_time_it_is_the_same_to_the_byte(vector: Vector) -> None:
    once = events_of([encode(vector.events)])
    assert encode(events_of([encode(once)])) == encode(once)


@each
def test_passed_on_it_is_what_the_provider_sent(vector: Vector) -> None:
    batch, _ = decode([vector.stream])
    encoder = GEMINI.encoder(REPLY)
    frames = [frame for received in batch for frame in encoder.verbatim(received)]
    assert all(frame.startswith(b"data: {") and frame.endswith(b"}\n\n") for frame in frames)
    assert all(frame.count(b"\n") == 2 for frame in frames)
    events, bare, rest = vector.stream.partition(b"{\n") if vector.name == "error-bare" else (vector.stream, b"", b"")
    wanted = [*payloads(events + b"]" if vector.name == "cut-array" else events)]
    wanted += [*payloads(bare + rest)] if bare else []
    assert [value for frame in frames for value in payloads(frame)] == [value for value in wanted if value]
    again = without(events_of(frames), "MessageEnd", "BlockStop")
    assert again == without(list(vector.events), "Ping", "MessageEnd", "BlockStop")


# ---- the official SDK -----------------------------------------------------------------------------------------


@each_complete
def test_the_official_sdk_reads_what_we_write(vector: Vector) -> None:
    with warnings.catch_warnings():
        # It warns of a reason that is new to it, and goes on.
        warnings.filterwarnings("ignore", message="TIDE_TURNED is not a valid FinishReason")
        chunks = sdk_chunks(encode(vector.events))
    message = fold(vector.events)
    wanted = candidates(message)
    for said in wanted.values():
        # A call without a whole input is not written: the SDK's users would run it.
        said["calls"] = [(name, value) for name, value in said["calls"] if value is not None]
    if vector.name == "blocked-prompt":
        assert not any(received.candidates for received in chunks)
        assert str(chunks[0].prompt_feedback.block_reason.value) == "OTHER"  # type: ignore[union-attr]
        return
    assert sdk_candidates(chunks) == wanted
    assert all(received.candidates and received.candidates[0].content for received in chunks if received.response_id)
    last = chunks[-1].candidates[0]  # type: ignore[index]
    assert last.finish_reason is not None
    assert last.finish_reason.value == (
        "STOP" if message.stop_reason in {"tool_use", "stop_sequence"} else message.native_reason
    )
    usage = chunks[-1].usage_metadata
    if message.usage.output_tokens is not None:
        assert usage is not None
        assert (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0) == message.usage.output_tokens
        assert usage.prompt_token_count == message.usage.input_tokens


@each
def test_the_official_sdk_raises_where_we_write_an_error(vector: Vector) -> None:
    if isinstance(error := vector.events[-1], Error):
        with pytest.raises(errors.APIError) as caught:
            sdk_chunks(encode(vector.events))
        assert caught.value.message == error.message
        assert 400 <= caught.value.code <= 599


def test_a_call_is_never_whole_that_was_not() -> None:
    (vector,) = [v for v in VECTORS if v.name == "tool-call-streamed-cut"]
    assert any(isinstance(event, ToolInputDelta) for event in vector.events)
    (call,) = fold(vector.events).tool_calls
    assert not call.complete
    assert b"functionCall" not in encode(vector.events)
