"""Reading a client's JSON: one typed question per field, one kind of answer when it is wrong.

Every reader takes the object, the field's name and the object's own path, and raises `BadRequest` whose ``param`` is
the whole path (``messages.0.content``). A field that is missing or null is not there: None.
"""

from __future__ import annotations

from typing import Any

from tailrace.errors import BadRequest

MAX_INTEGER = 2**53
"""Largest integer that is taken: beyond it JavaScript's numbers, and many a provider's, are not exact."""


def refuse(path: str, message: str) -> BadRequest:
    """Return the error for ``path``, to be raised."""
    return BadRequest(f"{path}: {message}", param=path)


def at(path: str, name: str | int) -> str:
    """Return the path of field or element ``name`` of the value at ``path``."""
    return f"{path}.{name}" if path else str(name)


def an_object(value: Any, path: str) -> dict[str, Any]:
    """Return ``value``, which must be an object."""
    if not isinstance(value, dict):
        raise refuse(path, f"must be an object, not {_kind(value)}")
    return value


def text(body: dict[str, Any], name: str, path: str = "") -> str | None:
    """Return a string field."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise refuse(at(path, name), f"must be a string, not {_kind(value)}")
    return value


def required_text(body: dict[str, Any], name: str, path: str = "") -> str:
    """Return a string field that must be there and not empty."""
    value = text(body, name, path)
    if not value:
        raise refuse(at(path, name), "is required")
    return value


def number(body: dict[str, Any], name: str, path: str = "") -> float | None:
    """Return a number field."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(at(path, name), f"must be a number, not {_kind(value)}")
    return value


def integer(body: dict[str, Any], name: str, path: str = "", *, least: int | None = None) -> int | None:
    """Return an integer field of at least ``least``; 2.0 is one, as JSON has only numbers."""
    value = number(body, name, path)
    if value is None:
        return None
    if not abs(value) <= MAX_INTEGER or value != int(value):
        raise refuse(at(path, name), "must be an integer")
    if least is not None and value < least:
        raise refuse(at(path, name), f"must be at least {least}")
    return int(value)


def flag(body: dict[str, Any], name: str, path: str = "") -> bool | None:
    """Return a boolean field."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise refuse(at(path, name), f"must be true or false, not {_kind(value)}")
    return value


def mapping(body: dict[str, Any], name: str, path: str = "") -> dict[str, Any] | None:
    """Return an object field."""
    value = body.get(name)
    return None if value is None else an_object(value, at(path, name))


def array(body: dict[str, Any], name: str, path: str = "") -> list[Any] | None:
    """Return an array field."""
    value = body.get(name)
    if value is not None and not isinstance(value, list):
        raise refuse(at(path, name), f"must be an array, not {_kind(value)}")
    return value


def objects(body: dict[str, Any], name: str, path: str = "") -> list[dict[str, Any]]:
    """Return an array field whose elements are objects; empty when it is not there."""
    here = at(path, name)
    return [an_object(value, at(here, i)) for i, value in enumerate(array(body, name, path) or ())]


def _kind(value: Any) -> str:
    """Name the JSON type of ``value``, for a message."""
    if isinstance(value, bool):
        return "a boolean"
    for types, name in ((str, "a string"), (int | float, "a number"), (list, "an array"), (dict, "an object")):
        if isinstance(value, types):
            return name
    return "null"
