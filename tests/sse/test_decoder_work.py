"""That work and memory are linear in the bytes fed: counted, not timed.

Each step of the decoder is given its bytes in an argument, so their sizes are the bytes that it can look at.
"""

from typing import Self

import pytest

from tailrace.errors import LimitExceeded
from tailrace.sse import Decoder, ServerSentEvent

SIZE = 20_000


class GrowsOnly(bytearray):
    """An unfinished line that may be added to and measured, and not looked at."""

    grown = 0

    def __iadd__(self, more: object) -> Self:  # type: ignore[misc]
        assert isinstance(more, bytes)
        self.grown += len(more)
        return super().__iadd__(more)

    def _refuse(self, *_: object) -> None:
        raise AssertionError("the unfinished line was looked at")

    __add__ = __radd__ = __contains__ = __getitem__ = __iter__ = _refuse  # type: ignore[assignment]
    count = find = index = partition = replace = rfind = rindex = rpartition = rsplit = split = splitlines = _refuse  # type: ignore[assignment]
    endswith = startswith = strip = lstrip = rstrip = removeprefix = removesuffix = copy = join = _refuse  # type: ignore[assignment]


class Counted(Decoder):
    """Counts the bytes that each step is given."""

    given = 0

    def _normalised(self, data: bytes) -> bytes:
        self.given += len(data)
        return super()._normalised(data)

    def _decode(self, data: bytes, events: list[ServerSentEvent]) -> None:
        self.given += len(data)
        super()._decode(data, events)

    def _take(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        self.given += sum(map(len, lines))
        super()._take(lines, events)


@pytest.mark.parametrize("start", [b"data: ", b": ", b"unknown: ", b"unknown", b"id: ", b"event: "])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_long_line_in_small_pieces_is_looked_at_once_per_step(start: bytes, size: int) -> None:
    decoder = Counted()
    decoder._buffer = buffer = GrowsOnly()
    line = start + b"x" * SIZE
    for at in range(0, len(line), size):
        assert decoder.feed(line[at : at + size]) == []
        assert decoder._buffer is buffer
    assert buffer.grown == len(line)
    decoder.feed(b"\n\n")
    assert decoder.given <= 3 * (len(line) + 2)


def test_an_event_of_many_lines_grows_in_place() -> None:
    decoder = Counted()
    decoder.feed(b"data: first\ndata: second\n")
    data = decoder._data
    fed = decoder.given
    for _ in range(SIZE // 10):
        decoder.feed(b"data: xyz\n")
        assert decoder._data is data
    assert decoder.given - fed <= 3 * SIZE
    (event,) = decoder.feed(b"\n")
    assert event.data == b"first\nsecond" + b"\nxyz" * (SIZE // 10)


@pytest.mark.parametrize("line", [b": hb\n", b"unknown: field\n", b"event: x\n", b"id: 1\n", b"retry: 1\n", b"\n"])
def test_lines_without_data_leave_no_more_behind_than_one_of_them(line: bytes) -> None:
    once, often = Decoder(), Decoder()
    once.feed(line)
    for _ in range(1000):
        assert often.feed(line) == []
    state = [name for name in Decoder.__slots__ if name != "last_event_id"]
    assert [getattr(often, name) for name in state] == [getattr(once, name) for name in state]


def feed_until_refused(decoder: Decoder, stream: list[bytes]) -> int:
    """Return the most bytes that were held after any chunk."""
    held = 0
    try:
        for chunk in stream:
            decoder.feed(chunk)
            held = max(held, len(decoder._buffer), len(decoder._data or b""))
    except LimitExceeded:
        return held
    raise AssertionError("the stream was not refused")


@pytest.mark.parametrize("start", [b"data: ", b": ", b"unknown", b"id: ", b"event: ", b"retry: "])
def test_an_endless_line_is_never_held_past_its_limit(start: bytes) -> None:
    decoder = Decoder(max_line=100)
    held = feed_until_refused(decoder, [bytes([byte]) for byte in start + b"x" * 200])
    assert held == 100


def test_endless_data_is_never_held_past_its_limit() -> None:
    decoder = Decoder(max_event=100)
    held = feed_until_refused(decoder, [b"data\n"] * 200)
    assert held == 100
