"""Documents held to a JSON Schema, by jsonschema-rs.

Keywords of JSON Schema add up: what ``properties`` and ``items`` say of a member must hold whatever else its container
must be. So members can be judged alone, and one that fails fails the document. Where finding a member's schema takes
more than those two keywords and plain references (``patternProperties``, tuples, schemas with their own ``$id``),
it is left to the whole.
"""

# ruff: noqa: D102  the methods are those of Shape and Node, described there

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import jsonschema_rs

from tailrace.errors import BadRequest
from tailrace.partial_json import Path, pointer
from tailrace.structured.node import ANYTHING, Container, Entered, Node, Place, Problem, plain
from tailrace.structured.shapes import MAX_PROBLEMS, Shape

_ROOT = "tailrace:root"

_MOVES_REFERENCES = frozenset({"$id", "id", "$dynamicRef", "$recursiveRef"})
"""Keywords with which a reference means something else than a place in the same document."""

_MAX_REFERENCES = 16
"""References in a row that are followed to a member's schema; a longer row, or a ring, is left to the whole."""

# Stands in messages where the value would: what a model wrote is for whoever asked, not for a log.
_MASK = "the value"


class SchemaShape(Shape):
    """A JSON Schema, of the draft that its ``$schema`` names (2020-12 where it names none).

    References out of the schema are refused: nothing is fetched. Raises `BadRequest` for what is not a schema.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        try:
            self._whole = jsonschema_rs.validator_for(schema, mask=_MASK, retriever=_refuse)
            self._registry = jsonschema_rs.Registry([(_ROOT, schema)], retriever=_refuse)
        except (ValueError, TypeError) as error:
            reason = getattr(error, "message", str(error))
            raise BadRequest(f"not a usable JSON Schema: {reason}", code="invalid_schema") from error
        self.schema = schema
        self._nodes: dict[Path, Node] = {}
        self.root = ANYTHING if _moves_references(schema) else self.node((), schema)

    @property
    def asked(self) -> dict[str, Any]:
        return self.schema

    def check(self, value: Any) -> Any:
        return judged(self._whole, value)

    def node(self, at: Path, schema: Any) -> Node:
        """Return the node for the subschema ``schema``, which is found at ``at`` in the whole."""
        node = self._nodes.get(at)
        if node is None:
            node = self._nodes[at] = SchemaNode(self, at, schema) if schema is not True else ANYTHING
        return node

    def target(self, at: Path, schema: Any) -> tuple[Path, dict[str, Any]] | None:
        """Return the schema that ``schema`` refers to, itself where it refers to none; None when that is not plain."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(schema, dict):
                return None
            reference = schema.get("$ref")
            if reference is None:
                return at, schema
            found = self._find(reference)
            if found is None:
                return None
            at, schema = found
        return None

    def validator(self, at: Path) -> Any:
        """Return a validator for the subschema at ``at``, its references read in the whole schema."""
        wrapper: dict[str, Any] = {"$ref": f"{_ROOT}#{quote(pointer(at))}"}
        if "$schema" in self.schema:
            wrapper["$schema"] = self.schema["$schema"]
        return jsonschema_rs.validator_for(wrapper, registry=self._registry, mask=_MASK, retriever=_refuse)

    def _find(self, reference: Any) -> tuple[Path, Any] | None:
        if not isinstance(reference, str) or "%" in reference or not (reference == "#" or reference.startswith("#/")):
            return None
        at: Path = ()
        schema: Any = self.schema
        for part in reference.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(schema, dict) or key not in schema:
                return None
            at = (*at, key)
            schema = schema[key]
        return at, schema


class SchemaNode(Node):
    """One subschema. Values are shown as they are: a schema converts nothing."""

    grows = True

    def __init__(self, shape: SchemaShape, at: Path, schema: Any) -> None:
        self._shape = shape
        self._at = at
        self._validator: Any = None
        self._target = shape.target(at, schema)

    def enter(self, kind: Container) -> Entered | None:
        if self._target is not None:
            wanted = self._target[1].get("type", kind)
            if kind != wanted and kind not in wanted:
                return None  # it is wrong already, and says so when it is whole
        return plain(kind)

    def child(self, slot: str | int) -> Place:
        if self._target is None:
            return Place(slot, ANYTHING)
        at, schema = self._target
        if isinstance(slot, int):
            # A list of schemas, or prefixItems: which item has which differs between the drafts.
            items = schema.get("items", True)
            if "prefixItems" in schema or not isinstance(items, dict | bool):
                return Place(slot, ANYTHING)
            return Place(slot, self._shape.node((*at, "items"), items))
        properties = schema.get("properties", {})
        if slot in properties:
            return Place(slot, self._shape.node((*at, "properties", slot), properties[slot]))
        if "patternProperties" in schema:
            return Place(slot, ANYTHING)
        return Place(slot, self._shape.node((*at, "additionalProperties"), schema.get("additionalProperties", True)))

    def check(self, value: Any) -> Any:
        if self._validator is None:
            self._validator = self._shape.validator(self._at)
        return judged(self._validator, value)


def judged(validator: Any, value: Any) -> Any:
    """Return ``value``; raise `Problem` with what the validator says against it."""
    try:
        if validator.is_valid(value):
            return value
        found = []
        for error in validator.iter_errors(value):
            found.append((tuple(error.instance_path), error.message))
            if len(found) == MAX_PROBLEMS:
                break
    except ValueError as error:  # a lone surrogate has no UTF-8
        raise Problem([((), "a string that no UTF-8 can say")]) from error
    raise Problem(found)


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not in the schema, and nothing is fetched")


def _moves_references(schema: Any) -> bool:
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if any(isinstance(node[key], str) for key in _MOVES_REFERENCES & node.keys()):
                return True
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return False
