"""The forms of an answer told apart, and JSON cut into its elements."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.gemini.framing import MAX_ELEMENT, Framing
from tailrace.errors import LimitExceeded, RemoteProtocolError


def read(*pieces: bytes) -> tuple[list[bytes], bool]:
    framing = Framing()
    found = [event.data for piece in pieces for event in framing.feed(piece)]
    framing.feed(b"")
    return found, framing.close()


ONE, TWO = b'{"a": "}]\\"{[\\\\", "b": [{}, []]}', b"{}"

FORMS: dict[str, tuple[bytes, list[bytes], bool]] = {
    "events": (b"data: {}\n\ndata: 1\n\n", [b"{}", b"1"], True),
    "an event without its end": (b"data: {}\n\ndata: 1\n", [b"{}"], False),
    "an event in the middle of a line": (b"data: {}\n\ndat", [b"{}"], False),
    "events after a mark and blanks": (b"\xef\xbb\xbf \r\n\r\ndata: {}\n\n", [b"{}"], True),
    "bare json between events": (b"data: {}\n\n" + ONE + b"\n", [b"{}", ONE], True),
    "bare json after a carriage return": (b"data: {}\r\r" + ONE, [b"{}", ONE], True),
    "bare json cut off": (b"data: {}\n\n" + ONE[:-1], [b"{}"], False),
    "braces that begin no line": (b"data: {\ndata: }\n\n: {\n\n", [b"{\n}"], True),
    "an array": (b"[" + ONE + b"\n,\r\n" + TWO + b"]\n", [ONE, TWO], True),
    "an array after a mark and blanks": (b"\xef\xbb\xbf\r\n [ " + TWO + b" ]", [TWO], True),
    "an array that is open": (b"[" + ONE + b",", [ONE], False),
    "an element that is open": (b"[" + ONE + b',{"a"', [ONE], False),
    "an empty array": (b"[]", [], True),
    "an object": (ONE, [ONE], True),
    "objects": (ONE + b"\n" + TWO, [ONE, TWO], True),
    "nothing": (b"", [], False),
    "white space": (b"\r\n \n", [], False),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_first_byte_tells_the_form(name: str) -> None:
    data, elements, complete = FORMS[name]
    assert read(data) == (elements, complete)
    assert read(*(data[i : i + 1] for i in range(len(data)))) == (elements, complete)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.integers(0, 2**32))
def test_any_split_is_the_same(name: str, seed: int) -> None:
    data, elements, complete = FORMS[name]
    chosen = random.Random(seed)
    cuts = sorted(chosen.randrange(len(data) + 1) for _ in range(4))
    assert read(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))) == (elements, complete)


@pytest.mark.parametrize("data", [b"[1]", b"[{}}", b"[{}]]", b"[{}] {}", b"{},{}", b"[[{}]]", b'["x"]', b"{}]"])
def test_what_stands_between_elements_is_a_comma_or_nothing(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="between the elements"):
        read(data)


def test_a_fault_behind_elements_is_told_by_the_next_call() -> None:
    framing = Framing()
    assert [event.data for event in framing.feed(b"[{},{}x")] == [b"{}", b"{}"]
    for again in (lambda: framing.feed(b""), framing.close):
        with pytest.raises(RemoteProtocolError):
            again()


@pytest.mark.parametrize("head", [b'[{"a":"', b"data: {}\n\n{"])
def test_an_element_past_the_limit_is_refused(head: bytes) -> None:
    framing = Framing()
    framing.feed(head)
    piece = b"x" * (1024 * 1024)
    with pytest.raises(LimitExceeded) as caught:  # noqa: PT012
        for _ in range(17):
            framing.feed(piece)
    assert caught.value.limit == MAX_ELEMENT


def test_time_is_linear_in_the_bytes_however_they_come() -> None:
    def seconds(size: int) -> float:
        data = b"[" + b'{"a":"\\\\' + b"[{" * size + b'"}' + b"]"
        framing, begun = Framing(), time.process_time()
        for i in range(0, len(data), 64):
            framing.feed(data[i : i + 64])
        assert framing.close()
        return time.process_time() - begun

    small = min(seconds(50_000) for _ in range(3))
    large = min(seconds(400_000) for _ in range(3))
    # Eight times the bytes; quadratic work would take sixty-four times as long.
    assert large < 24 * small


def test_deep_brackets_are_only_counted() -> None:
    deep = b"[" + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]"
    elements, complete = read(deep)
    assert (len(elements), complete) == (1, True)
