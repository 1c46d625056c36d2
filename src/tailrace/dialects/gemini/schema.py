"""Google's ``Schema`` object to JSON Schema: the form in which every other dialect describes data.

It is a subset of OpenAPI 3.0's with the names of types in capitals. Other dialects' schemas need no way back: the
API takes JSON Schema too, under other field names.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.gemini.casing import cased

MAX_DEPTH = 64
"""Deepest schema that is taken: the API itself allows less."""

_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
"""64-bit integers, which protobuf's JSON form writes as strings."""

_DROPPED = frozenset({"nullable", "propertyOrdering", "example"})
"""Fields that JSON Schema says otherwise or not at all."""


def json_schema(value: Any, path: str, depth: int = 0) -> dict[str, Any]:
    """Return the JSON Schema that says the ``Schema`` object ``value``; raise `BadRequest` where it is none."""
    if depth > MAX_DEPTH:
        raise fields.refuse(path, f"must not be deeper than {MAX_DEPTH} levels")
    given = cased(value, path)
    found: dict[str, Any] = {}
    for name, field in given.items():
        here = fields.at(path, name)
        match name:
            case "type":
                if kind := _type(field, here):
                    found[name] = kind
            case "items" | "additionalProperties" if isinstance(field, dict):
                found[name] = json_schema(field, here, depth + 1)
            case "properties" | "defs":
                inner = fields.an_object(field, here)
                found["$defs" if name == "defs" else name] = {
                    key: json_schema(schema, fields.at(here, key), depth + 1) for key, schema in inner.items()
                }
            case "anyOf":
                schemas = fields.array(given, name, path) or []
                found[name] = [json_schema(s, fields.at(here, i), depth + 1) for i, s in enumerate(schemas)]
            case "format" if field == "enum":
                continue
            case _ if name in _COUNTS:
                found[name] = int(field) if isinstance(field, str) and field.isdecimal() else field
            case _ if name not in _DROPPED:
                found[name] = field
            case _:
                continue
    return _nullable(found) if given.get("nullable") is True else found


def _type(value: Any, path: str) -> str | list[Any] | None:
    if isinstance(value, list):
        return [kind.lower() if isinstance(kind, str) else kind for kind in value]
    if not isinstance(value, str):
        raise fields.refuse(path, "must be a string")
    return None if value == "TYPE_UNSPECIFIED" else value.lower()


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("enum"), list):
        schema["enum"] = [*schema["enum"], None]
    return schema
