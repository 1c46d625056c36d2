"""Frames: any split, wrong sums, wrong lengths, every type of header; botocore reads what is written."""

from __future__ import annotations

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.bedrock.frames import MAX_HEADERS, MAX_PAYLOAD, Frame, Frames, encode_frame
from tailrace.errors import LimitExceeded, RemoteProtocolError
from tests.dialects.bedrock_cases import botocore_frames

HEADERS = {":message-type": "event", ":event-type": "tide"}
GOOD = encode_frame(HEADERS, b'{"high":"06:00"}')


def raw(headers: bytes, payload: bytes = b"", *, total: int | None = None, length: int | None = None) -> bytes:
    """Return a frame with these bytes for headers, and right sums over lengths that may be wrong."""
    size = 16 + len(headers) + len(payload) if total is None else total
    lengths = struct.pack(">II", size, len(headers) if length is None else length)
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def read(*chunks: bytes) -> list[Frame]:
    frames = Frames()
    return [frame for chunk in chunks for frame in frames.feed(chunk)]


def test_a_frame_is_read_whatever_its_split() -> None:
    (frame,) = read(GOOD)
    assert (frame.headers, frame.payload, frame.raw) == (HEADERS, b'{"high":"06:00"}', GOOD)
    assert read(*(GOOD[i : i + 1] for i in range(len(GOOD)))) == [frame]
    for cut in range(len(GOOD) + 1):
        assert read(GOOD[:cut], GOOD[cut:] + GOOD[:cut], GOOD[cut:]) == [frame, frame]


def test_an_empty_frame_is_one() -> None:
    assert read(encode_frame({}, b"")) == [Frame({}, b"", raw(b""))]


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_a_wrong_bit_anywhere_is_noticed(at: int) -> None:
    for bit in (1, 128):
        broken = bytearray(GOOD)
        broken[at] ^= bit
        with pytest.raises(RemoteProtocolError, match="checksum"):
            read(bytes(broken) + GOOD)


def test_frames_before_a_broken_one_are_kept() -> None:
    found = Frames().feed(GOOD + GOOD + b"\0" * 16)
    assert [next(found).raw, next(found).raw] == [GOOD, GOOD]
    with pytest.raises(RemoteProtocolError):
        next(found)


def test_lengths_are_not_believed_before_their_checksum() -> None:
    huge = struct.pack(">III", 0xFFFFFFFF, 0, 0)
    with pytest.raises(RemoteProtocolError, match="lengths"):
        read(huge)


@pytest.mark.parametrize(
    ("total", "length"),
    [(16 + MAX_PAYLOAD + 1, 0), (16 + MAX_HEADERS + 1, MAX_HEADERS + 1), (0xFFFFFFFF, 0), (0xFFFFFFFF, 0xFFFFFF00)],
)
def test_a_frame_that_is_too_large_is_refused_before_it_comes(total: int, length: int) -> None:
    with pytest.raises(LimitExceeded):
        read(raw(b"", total=total, length=length)[:12])


def test_the_largest_frame_is_read() -> None:
    head = b"\x01a\x07" + struct.pack(">H", 0xFFFF) + b"x" * 0xFFFF
    (frame,) = read(raw(head, b"y" * MAX_PAYLOAD))
    assert len(frame.payload) == MAX_PAYLOAD


@pytest.mark.parametrize(("total", "length"), [(0, 0), (15, 0), (16, 1), (20, 5), (16, 0xFFFFFFFF)])
def test_a_frame_shorter_than_its_headers_is_refused(total: int, length: int) -> None:
    with pytest.raises(RemoteProtocolError, match="shorter"):
        read(raw(b"", total=total, length=length))


BROKEN_HEADERS = {
    "no name": b"\x05",
    "no type": b"\x01a",
    "an unknown type": b"\x01a\x0a",
    "no length": b"\x01a\x07\x00",
    "no value": b"\x01a\x07\x00\x05abc",
    "bytes without end": b"\x01a\x06\x00\x05abc",
    "half a number": b"\x01a\x05\x00\x00",
    "a name that is not UTF-8": b"\x01\xff\x07\x00\x00",
    "a value that is not UTF-8": b"\x01a\x07\x00\x01\xff",
}


@pytest.mark.parametrize("headers", BROKEN_HEADERS.values(), ids=BROKEN_HEADERS.keys())
def test_broken_headers_are_refused(headers: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="headers"):
        read(raw(headers))


def test_headers_of_every_type_are_passed_over() -> None:
    values = {
        0: b"",
        1: b"",
        2: b"a",
        3: b"ab",
        4: b"abcd",
        5: b"12345678",
        6: b"\x00\x02ab",
        8: b"12345678",
        9: b"u" * 16,
    }
    headers = b"".join(b"\x01x" + bytes((kind,)) + value for kind, value in values.items())
    (frame,) = read(raw(headers + b"\x01t\x07\x00\x01v" + headers))
    assert frame.headers == {"t": "v"}


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.text(max_size=30), max_size=3
            ),
            st.text(max_size=50).map(str.encode),
        ),
        max_size=4,
    ),
    st.integers(1, 30),
)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_by_us_and_by_botocore(said: list[tuple[dict[str, str], bytes]], cut: int) -> None:
    stream = b"".join(encode_frame(headers, payload) for headers, payload in said)
    frames = read(*(stream[i : i + cut] for i in range(0, len(stream), cut)))
    assert [(frame.headers, frame.payload) for frame in frames] == said
    assert botocore_frames(stream) == [{"headers": h, "payload": p.decode()} for h, p in said]


@given(st.binary(max_size=60), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_junk_is_refused_as_botocore_refuses_it(junk: bytes, cut: int) -> None:
    frames = Frames()
    try:
        ours = [len(f.payload) for i in range(0, len(junk), cut) for f in frames.feed(junk[i : i + cut])]
    except RemoteProtocolError:
        ours = None
    buffer = EventStreamBuffer()
    buffer.add_data(junk)
    try:
        theirs = [len(message.payload) for message in buffer]
    except Exception:  # noqa: BLE001 - its parser raises what it likes
        theirs = None
    assert ours == theirs
