"""What is refused although it may be JSON: too deep, too long, too long a number, a key again."""

from __future__ import annotations

import sys

import pytest

from tailrace.errors import InvalidJSON, JSONLimitExceeded
from tailrace.partial_json import MAX_DEPTH, MAX_NUMBER, Parser
from tests.partial_json.reading import fragments, read

SIZES = [1, 3, 1 << 30]


def refused(parser: Parser, text: str, size: int) -> JSONLimitExceeded:
    with pytest.raises(JSONLimitExceeded) as error:
        read(parser, fragments(text, size))
    assert parser.state == "dead"
    with pytest.raises(JSONLimitExceeded) as again:
        parser.close()
    assert (str(again.value), again.value.limit) == (str(error.value), error.value.limit)
    return error.value


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("begin", ["[", '{"a":'])
def test_depth(begin: str, size: int) -> None:
    parser = Parser(max_depth=5)
    read(parser, fragments(begin * 5, size))
    assert parser.state == "open"
    error = refused(Parser(max_depth=5), begin * 6, size)
    assert error.position == len(begin) * 5
    assert error.limit == 5
    assert "more than 5 open objects and arrays" in str(error)


@pytest.mark.parametrize("size", SIZES)
def test_depth_counts_what_is_open_and_not_what_was(size: int) -> None:
    text = "[" + ",".join(["[[]]"] * 50) + "]"
    parser = Parser(max_depth=3)
    read(parser, fragments(text, size))
    assert parser.close() == [[[]]] * 50


@pytest.mark.parametrize("size", SIZES)
def test_a_closed_container_is_not_let_through_deeper_than_an_open_one(size: int) -> None:
    inner = "[" * 6 + " " * 200 + "]" * 6
    assert refused(Parser(max_depth=6), f'{{"a": {inner}}}', size).position == len('{"a": ') + 5


@pytest.mark.parametrize("size", [1000, 1 << 30])
def test_a_hundred_thousand_brackets_end_at_the_default_depth(size: int) -> None:
    assert refused(Parser(), "[" * 100_000, size).position == MAX_DEPTH
    assert refused(Parser(), '[{"":' * 50_000, size).limit == MAX_DEPTH


@pytest.mark.parametrize("size", SIZES)
def test_size(size: int) -> None:
    text = '["' + "x" * 16 + '"]'
    parser = Parser(max_size=20)
    read(parser, fragments(text, size))
    assert parser.close() == ["x" * 16]
    error = refused(Parser(max_size=19), text, size)
    assert (error.position, error.limit) == (19, 19)
    assert "more than 19 characters" in str(error)
    assert refused(Parser(max_size=10), text, size).position == 10


@pytest.mark.parametrize("size", SIZES)
def test_a_fault_before_the_size_cap_is_the_one_that_is_told(size: int) -> None:
    with pytest.raises(InvalidJSON) as died:
        read(Parser(max_size=10), fragments("[1, x" + " " * 20, size))
    assert died.value.position == 4


def test_space_after_the_end_counts_too() -> None:
    parser = Parser(max_size=4)
    parser.feed("{}")
    parser.feed("  ")
    assert refused(parser, " ", 1).position == 4


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", ["123456", "-12345", "0.1234", "1e+123"])
@pytest.mark.parametrize("around", [("[", "]"), ("[", " " * 200 + "]")])
def test_length_of_a_number(number: str, around: tuple[str, str], size: int) -> None:
    before, after = around
    text = before + number + after
    parser = Parser(max_number=6)
    read(parser, fragments(text, size))
    assert parser.state == "complete"
    error = refused(Parser(max_number=5), text, size)
    assert (error.position, error.limit) == (len(before) + 5, 5)
    assert "more than 5 characters in a number" in str(error)


@pytest.mark.parametrize("digit", ["1", "0."])
def test_a_number_without_end_ends_at_the_default_length(digit: str) -> None:
    text = digit + "0" * 10_000
    assert refused(Parser(), text, 1000).position == MAX_NUMBER


@pytest.mark.parametrize("size", [100, 1 << 30])
@pytest.mark.parametrize("text", ["[%s]", "%s ", '{"a": [%s], "b": 1}'])
def test_more_digits_than_python_reads(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = sys.get_int_max_str_digits()
    error = refused(Parser(max_number=2 * digits), text % ("7" * (digits + 1)), size)
    assert (error.position, error.limit) == (text.index("%"), digits)
    assert "digits in an integer" in str(error)
    read(Parser(), fragments(text % ("7" * digits), size))


def test_more_digits_than_python_reads_at_the_close() -> None:
    parser = Parser(max_number=10_000)
    parser.feed("7" * 5000)
    with pytest.raises(JSONLimitExceeded) as error:
        parser.close()
    assert error.value.position == 0
    assert parser.state == "dead"


REPEATED = '{"a": {"b": 1, "c": [], "\\u0062": 2}, "d": "%s"}' % ("x" * 200)


@pytest.mark.parametrize("size", SIZES)
def test_a_repeated_key_may_be_an_error(size: int) -> None:
    read(Parser(), fragments(REPEATED, size))
    with pytest.raises(InvalidJSON) as died:
        read(Parser(duplicate_keys="error"), fragments(REPEATED, size))
    assert died.value.position == REPEATED.index('": 2')
    assert str(died.value) == f"the key 'b' again at character {died.value.position}"


@pytest.mark.parametrize("size", SIZES)
def test_the_same_key_in_another_object_is_not_a_repetition(size: int) -> None:
    text = '{"a": {"a": [{"a": 1}, {"a": 2}]}, "b": "%s"}' % ("x" * 200)
    parser = Parser(duplicate_keys="error")
    read(parser, fragments(text, size))
    assert parser.close()["a"] == {"a": [{"a": 1}, {"a": 2}]}
