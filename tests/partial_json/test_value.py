"""What is shown of a document that is not finished: open strings so far, numbers and literals when whole."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.errors import InvalidJSON
from tailrace.partial_json import Parser
from tests.partial_json.reading import read, same

# The text so far, and the value that is shown for it.
SHOWN: list[tuple[str, Any]] = [
    ("", None),
    (" \n", None),
    ('"', ""),
    ('"hel', "hel"),
    ('{"a": "hel', {"a": "hel"}),
    # An escape waits until it is whole.
    ('"hel\\', "hel"),
    ('"he\\u', "he"),
    ('"he\\u00', "he"),
    ('"he\\u006c', "hel"),
    ('"he\\\\', "he\\"),
    ('"he\\"', 'he"'),
    ('"he\\nl', "he\nl"),
    # A high surrogate waits for its other half, or for what shows that there is none.
    ('"a\\ud83d', "a"),
    ('"a\\ud83d\\', "a"),
    ('"a\\ud83d\\ude0', "a"),
    ('"a\\ud83d\\ude00', "a😀"),
    ('"a\\uD83D\\uDE00', "a😀"),
    ('"a\\ud83dx', "a\ud83dx"),
    ('"a\\ud83d"', "a\ud83d"),
    ('"a\\ud83d\\n', "a\ud83d\n"),
    ('"a\\ud83d\\ud83d', "a\ud83d"),
    ('"a\\ude00', "a\ude00"),
    # What has only the look of one does not wait.
    ('"a\\\\ud83d', "a\\ud83d"),
    ('"a\ud83d', "a\ud83d"),
    # Numbers and literals are shown when nothing can change them any more.
    ('{"n": 12', {}),
    ('{"n": 12,', {"n": 12}),
    ('{"n": 12 ', {"n": 12}),
    ('{"n": 12}', {"n": 12}),
    ("[-", []),
    ("[1.", []),
    ("[1e", []),
    ("[1e5", []),
    ("[1e5]", [100000.0]),
    ("[1, 2", [1]),
    ("12", None),
    ("[tr", []),
    ("[true", [True]),
    ("[fals", []),
    ("[null", [None]),
    # Keys are shown with their value.
    ('{"ke', {}),
    ('{"key"', {}),
    ('{"key":', {}),
    ('{"key": [', {"key": []}),
    ('{"key": {"a', {"key": {}}),
    ('{"a": 1, "a', {"a": 1}),
    ('{"a": 1, "a": ', {"a": 1}),
    ('{"a": 1, "a": 2}', {"a": 2}),
    # Large and long.
    ("[123456789012345678901234567890]", [123456789012345678901234567890]),
    ("[1e400, -1e400, 1e-400, -0, -0.0]", [float("inf"), float("-inf"), 0.0, 0, -0.0]),
    ("[[[[", [[[[]]]]),
]


@pytest.mark.parametrize(("text", "value"), SHOWN, ids=[repr(text) for text, _ in SHOWN])
def test_what_is_shown(text: str, value: Any) -> None:
    whole, single = Parser(), Parser()
    whole.feed(text)
    read(single, text)
    assert same(whole.value, value)
    assert same(single.value, value)
    assert same(single.snapshot(), value)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "[-Infinity]", "[1,2,]", '{"a":1,}', "'a'", "```json\n{}\n```"])
def test_what_other_parsers_let_pass(text: str) -> None:
    with pytest.raises(InvalidJSON):
        Parser().feed(text)


def test_the_live_value_is_one_object_that_grows() -> None:
    parser = Parser()
    parser.feed('{"items": [{"name": "A')
    value = parser.value
    items = value["items"]
    parser.feed('l"}, {"name": "Bo')
    assert parser.value is value
    assert value["items"] is items
    assert items == [{"name": "Al"}, {"name": "Bo"}]
    parser.feed('b"}]}')
    assert parser.close() is value


def test_a_string_that_somebody_keeps_is_not_changed() -> None:
    parser = Parser()
    parser.feed('["')
    kept = []
    for fragment in ["ab", "cd", "é", "😀", "\\n", 'x"']:
        parser.feed(fragment)
        kept.append(parser.value[0])
    assert kept == ["ab", "abcd", "abcdé", "abcdé😀", "abcdé😀\n", "abcdé😀\nx"]


def test_a_snapshot_stays_and_shares_what_is_closed() -> None:
    parser = Parser()
    parser.feed('{"a": {"b": [1]}, "c": [[2], {"d": "x')
    first = parser.snapshot()
    parser.feed('y"}, [3]]')
    second = parser.snapshot()
    parser.feed("}")
    assert first == {"a": {"b": [1]}, "c": [[2], {"d": "x"}]}
    assert second == {"a": {"b": [1]}, "c": [[2], {"d": "xy"}, [3]]}
    assert first["a"] is second["a"] is parser.value["a"]
    assert parser.close() == second


def test_at_most_eleven_characters_wait_in_a_string() -> None:
    text = '["a\\ud83d\\ude00b\\ud83d\\ud83d\\ud83d\\u12\x41\x42c\\\\\\"\\n'
    for cut in range(2, len(text)):
        parser = Parser()
        read(parser, text[:cut])
        assert len(parser._held) <= 11
