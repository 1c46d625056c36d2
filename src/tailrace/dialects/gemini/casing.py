"""Both casings of a request's fields: protobuf's JSON form takes camelCase and the fields' own snake_case.

SDKs mix them within one request. What users name themselves (arguments, results, properties of a schema, labels) is
never touched: only the objects that the API defines are read through here.
"""

from __future__ import annotations

import re
from typing import Any

from tailrace.dialects import fields

_WORD = re.compile(r"_([a-z0-9])")


def camel(name: str) -> str:
    """Return a field's name in camelCase."""
    return _WORD.sub(lambda found: found[1].upper(), name)


def cased(value: Any, path: str) -> dict[str, Any]:
    """Return the object ``value`` with its own fields in camelCase, without those that are null."""
    found = fields.an_object(value, path)
    return {camel(name): field for name, field in found.items() if field is not None}


def cased_field(body: dict[str, Any], name: str, path: str = "") -> dict[str, Any] | None:
    """Return the object field ``name`` of ``body`` so, None when it is not there."""
    value = fields.mapping(body, name, path)
    return None if value is None else cased(value, fields.at(path, name))


def cased_list(body: dict[str, Any], name: str, path: str = "") -> list[dict[str, Any]]:
    """Return the objects of the array field ``name`` of ``body`` so."""
    here = fields.at(path, name)
    return [cased(value, fields.at(here, i)) for i, value in enumerate(fields.array(body, name, path) or ())]
