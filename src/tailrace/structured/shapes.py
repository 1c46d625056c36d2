"""Shapes: what a document as a whole must be, said by a type or by a JSON Schema."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from tailrace.errors import InvalidOutput
from tailrace.partial_json import Path, pointer
from tailrace.structured.node import ANYTHING, Node, Problem

MAX_PROBLEMS = 20
"""Problems that one error tells: a repairing model reads them, and further ones are mostly echoes."""

MAX_REASON = 300
"""Characters of a reason: an enumeration of thousands of values is told in its beginning."""


class Shape(ABC):
    """What a document must be. ``root`` is for following it, `whole` for the end."""

    root: Node

    @property
    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """The JSON Schema with which a provider is asked for such a document."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Return what a complete document is in this shape; raises `Problem`."""

    def whole(self, value: Any) -> Any:
        """Return what a complete document is in this shape; raises `InvalidOutput`."""
        try:
            return self.check(value)
        except Problem as problem:
            raise invalid(problem) from problem.__cause__


class AnyJSON(Shape):
    """Any JSON document."""

    root = ANYTHING

    @property
    def asked(self) -> dict[str, Any]:
        """The schema that allows everything."""
        return {}

    def check(self, value: Any) -> Any:
        """Return ``value``."""
        return value


def invalid(problem: Problem, path: Path = ()) -> InvalidOutput:
    """Return the exception for a problem with the value at ``path``."""
    problems = tuple(
        (pointer((*path, *below)), reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 1] + "…")
        for below, reason in problem.found[:MAX_PROBLEMS]
    )
    first, reason = problems[0]
    return InvalidOutput(reason, path=first, problems=problems)


def shape(of: Any) -> Shape:
    """Return the shape that ``of`` says: a JSON Schema (a mapping), or any type that pydantic's `TypeAdapter` takes.

    True allows any JSON, as it does in JSON Schema. Raises `BadRequest` for what is none of these. A `Shape` is
    returned as it is.
    """
    if isinstance(of, Shape):
        return of
    if of is True:
        return AnyJSON()
    if isinstance(of, Mapping):
        from tailrace.structured.json_schema import SchemaShape

        return SchemaShape(dict(of))
    from tailrace.structured.typed import TypeShape

    return TypeShape(of)
