"""Types: what is shown of them and when, what is refused and where."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    OnErrorOmit,
    RootModel,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from tailrace.errors import BadRequest, InvalidJSON, InvalidOutput, TruncatedJSON
from tailrace.structured import Follower, Partial, check_document, shape
from tests.structured.reading import follow, refused, states


class Unfinished(BaseModel):
    rest: NotDefinedYet  # type: ignore[name-defined]  # noqa: F821


class Colour(enum.Enum):
    RED = "red"


class Person(BaseModel):
    name: str
    born: date | None = None
    items: list[str] = []
    friends: list[Person] = []


@dataclasses.dataclass
class Point:
    x: int
    label: str = ""


class Ticket(TypedDict):
    seat: str
    price: Annotated[int, Field(gt=0)]


def last(of: Any, text: str) -> Any:
    return [None, *states(of, text)][-1]


SHOWN = [
    (str, '"ab', "ab"),
    (str | None, '"ab', "ab"),
    (int, "[", None),
    (list[int], "[1, 2", [1]),
    (list[str], '["a", "b', ["a", "b"]),
    (dict[str, str], '{"a": "b', {"a": "b"}),
    (dict[int, int], '{"1": 2', None),
    (dict[int, int], '{"1": 2}', {1: 2}),
    (tuple[int, str], '[1, "a', [1, "a"]),
    (tuple[int, ...], "[1, 2, 3", [1, 2]),
    (set[int], "[1, 2", None),
    (set[int], "[1, 2]", {1, 2}),
    (date, '"2026-01-0', None),
    (date, '"2026-01-02"', date(2026, 1, 2)),
    (Colour, '"re', None),
    (Colour, '"red"', Colour.RED),
    (Literal["red", "green"], '"re', None),
    (Annotated[str, StringConstraints(to_upper=True)], '"ab', None),
    (Annotated[str, StringConstraints(to_upper=True)], '"ab"', "AB"),
    (Annotated[str, AfterValidator(str.title)], '"ab', None),
    (Annotated[str, AfterValidator(str.title)], '"ab"', "Ab"),
    (Annotated[list[int], AfterValidator(sorted)], "[2, 1]", [2, 1]),
    (Person | int, '{"name": "Ada"', None),
    (Person | int, '{"name": "Ada"}', Person(name="Ada")),
    (Any, '{"a": [1, "b', {"a": [1, "b"]}),
    (list, '[{"a": "b', [{"a": "b"}]),
    (RootModel[list[str]], '["a', ["a"]),
    (Ticket, '{"seat": "1', {"seat": "1"}),
]


@pytest.mark.parametrize(("of", "text", "shown"), SHOWN, ids=lambda value: str(value))
def test_a_value_is_shown_when_nothing_can_change_it(of: Any, text: str, shown: Any) -> None:
    assert repr(last(of, text)) == repr(shown)


def test_a_model_is_shown_with_the_fields_that_have_arrived() -> None:
    partial = last(Person, '{"name": "Ada", "friends": [{"name": "Bo')
    assert isinstance(partial, Partial)
    assert (partial.name, partial.born, partial.items, partial.friends[0].name) == ("Ada", None, None, "Bo")
    assert list(vars(partial)) == ["name", "friends"]
    assert repr(partial) == "PartialPerson(name='Ada', friends=[PartialPerson(name='Bo')])"
    with pytest.raises(AttributeError, match="no field 'nmae'"):
        _ = partial.nmae


def test_a_dataclass_is_shown_by_its_fields_too() -> None:
    partial = last(Point, '{"x": 1, "label": "a')
    assert (partial.x, partial.label) == (1, "a")
    assert follow(Point, '{"x": 1, "label": "a"}') == Point(1, "a")


def test_fields_are_found_by_their_aliases() -> None:
    class Aliased(BaseModel):
        model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)
        one: int = Field(alias="One")
        two: int = Field(1, validation_alias=AliasChoices("Two", AliasPath("deep", 0)))

    assert vars(last(Aliased, '{"One": 1, "Two": 2}')) == {"one": 1, "two": 2}
    assert vars(last(Aliased, '{"one": 1, "deep": [3]}')) == {"one": 1}
    assert follow(Aliased, '{"one": 1, "deep": [3]}').two == 3
    assert refused(Aliased, '{"One": "x"}').path == "/One"


@pytest.mark.parametrize(("extra", "shown"), [("ignore", {"a": 1}), ("allow", {"a": 1, "z": "q"})])
def test_unknown_keys_are_shown_where_the_model_keeps_them(extra: Any, shown: dict[str, Any]) -> None:
    class Model(BaseModel):
        model_config = ConfigDict(extra=extra)
        a: int

    assert vars(last(Model, '{"a": 1, "z": "q')) == shown


def test_what_needs_more_than_the_value_is_left_to_the_whole() -> None:
    class Range(BaseModel):
        low: int
        high: int
        kept: list[OnErrorOmit[int]] = []

        @field_validator("high")
        @classmethod
        def above(cls, high: int, info: ValidationInfo) -> int:
            assert high > info.data["low"]
            return high

    class Shouting(BaseModel):
        word: str

        @model_validator(mode="before")
        @classmethod
        def shout(cls, data: Any) -> Any:
            return {"word": data["w"].upper()}

    assert vars(last(Range, '{"low": 1, "high": 2, "kept": [1, "x"]}')) == {"low": 1, "kept": []}
    assert follow(Range, '{"low": 1, "high": 2, "kept": [1, "x"]}').kept == [1]
    assert refused(Range, '{"low": 3, "high": 2}').path == "/high"
    assert last(list[Shouting], '[{"w": "a"}, {"w": "b"') == [Shouting.model_construct(word="A")]


def test_json_is_judged_by_the_rules_for_json() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True, val_json_bytes="base64")
        day: date
        colour: Colour
        pair: tuple[int, int]
        raw: bytes

    text = '{"day": "2026-01-02", "colour": "red", "pair": [1, 2], "raw": "aGk="}'
    assert follow(Strict, text) == Strict.model_validate_json(text)
    assert last(Strict, text).raw == b"hi"
    assert refused(Strict, '{"pair": [1, "2"]').path == "/pair/1"


REFUSED = [
    (Person, '{"name": 5', "", "breaks off"),
    (Person, '{"name": 5,', "/name", "valid string"),
    (Person, '{"name": "a", "born": "soon"', "/born", "date"),
    (Person, '{"name": "a", "items": ["b", 7 ', "/items/1", "valid string"),
    (Person, '{"name": "a", "items": {"b": 7}', "/items", "valid array"),
    (
        Person,
        '{"name": "a", "friends": [{"name": "b", "friends": [{"name": null',
        "/friends/0/friends/0/name",
        "string",
    ),
    (Person, '{"born": null}', "/name", "required"),
    (Person, '{"name": "a", "friends": [{}]}', "/friends/0/name", "required"),
    (Person, "[]", "", "object"),
    (Person, "", "", "breaks off"),
    (Person, "{'name'", "", "not JSON"),
    (Person, '{"name": "a", "name": "b"}', "", "the key 'name' again"),
    (Person, '{"name": "\\ud800"}', "/name", "UTF-8"),
    (Annotated[list[int], Field(min_length=2)], "[1]", "", "at least 2"),
    (Person | int, '{"name": []}', "/name", "valid string"),
    (dict[str, Point], '{"a/b": {"x": "q"', "/a~1b/x", "integer"),
    (list[Any], "[" * 300 + "]" * 300, "", "nested too deeply"),
]


@pytest.mark.parametrize(("of", "text", "path", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_an_error_says_where_and_why(of: Any, text: str, path: str, reason: str) -> None:
    error = refused(of, text)
    assert error.path == path
    assert reason in error.reason
    assert (path or "the document") in str(error)


def test_a_document_that_was_refused_stays_refused() -> None:
    follower = Follower(shape(Person))
    with pytest.raises(InvalidOutput):
        follower.feed('{"name": 1,')
    assert follower.state == "dead"
    for again in (lambda: follower.feed('"items": []}'), follower.close):
        with pytest.raises(InvalidOutput, match="/name"):
            again()


def test_all_problems_of_the_whole_are_told() -> None:
    error = refused(list[Person], "[{}, {}]")
    assert [path for path, _ in error.problems] == ["/0/name", "/1/name"]


def test_the_cause_is_kept() -> None:
    with pytest.raises(InvalidOutput) as truncated:
        check_document('{"name": "a"', Person)
    assert isinstance(truncated.value.__cause__, TruncatedJSON)
    with pytest.raises(InvalidOutput) as invalid:
        check_document("nope", Person)
    assert isinstance(invalid.value.__cause__, InvalidJSON)


def test_a_value_is_validated_once_on_the_way_and_once_at_the_end() -> None:
    seen: list[Any] = []

    def note(value: Any) -> Any:
        seen.append(value)
        return value

    class Leaf(BaseModel):
        word: Annotated[str, AfterValidator(note)]

    class Tree(BaseModel):
        leaves: list[Leaf]
        more: dict[str, list[Leaf]]

    text = '{"leaves": [{"word": "a"}, {"word": "b"}], "more": {"k": [{"word": "c"}]}}'
    for fragments in ([text], text):
        seen.clear()
        follower = Follower(shape(Tree))
        for fragment in fragments:
            follower.feed(fragment)
        assert seen == ["a", "b", "c"]
        follower.close()
        assert seen == ["a", "b", "c"] * 2


def test_what_pydantic_has_no_schema_for_is_refused() -> None:
    class Plain:
        pass

    for of in (Plain, Unfinished):
        with pytest.raises(BadRequest, match="no schema of"):
            shape(of)


def test_what_has_no_json_schema_cannot_be_asked_for() -> None:
    with pytest.raises(BadRequest, match="no JSON Schema"):
        _ = shape(Callable[[int], int]).asked


def test_a_type_is_asked_for_with_closed_objects() -> None:
    asked = shape(Person).asked
    assert asked["$defs"]["Person"]["additionalProperties"] is False
    assert shape(dict[str, int]).asked == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert shape(Ticket).asked["additionalProperties"] is False
    assert shape(list[str]).asked == TypeAdapter(list[str]).json_schema()


def test_what_providers_refuse_is_told_to_the_model_instead() -> None:
    class Bounded(BaseModel):
        minimum: int = Field(ge=0, lt=9, description="How low.")
        code: Annotated[str, Field(pattern="^x", max_length=3)]
        at: date
        raw: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]
        few: list[int] = Field(min_length=1, max_length=4)
        many: list[int] = Field(min_length=2)

    properties = shape(Bounded).asked["properties"]
    said = {name: {key: one for key, one in value.items() if key != "title"} for name, value in properties.items()}
    assert said == {
        "minimum": {"type": "integer", "description": "How low.\n\n{exclusiveMaximum: 9, minimum: 0}"},
        "code": {"type": "string", "description": "{maxLength: 3, pattern: ^x}"},
        "at": {"type": "string", "format": "date"},
        "raw": {"type": "string", "description": "{format: binary}"},
        "few": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "description": "{maxItems: 4}"},
        "many": {"type": "array", "items": {"type": "integer"}, "description": "{minItems: 2}"},
    }


def test_told_apart_branches_are_asked_for_as_any_of_them() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    asked = shape(Annotated[Cat | Dog, Field(discriminator="kind")]).asked
    assert asked.keys() == {"$defs", "anyOf"}
    assert [branch["$ref"] for branch in asked["anyOf"]] == ["#/$defs/Cat", "#/$defs/Dog"]
