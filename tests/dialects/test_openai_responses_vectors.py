"""Every vector: what it says, in any split, to us and to the official SDK, and what is left of it after a way back."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.openai_responses import OPENAI_RESPONSES
from tailrace.events import (
    BlockStart,
    BlockStop,
    Error,
    Event,
    Fold,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    ToolInputDelta,
    fold,
)
from tests.dialects.openai_responses_cases import (
    REPLY,
    VECTORS,
    Vector,
    decode,
    encode,
    events_of,
    payloads,
    sdk_response,
    summary,
    vectors,
    verbatim,
)

CASES = vectors()
COMPLETE = [vector for vector in CASES if vector.last == "MessageEnd"]

SDK_CANNOT = {
    "cut": "no end",
    "done-without-opening": "an item that is announced without being known",
    "tool-call-whole": "items that do not end",
    "tool-cut-short": "an item that does not end",
}
"""Vectors that the official SDK's strict helper refuses, or finds nothing in, as they came from the provider."""

LAST_EVENT_DIFFERS = {
    "tool-call-whole": "a server that leaves its items out",
    "unknown": "a part that only an opaque event carries",
}
"""Vectors whose last event says something else than the events before it, and why."""

every_vector = pytest.mark.parametrize("vector", CASES, ids=[vector.name for vector in CASES])
each_complete = pytest.mark.parametrize("vector", COMPLETE, ids=[vector.name for vector in COMPLETE])


def test_there_are_vectors_and_each_says_what_it_is() -> None:
    assert len(CASES) >= 35
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
    if vector.name != "cut":
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
    ends = [decode([vector.stream[:length]])[1] for length in range(len(vector.stream) + 1)]
    assert ends == sorted(ends)
    assert ends[-1] == (vector.name != "cut")
    if ends[-1]:
        last = vector.stream[: ends.index(True)].replace(b"\r\n", b"\n").rstrip(b"\r\n").split(b"\ndata: ")[-1]
        last = last.removeprefix(b"data: ")
        assert json.loads(last)["type"] in {
            "response.completed", "response.incomplete", "response.failed", "response.cancelled", "error",
        }  # fmt: skip


@every_vector
def test_the_order_is_legal_and_ends_once(vector: Vector) -> None:
    state = Fold()
    for event in vector.events:
        state.add(event)
    assert state.ended == (vector.name != "cut")


# ---- the official SDK, and the response itself ----------------------------------------------------------------


def ours(vector: Vector) -> list[Any]:
    """Return what our fold of the events says, as a response object."""
    return summary(OPENAI_RESPONSES.message_body(fold(vector.events), REPLY))


def theirs(vector: Vector) -> list[Any]:
    """Return what the provider's own last event says."""
    *_, last = (line for line in vector.stream.replace(b"\r", b"").split(b"\n") if line.startswith(b"data: {"))
    return summary(json.loads(last.removeprefix(b"data: "))["response"])


@each_complete
def test_events_add_up_to_the_response_of_the_last_event(vector: Vector) -> None:
    assert (ours(vector) == theirs(vector)) == (vector.name not in LAST_EVENT_DIFFERS)


@each_complete
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_the_official_sdk_reads_what_is_passed_on(vector: Vector) -> None:
    if vector.name not in SDK_CANNOT:
        assert summary(sdk_response(verbatim(vector.stream))) == theirs(vector)


@each_complete
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_the_official_sdk_reads_what_we_write_whatever_the_provider_wrote(vector: Vector) -> None:
    assert summary(sdk_response(encode(vector.events))) == ours(vector)


@pytest.mark.parametrize("vector", [v for v in CASES if v.last == "Error"], ids=lambda vector: vector.name)
@pytest.mark.parametrize("way", ["as it came", "encoded"])
def test_the_official_sdk_raises_for_what_went_wrong(vector: Vector, way: str) -> None:
    stream = verbatim(vector.stream) if way == "as it came" else encode(vector.events)
    if way == "as it came" and vector.name in {"failed", "cancelled"}:
        # OpenAI's own way of failing: an event like others, and no final response.
        assert sdk_response(stream).get("status") in {"failed", None}
        return
    with pytest.raises(openai.APIError) as caught:
        sdk_response(stream)
    error = vector.events[-1]
    assert isinstance(error, Error)
    assert caught.value.message == error.message


# ---- there and back -------------------------------------------------------------------------------------------


def expected_again(vector: Vector) -> list[Event]:
    """Return what is left of a vector's events after an encoder and a decoder: the exact list of changes.

    A foreign response id becomes ours; an id of an item that stands there twice becomes ours; pings and opaque events
    that belong to a place are left out; what is open is closed before an error, but for calls; a call without any
    argument gets ``{}``; an error's own object becomes ours.
    """
    left: list[Event] = []
    open_blocks: dict[int, BlockStart] = {}
    silent: set[int] = set()
    taken: set[Any] = set()
    for event in vector.events:
        match event:
            case Ping():
                continue
            case Opaque(data=data) if "output_index" in data:
                continue
            case Opaque(data=data):
                event = Opaque(event.dialect, {k: v for k, v in data.items() if k != "sequence_number"}, event.name)
            case MessageStart(id=name) if not name.startswith("resp_"):
                event = MessageStart("resp_reply", event.model)
            case BlockStart(index=index):
                open_blocks[index] = event
                silent.add(index)
                identity = event.data.get("id") if isinstance(event.data, dict) else None
                if identity is not None and identity in taken:
                    event = msgspec.structs.replace(event, data={**event.data, "id": f"msg_tailrace_reply_{index}"})
                taken.add(identity)
            case ToolInputDelta(index=index):
                silent.discard(index)
            case BlockStop(index=index):
                if open_blocks.pop(index).kind == "tool_call" and index in silent:
                    left.append(ToolInputDelta(index, "{}"))
            case Error():
                left += [
                    BlockStop(i) for i, start in open_blocks.items() if start.kind in {"text", "refusal", "thinking"}
                ]
                event = msgspec.structs.replace(event, data=None)
            case _:
                pass
        left.append(event)
    return left


def bare(events: list[Event]) -> list[Event]:
    """Return ``events`` with what an encoder gives anew, an error's own object and opaque numbers, left out."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, Error):
            event = msgspec.structs.replace(event, data=None)
        elif isinstance(event, Opaque):
            data = {name: value for name, value in event.data.items() if name != "sequence_number"}
            event = Opaque(event.dialect, data, event.name)
        out.append(event)
    return out


@every_vector
def test_decoding_what_was_encoded_gives_the_events_again(vector: Vector) -> None:
    again = bare(events_of([encode(vector.events)]))
    if vector.last == "Error":
        # Usage comes beside the error, so after what is closed for it.
        key = lambda event: type(event).__name__  # noqa: E731
        assert sorted(again, key=key) == sorted(expected_again(vector), key=key)
    else:
        assert again == expected_again(vector)
    assert bare(events_of([encode(again)])) == again, "a second way changes nothing more"


@every_vector
def test_every_event_written_has_its_place_as_its_number(vector: Vector) -> None:
    for stream in (encode(vector.events), verbatim(vector.stream)):
        assert [event["sequence_number"] for event in payloads(stream)] == list(range(len(payloads(stream))))


@every_vector
def test_verbatim_changes_only_framing_numbers_and_the_form_of_errors(vector: Vector) -> None:
    written = verbatim(vector.stream)
    assert tuple(bare(events_of([written]))) == tuple(bare(list(vector.events)))
    if vector.name not in {"framing", "no-numbers", "signs-of-life"} and not vector.name.startswith("error"):
        assert written == vector.stream


@each_complete
def test_whole_body_is_the_response_of_the_last_frame(vector: Vector) -> None:
    last = verbatim(vector.stream).removesuffix(b"\n\n").split(b"\n\n")[-1]
    found = OPENAI_RESPONSES.whole_body(b"id: 9\n" + last + b"\n\n")
    assert found == payloads(last + b"\n\n")[0]["response"]
    assert isinstance(vector.events[-1], MessageEnd)


@pytest.mark.parametrize(
    "frame", [b"", b"data: {\n\n", b"data: [1]\n\n", b'data: {"type":"response.completed","response":3}\n\n', b": hb\n"]
)
def test_whole_body_of_another_frame_is_none(frame: bytes) -> None:
    assert OPENAI_RESPONSES.whole_body(frame) is None
