"""Streams nobody thought of: against the standard's own algorithm, in any split, and there and back."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tailrace.sse import Decoder, ServerSentEvent, comment, encode
from tests.sse import reference
from tests.sse.cases import run

PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"),
        *(b"data", b"event", b"id", b"retry", b"data: ", b"event: ", b"id: ", b"retry: ", b": hb"),
        *(b":", b" ", b"a", b"7", b"0", b"\0", b"data: {}\n\n", b"event: x\ndata: {}\n\n"),
        *(b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xbf", b"\xf0\x9f", b"\x8e\x89", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8"),
    ]
)
STREAMS = st.lists(PIECES, max_size=40).map(b"".join) | st.binary(max_size=60)


@st.composite
def split_streams(draw: st.DrawFn) -> list[bytes]:
    data = draw(STREAMS)
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@settings(max_examples=600, deadline=None)
@given(split_streams(), st.sampled_from(["", "6"]))
@example([b"\xef", b"\xbb", b"\xbf\r", b"\n\r"], "")
def test_any_split_of_any_bytes_is_what_the_standard_says(split: list[bytes], last_event_id: str) -> None:
    events, last_id, retry = reference.decode(b"".join(split), last_event_id)
    outcome = run(Decoder(last_event_id=last_event_id), split)
    assert [(e.text, e.type, e.id) for e in outcome.events] == [(e.text, e.type, e.id) for e in events]
    assert (outcome.error, outcome.last_event_id, outcome.retry) == (None, last_id, retry)


@settings(max_examples=600, deadline=None)
@given(split_streams(), st.integers(0, 24), st.integers(0, 24))
def test_limits_fall_at_the_same_byte_in_any_split(split: list[bytes], max_line: int, max_event: int) -> None:
    whole = run(Decoder(max_line=max_line, max_event=max_event), [b"".join(split)])
    assert run(Decoder(max_line=max_line, max_event=max_event), split) == whole


@settings(max_examples=300, deadline=None)
@given(STREAMS)
def test_when_nothing_is_pending_a_blank_line_changes_nothing(data: bytes) -> None:
    cut = run(Decoder(), [data])
    ended = run(Decoder(), [data, b"\n\n"])
    assert cut.pending or (cut.events, cut.last_event_id) == (ended.events, ended.last_event_id)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8)
EVENTS = st.tuples(
    st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(["\r", "\n\r\n", " a", "data: x", ":"]),
    st.none() | NAMES,
    st.none() | NAMES,
    st.none() | st.integers(0, 10**15 - 1),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=5), st.integers(1, 7))
def test_what_is_encoded_is_decoded(events: list[tuple[str, str | None, str | None, int | None]], size: int) -> None:
    wire = b""
    expected: list[ServerSentEvent] = []
    last_id, last_retry = "", None
    for data, event, id_, retry in events:
        wire += encode(data, event=event, id=id_, retry=retry) + comment(event or "")
        last_id = last_id if id_ is None else id_
        last_retry = last_retry if retry is None else retry
        lines = re.sub("\r\n|\r", "\n", data).encode()
        expected.append(ServerSentEvent(lines, event or "message", last_id))
    outcome = run(Decoder(), [wire[at : at + size] for at in range(0, len(wire), size)])
    assert outcome.events == expected
    assert (outcome.retry, outcome.last_event_id, outcome.pending) == (last_retry, last_id, False)
