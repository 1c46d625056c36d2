"""Containers that lie closed in one fragment: read another way, told the same."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.errors import JSONError
from tailrace.partial_json import Event, Parser, replay, scanner, whole
from tests.partial_json.documents import TEXTS, damaged
from tests.partial_json.reading import fragments, merged, read, same

always = patch.object(scanner, "_WORTH_A_SCAN", 0)


def outcome(text: str, size: int) -> tuple[str, Any]:
    parser = Parser()
    try:
        events = read(parser, fragments(text, size))
        return repr(merged(events)), repr(parser.close())
    except JSONError as error:
        return str(error), error.position


@settings(max_examples=100, deadline=None, derandomize=True)
@given(TEXTS | damaged(), st.integers(5, 60))
def test_the_other_way_tells_the_same(text: str, size: int) -> None:
    expected = outcome(text, 1)
    with always:
        assert outcome(text, size) == expected
        assert outcome(text, 1 << 30) == expected


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Where the other way was tried, and whether it was taken."""
    tried: list[tuple[int, bool]] = []

    def spy(text: str, at: int, *args: Any, **options: Any) -> tuple[Any, int] | None:
        result = whole.closed_container(text, at, *args, **options)
        tried.append((at, result is not None))
        return result

    monkeypatch.setattr(scanner, "closed_container", spy)
    return tried


def row(text: str) -> str:
    return f'{{"name": "{text}", "numbers": [1, 2.5, -3], "more": {{"empty": "", "list": []}}}}'


def test_a_whole_document_is_read_in_one_go(taken: list[tuple[int, bool]]) -> None:
    text = "[" + ", ".join([row("x" * 50)] * 3) + "]"
    parser = Parser()
    events = parser.feed(text)
    assert taken == [(0, True)]
    assert parser.state == "complete"
    assert same(replay(events), parser.close())
    assert same(merged(read(Parser(), text)), events)


def test_closed_items_are_taken_out_of_an_open_list(taken: list[tuple[int, bool]]) -> None:
    rows = [row(name * 60) for name in "abc"]
    text = '{"rows": [' + ", ".join(rows)
    parser = Parser()
    parser.feed(text)
    found = [at for at, taken_ in taken if taken_]
    assert found == [text.index(one) for one in rows]
    assert [item["name"][0] for item in parser.value["rows"]] == ["a", "b", "c"]


def test_a_fragment_is_begun_in_vain_only_a_few_times(taken: list[tuple[int, bool]]) -> None:
    parser = Parser()
    parser.feed("[" * 400 + " " * 1000)
    assert len(taken) == 4
    parser.feed("[" + " " * 1000)
    assert len(taken) == 5


@pytest.mark.parametrize(
    "inner",
    [
        "[" * 100 + "]" * 100,
        '{"a":' * 100 + "1" + "}" * 100,
        "[" * 5000,
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1,}',
        '{"a": tru}',
        "[01]",
        "[1 2]",
        '["\\x"]',
        '["\n"]',
    ],
    ids=lambda inner: inner[:12],
)
def test_what_is_out_of_the_ordinary_is_read_step_by_step(taken: list[tuple[int, bool]], inner: str) -> None:
    text = f'{{"before": [1], "it": {inner}, "after": "{"x" * 200}"}}'
    in_pieces = outcome(text, 1)
    assert taken == []
    assert outcome(text, 1 << 30) == in_pieces
    assert taken[0] == (0, False)


def test_nothing_is_told_of_what_is_given_up() -> None:
    events: list[Event] = []
    limits = whole.Limits(max_size=1000, max_depth=3, max_number=10, repeats_allowed=False)
    for text in ('[1, {"a": [[2]]}]', '{"a": 1, "b": [3], "a": 2}', "[1, 12345678901]", "[1, 1.234567890]", '["'):
        assert whole.closed_container(text, 0, (), depth=0, limits=limits, events=events) is None
    assert events == []
