"""Documents held to a type, by pydantic, with the rules that it has for JSON.

Values are validated as the JSON that they are (`pydantic_core.SchemaValidator.validate_json`), never as Python values:
strict mode takes a date, an enumeration's member or a tuple from JSON and refuses the same from Python
(https://docs.pydantic.dev/latest/concepts/conversion_table/).

Members are found, and judged with their own constraints and validators, by the type's core schema. A value is left to
the whole where it cannot be judged alone: its validator may look at other fields.
"""

# ruff: noqa: D102  the methods are those of Shape and Node, described there

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import SchemaError, SchemaValidator, to_json

from tailrace.errors import BadRequest
from tailrace.structured import core_schema
from tailrace.structured.asking import askable
from tailrace.structured.core_schema import NO_CONFIG, Opened
from tailrace.structured.node import ANYTHING, HIDDEN, Container, Entered, Node, Partial, Place, Problem, plain
from tailrace.structured.shapes import MAX_PROBLEMS, Shape


class TypeShape(Shape):
    """Any type that pydantic's `TypeAdapter` takes. Raises `BadRequest` for another."""

    def __init__(self, of: Any) -> None:
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(of)
            inner, self.definitions = core_schema.without_definitions(self._adapter.core_schema)
        except (PydanticUserError, SchemaError) as error:
            raise BadRequest(f"pydantic can make no schema of {of!r}: {error}", code="invalid_type") from error
        self._nodes: dict[tuple[int, int], Node] = {}
        self.root = self.node(inner, NO_CONFIG)

    @property
    def asked(self) -> dict[str, Any]:
        try:
            asked: dict[str, Any] = askable(self._adapter.json_schema(mode="validation"))
        except PydanticUserError as error:
            raise BadRequest(f"the type has no JSON Schema: {error}", code="invalid_type") from error
        return asked

    def check(self, value: Any) -> Any:
        return judged(self._adapter, value)

    def node(self, schema: Any, config: Mapping[str, Any]) -> Node:
        """Return the node for a core schema within ``config``; both must be parts of the type's own."""
        key = (id(schema), id(config))
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _node(self, schema, config)
        return node

    def validator(self, schema: Any, config: Mapping[str, Any]) -> SchemaValidator:
        """Return a validator for ``schema`` alone."""
        if self.definitions:
            schema = {"type": "definitions", "schema": schema, "definitions": list(self.definitions.values())}
        return SchemaValidator(schema, dict(config) or None)  # type: ignore[arg-type]


def _node(shape: TypeShape, schema: Any, config: Mapping[str, Any]) -> Node:
    opened = core_schema.opened(schema, config, shape.definitions)
    judge = Judge(shape, schema, config)
    if opened is None:
        return HIDDEN if judge.hidden else judge
    if opened.schema["type"] == "any" and opened.kept:
        return ANYTHING
    make = _CONTAINERS.get(opened.schema["type"])
    if make is not None:
        return make(judge, opened)
    judge.grows = (
        opened.schema["type"] == "str" and opened.kept and not core_schema.changes_text(opened.schema, opened.config)
    )
    return HIDDEN if judge.hidden else judge


class Judge(Node):
    """A value that pydantic validates when it is complete; what it makes of the value is shown."""

    def __init__(self, shape: TypeShape, schema: Any, config: Mapping[str, Any]) -> None:
        self.shape = shape
        self.hidden = core_schema.needs_context(schema, shape.definitions)
        self.outer = schema
        self.surroundings = config
        self._validator: SchemaValidator | None = None

    def enter(self, kind: Container) -> Entered | None:  # noqa: ARG002
        return None

    def child(self, slot: str | int) -> Place:
        return Place(slot, HIDDEN)

    def check(self, value: Any) -> Any:
        if self._validator is None:
            self._validator = self.shape.validator(self.outer, self.surroundings)
        return judged(self._validator, value)


class Inside(Judge):
    """A container that is shown while it grows; a value that is no such container is judged as any other."""

    kind: Container

    def __init__(self, judge: Judge, opened: Opened) -> None:
        super().__init__(judge.shape, judge.outer, judge.surroundings)
        self.inner = opened.schema
        self.config = opened.config

    def enter(self, kind: Container) -> Entered | None:
        return plain(kind) if kind == self.kind else None


class Fields(Inside):
    """A model, dataclass or typed dict: members by the keys that their aliases say."""

    kind = "object"

    def __init__(self, judge: Judge, opened: Opened) -> None:
        super().__init__(judge, opened)
        self.config = config = self.inner.get("config", opened.config)  # a typed dict has its own here
        named = core_schema.fields(self.inner)
        self._keys = {
            key: (name, field["schema"])
            for name, field in named.items()
            for key in core_schema.keys(name, field, config)
        }
        extra = self.inner.get("extra_behavior") or config.get("extra_fields_behavior")
        self._extra = ANYTHING if extra == "allow" and not self.inner.get("extras_schema") else HIDDEN
        self._names = frozenset(named)
        self._partial: type[Partial] | None = None
        if opened.cls is not None:
            self._partial = type(f"Partial{opened.cls.__name__}", (Partial,), {"_names": self._names})

    def enter(self, kind: Container) -> Entered | None:
        if kind != "object" or self._partial is None:
            return super().enter(kind)
        shown = self._partial()
        return Entered(shown, vars(shown))

    def child(self, slot: str | int) -> Place:
        name, schema = self._keys.get(str(slot), (str(slot), None))
        if schema is None:
            return Place(name, HIDDEN if name in self._names else self._extra)
        return Place(name, self.shape.node(schema, self.config))


class Items(Inside):
    """A list, or a tuple shown as one."""

    kind = "array"

    def child(self, slot: str | int) -> Place:
        schema: Any = self.inner.get("items_schema")
        if isinstance(schema, list):
            place = int(slot)
            variadic = self.inner.get("variadic_item_index", len(schema))
            if variadic == len(schema) - 1:
                place = min(place, variadic)
            schema = schema[place] if place < len(schema) and place <= variadic else None
            return Place(slot, HIDDEN if schema is None else self.shape.node(schema, self.config))
        return Place(slot, ANYTHING if schema is None else self.shape.node(schema, self.config))


class Values(Inside):
    """A dict with keys as they are in JSON."""

    kind = "object"

    def __init__(self, judge: Judge, opened: Opened) -> None:
        super().__init__(judge, opened)
        keys = self.inner.get("keys_schema", {"type": "any"})
        self._plain = keys["type"] in {"any", "str"} and not core_schema.changes_text(keys, opened.config)

    def enter(self, kind: Container) -> Entered | None:
        return super().enter(kind) if self._plain else None

    def child(self, slot: str | int) -> Place:
        schema = self.inner.get("values_schema")
        return Place(slot, ANYTHING if schema is None else self.shape.node(schema, self.config))


_CONTAINERS: dict[str, type[Inside]] = {
    "model-fields": Fields,
    "dataclass-args": Fields,
    "typed-dict": Fields,
    "list": Items,
    "tuple": Items,
    "dict": Values,
}


def judged(validator: SchemaValidator | TypeAdapter[Any], value: Any) -> Any:
    """Return what the validator makes of the JSON ``value``; raises `Problem`."""
    try:
        return validator.validate_json(to_json(value))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
        raise Problem([(_place(one["loc"], value, one["type"]), one["msg"]) for one in errors]) from error
    except ValueError as error:  # a lone surrogate, or deeper than pydantic goes
        raise Problem([((), "a value that has no UTF-8 form, or is nested too deeply")]) from error


def _place(loc: tuple[str | int, ...], value: Any, kind: str) -> tuple[str | int, ...]:
    """Return the path in the document for pydantic's location, which also names branches of unions and functions."""
    path: list[str | int] = []
    for part in loc:
        found = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if found:
            path.append(part)
            value = value[part]
    if kind == "missing" and isinstance(value, dict):
        path.append(loc[-1])
    return tuple(path)
