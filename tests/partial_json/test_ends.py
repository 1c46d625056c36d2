"""The ends that cannot be confused: complete, truncated, dead at character N."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tailrace.errors import (
    InvalidJSON,
    JSONError,
    JSONLimitExceeded,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedJSON,
)
from tailrace.partial_json import Parser
from tests.partial_json.reading import fragments, read

# Text, position of the character that rules any document out, and what is said of it.
DEAD: list[tuple[str, int, str]] = [
    ("x", 0, "'x' instead of a value"),
    ("\ufeff{}", 0, "'\\ufeff' instead of a value"),
    ("[1,2,]", 5, "']' instead of a value"),
    ("[,", 1, "',' instead of a value or ']'"),
    ("[1 2", 3, "'2' instead of ',' or ']'"),
    ("[1}", 2, "'}' instead of ',' or ']'"),
    ('{"a": [1}', 8, "'}' instead of ',' or ']'"),
    ("{1", 1, "'1' instead of a key in quotes or '}'"),
    ('{"a":1,}', 7, "'}' instead of a key in quotes"),
    ('{"a" 1', 5, "'1' instead of ':'"),
    ('{"a": 1 "b": 2}', 8, "'\"' instead of ',' or '}'"),
    ('{"a": 1]', 7, "']' instead of ',' or '}'"),
    ('{"a":1} xyz', 8, "'x' instead of the end of the document"),
    ('{"a": 1}{"b": 2}', 8, "'{' instead of the end of the document"),
    ("01", 1, "'1' instead of the end of the document"),
    ("[01]", 2, "'1' instead of ',' or ']'"),
    ("[-]", 2, "']' in a number"),
    ("[-a", 2, "'a' in a number"),
    ("[+1]", 1, "'+' instead of a value or ']'"),
    ("[.5]", 1, "'.' instead of a value or ']'"),
    ("[1.]", 3, "']' in a number"),
    ("[1.e5]", 3, "'e' in a number"),
    ("[1e]", 3, "']' in a number"),
    ("[1e+-5]", 4, "'-' in a number"),
    ("[0x10]", 2, "'x' instead of ',' or ']'"),
    ("[١]", 1, "'١' instead of a value or ']'"),
    ("[1\xa0]", 2, "'\\xa0' instead of ',' or ']'"),
    ("[tru]", 4, "']' in 'true'"),
    ("[nul1", 4, "'1' in 'null'"),
    ("[fAlse]", 2, "'A' in 'false'"),
    ("[truee]", 5, "'e' instead of ',' or ']'"),
    ('["a\nb"]', 3, "'\\n' in a string"),
    ('["a\x00"]', 3, "'\\x00' in a string"),
    ('["\\x41"]', 3, "'x' in a string"),
    ('["\\u12G4"]', 6, "'G' in a string"),
    ('["\\u１２３４"]', 4, "'１' in a string"),
    ('["\\ud83d\\x"]', 9, "'x' in a string"),
    ('["\\ud83d\n"]', 8, "'\\n' in a string"),
    ('{"a\tb": 1}', 3, "'\\t' in a string"),
    ('{"\\ud83d\\q": 1}', 9, "'q' in a string"),
]


@pytest.mark.parametrize("size", [1, 2, 4, 1000])
@pytest.mark.parametrize(("text", "position", "problem"), DEAD, ids=[repr(row[0]) for row in DEAD])
def test_it_dies_at_the_character_that_rules_out_any_document(
    text: str, position: int, problem: str, size: int
) -> None:
    parser = Parser()
    with pytest.raises(InvalidJSON) as died:
        read(parser, fragments(text, size))
    assert died.value.position == position
    assert str(died.value) == f"{problem} at character {position}"
    assert parser.state == "dead"


def test_positions_count_from_the_beginning_of_the_document() -> None:
    text = "[" + '"' + "é\\n" * 500 + '", 1, tru!'
    for size in (1, 7, 10_000):
        with pytest.raises(InvalidJSON) as died:
            read(Parser(), fragments(text, size))
        assert died.value.position == text.index("!")


def test_a_dead_parser_says_so_again_and_keeps_what_was_shown() -> None:
    parser = Parser()
    with pytest.raises(InvalidJSON) as first:
        parser.feed('{"a": ["x", 1 2')
    for again in (lambda: parser.feed("]"), lambda: parser.feed(""), parser.close):
        with pytest.raises(InvalidJSON) as later:
            again()
        assert (str(later.value), later.value.position) == (str(first.value), 14)
    assert parser.value == {"a": ["x", 1]}
    assert parser.state == "dead"


TRUNCATED = [
    "",
    "  ",
    "[",
    '{"a"',
    '{"a":',
    '{"a": 1',
    '{"a": 1,',
    '["x',
    '["x\\',
    '["x\\ud83d',
    "tru",
    "-",
    "1.",
    "1e",
]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("text", TRUNCATED, ids=repr)
def test_what_breaks_off_is_truncated_and_not_dead(text: str, size: int) -> None:
    parser = Parser()
    read(parser, fragments(text, size))
    before = parser.state
    assert before == "open"
    for _ in range(2):
        with pytest.raises(TruncatedJSON) as cut:
            parser.close()
        assert cut.value.position == len(text)
        assert str(cut.value) == f"the document breaks off at character {len(text)}"
        assert parser.state == "truncated"


@pytest.mark.parametrize(
    ("text", "value"),
    [("{}", {}), (" [1] \n", [1]), ('"x"', "x"), ("null", None), ("true\t", True), ("12 ", 12), ("-0.5\n", -0.5)],
)
def test_complete_as_soon_as_nothing_can_be_missing(text: str, value: Any) -> None:
    parser = Parser()
    parser.feed(text)
    assert parser.state == "complete"
    assert parser.feed(" \r\n\t") == []
    assert parser.close() == value
    assert parser.close() == value
    assert parser.state == "complete"


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("12", 12), ("-1.5", -1.5), (" 1e3", 1000.0)])
def test_a_bare_number_is_complete_only_at_the_close(text: str, value: float) -> None:
    parser = Parser()
    assert read(parser, text) == []
    assert (parser.state, parser.value) == ("open", None)
    assert parser.close() == value
    assert (parser.state, parser.value) == ("complete", value)


def test_a_complete_document_dies_when_something_follows() -> None:
    parser = Parser()
    parser.feed('{"a": 1}')
    with pytest.raises(InvalidJSON, match="end of the document at character 10"):
        parser.feed("  ,")
    assert parser.state == "dead"
    with pytest.raises(InvalidJSON):
        parser.close()


@pytest.mark.parametrize("text", ['["open', '["whole"]', "12"])
def test_nothing_may_come_after_the_close(text: str) -> None:
    parser = Parser()
    parser.feed(text)
    with contextlib.suppress(TruncatedJSON):
        parser.close()
    before = parser.value
    for fragment in ("x", " ", ""):
        with pytest.raises(LocalProtocolError):
            parser.feed(fragment)
    assert parser.value == before


@pytest.mark.parametrize("kind", [InvalidJSON, TruncatedJSON, JSONLimitExceeded])
def test_errors_are_value_errors_in_the_tree(kind: type[Exception]) -> None:
    assert issubclass(kind, JSONError)
    assert issubclass(kind, ValueError)
    assert issubclass(kind, RemoteProtocolError)
    assert issubclass(JSONLimitExceeded, LimitExceeded)
    assert len({InvalidJSON, TruncatedJSON, JSONLimitExceeded} & set(kind.__mro__)) == 1
