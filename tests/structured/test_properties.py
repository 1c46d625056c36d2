"""Types and documents nobody thought of: following one is the same as judging it whole, and takes nothing back."""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import jsonschema_rs
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from tailrace.errors import InvalidOutput
from tailrace.structured import check_document
from tests.partial_json.reading import fragments
from tests.structured.reading import extends, follow, states

many = settings(max_examples=250, deadline=None, derandomize=True)


class Size(enum.Enum):
    S = "s"
    L = 7


class Link(BaseModel):
    to: str
    next: Link | None = None


SCALARS: list[Any] = [
    int, float, bool, str, None, date, datetime, timedelta, uuid.UUID, Decimal, bytes, Size, Link, Any,
    Literal["a", 1], Annotated[int, Field(ge=2)], Annotated[str, Field(max_length=2)],
    Annotated[str, Field(pattern="^[a-z]*$")], int | str, Link | int | None,
]  # fmt: skip
NAMES = ["a", "b", "items"]


@st.composite
def models(draw: Any, inner: Any) -> Any:
    config = ConfigDict(
        strict=draw(st.sampled_from([None, None, True])),
        extra=draw(st.sampled_from(["ignore", "allow", "forbid"])),
        str_strip_whitespace=draw(st.booleans()),
    )
    fields: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
        alias = draw(st.sampled_from([None, None, name.upper()]))
        default = draw(st.sampled_from([..., ..., None]))
        fields[name] = (draw(inner), Field(default, alias=alias))
    return create_model("M", __config__=config, **fields)


TYPES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        inner.map(list.__class_getitem__),
        inner.map(lambda one: dict.__class_getitem__((str, one))),
        inner.map(lambda one: tuple.__class_getitem__((one, ...))),
        inner.map(lambda one: Optional[one]),  # noqa: UP045  None has no |
        st.tuples(inner, inner).map(tuple.__class_getitem__),
        inner.map(lambda one: Annotated[list.__class_getitem__(one), Field(min_length=1)]),
        models(inner),
    ),
    max_leaves=6,
)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.sampled_from(["", "a", " ab ", "7", "s", "2026-01-02", "2026-01-02T03:04:05Z", "P1D", "é\n😀"]),
    st.just(str(uuid.UUID(int=5))),
)
KEYS = st.sampled_from([*NAMES, "A", "B", "to", "next", "x/y"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def fitting(schema: Any, root: dict[str, Any]) -> Iterator[Any]:
    """Yield strategies' values that a JSON Schema of pydantic's most likely allows."""
    if schema is True:
        schema = {}
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        yield {key: next(fitting(inner, root)) for key, inner in schema["properties"].items() if key != "next"}
    elif kind == "object":
        yield {"k": next(fitting(schema.get("additionalProperties") or {}, root))}
    elif kind == "array" and "prefixItems" in schema:
        yield [next(fitting(inner, root)) for inner in schema["prefixItems"]]
    elif kind == "array":
        yield [next(fitting(schema.get("items") or {}, root))] * 2
    elif "anyOf" in schema:
        yield next(fitting(schema["anyOf"][0], root))
    elif "enum" in schema:
        yield schema["enum"][0]
    else:
        formats = {
            "date": "2026-01-02",
            "date-time": "2026-01-02T03:04:05Z",
            "duration": "P1D",
            "uuid": str(uuid.UUID(int=5)),
        }
        yield {"integer": 2, "number": 1.5, "boolean": True, "string": formats.get(schema.get("format", ""), "ab")}.get(
            str(kind)
        )


def judged(of: Any, text: str) -> Any:
    """What pydantic says of the whole text: the value, or `ValidationError`."""
    try:
        return repr(TypeAdapter(of).validate_json(text))
    except ValidationError:
        return ValidationError


def followed(of: Any, split: list[str]) -> Any:
    try:
        return repr(follow(of, split))
    except InvalidOutput:
        return ValidationError


@st.composite
def documents(draw: Any) -> tuple[Any, str]:
    """Draw a type and a document that fits it, more or less."""
    of = draw(TYPES)
    schema = TypeAdapter(of).json_schema()
    value = next(fitting(schema, schema)) if draw(st.integers(0, 3)) else draw(ANYTHING)
    if draw(st.integers(0, 3)) == 0:
        value = bent(draw, value)
    return of, json.dumps(value, ensure_ascii=draw(st.booleans()))


def bent(draw: Any, value: Any) -> Any:
    """Return ``value`` with one place of it replaced."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: bent(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [*value[:-1], bent(draw, value[-1])]
    return draw(ANYTHING)


@many
@given(documents(), st.integers(1, 6))
@example((dict[str, Link], '{"a": {"to": "x", "next": {"to": 1}}}'), 1)
@example((list[Link], '[{"next": {"to": ""}}]'), 2)
def test_following_a_document_is_judging_it_whole(drawn: tuple[Any, str], size: int) -> None:
    of, text = drawn
    wanted = judged(of, text)
    assert followed(of, fragments(text, size)) == wanted
    assert followed(of, [text]) == wanted


@many
@given(documents(), st.integers(1, 6))
def test_nothing_that_was_shown_is_taken_back(drawn: tuple[Any, str], size: int) -> None:
    of, text = drawn
    shown: Any = None
    for state in states(of, fragments(text, size)):
        assert extends(state, shown)
        shown = state


@many
@given(documents(), st.data())
def test_what_is_shown_depends_on_the_text_alone(drawn: tuple[Any, str], data: Any) -> None:
    of, text = drawn
    each = list(states(of, text))
    cut = data.draw(st.integers(0, len(each)))
    at = data.draw(st.integers(0, cut))
    split = [part for part in (text[:at], text[at:cut]) if part]
    assert repr([None, *states(of, split)][-1]) == repr([None, *each][cut])


@many
@given(documents(), ANYTHING, st.integers(1, 6))
def test_following_a_schema_is_judging_by_it(drawn: tuple[Any, str], other: Any, size: int) -> None:
    of, text = drawn
    schema = TypeAdapter(of).json_schema()
    for document in (text, json.dumps(other)):
        value = json.loads(document)
        try:
            assert follow(schema, fragments(document, size)) == value
            valid = True
        except InvalidOutput:
            valid = False
        assert valid == jsonschema_rs.is_valid(schema, value)
        if valid:
            assert check_document(document, schema) == value
