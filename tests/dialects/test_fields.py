"""The typed questions that every dialect asks of a client's JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tailrace.dialects import fields
from tailrace.errors import BadRequest

READERS: list[tuple[Callable[..., Any], Any, Any]] = [
    (fields.text, "", ""),
    (fields.text, "x", "x"),
    (fields.required_text, "x", "x"),
    (fields.number, 0.5, 0.5),
    (fields.number, 0, 0),
    (fields.integer, 5, 5),
    (fields.integer, 5.0, 5),
    (fields.integer, -(2**53), -(2**53)),
    (fields.flag, False, False),
    (fields.mapping, {}, {}),
    (fields.array, [1, "x"], [1, "x"]),
    (fields.objects, [{}, {"a": 1}], [{}, {"a": 1}]),
]


@pytest.mark.parametrize(("reader", "value", "expected"), READERS)
def test_a_field_of_the_right_type_is_returned(reader: Callable[..., Any], value: Any, expected: Any) -> None:
    found = reader({"f": value}, "f", "a.b")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("body", [{}, {"f": None}])
def test_a_field_that_is_missing_or_null_is_not_there(body: dict[str, Any]) -> None:
    for reader in (fields.text, fields.number, fields.integer, fields.flag, fields.mapping, fields.array):
        assert reader(body, "f") is None
    assert fields.objects(body, "f") == []


WRONG: list[tuple[Callable[..., Any], Any, str, str]] = [
    (fields.text, 1, "a.f", "must be a string, not a number"),
    (fields.required_text, None, "a.f", "is required"),
    (fields.required_text, "", "a.f", "is required"),
    (fields.number, "1", "a.f", "must be a number, not a string"),
    (fields.number, True, "a.f", "must be a number, not a boolean"),
    (fields.integer, 1.5, "a.f", "must be an integer"),
    (fields.integer, 2**53 + 2, "a.f", "must be an integer"),
    (fields.integer, float("inf"), "a.f", "must be an integer"),
    (fields.integer, float("nan"), "a.f", "must be an integer"),
    (fields.flag, 0, "a.f", "must be true or false, not a number"),
    (fields.mapping, [], "a.f", "must be an object, not an array"),
    (fields.array, {}, "a.f", "must be an array, not an object"),
    (fields.objects, [{}, None], "a.f.1", "must be an object, not null"),
]


@pytest.mark.parametrize(("reader", "value", "param", "message"), WRONG)
def test_a_field_of_another_type_is_refused_by_its_path(
    reader: Callable[..., Any], value: Any, param: str, message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        reader({"f": value}, "f", "a")
    assert (caught.value.param, caught.value.message) == (param, f"{param}: {message}")


def test_an_integer_may_have_a_least_value() -> None:
    assert fields.integer({"n": 1}, "n", least=1) == 1
    with pytest.raises(BadRequest, match="n: must be at least 1"):
        fields.integer({"n": 0}, "n", least=1)


@pytest.mark.parametrize(("path", "name", "expected"), [("", "a", "a"), ("a", "b", "a.b"), ("a.b", 3, "a.b.3")])
def test_paths_are_joined_with_dots(path: str, name: str | int, expected: str) -> None:
    assert fields.at(path, name) == expected
