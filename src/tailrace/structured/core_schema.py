"""What pydantic's core schema says about where a value's members are, and what judging one alone takes.

The schema is pydantic's own description of a type (`pydantic_core.core_schema`, a nest of dicts whose ``type`` names a
kind of schema).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_MAX_WRAPPERS = 64
"""Wrappers in a row that are looked through to find a container; what has more is left to the whole."""

_CHANGES_TEXT = ("strip_whitespace", "to_lower", "to_upper")

_OWN_CONTEXT = frozenset({"model", "dataclass", "typed-dict"})
"""Schemas that give the validators inside them the fields these ask for."""

_NO_SCHEMA = frozenset({"metadata", "serialization", "cls", "config", "default"})
"""Keys under which there is no schema that validates."""

NO_CONFIG: Mapping[str, Any] = {}


class Opened(NamedTuple):
    """A core schema without the wrappers around it.

    ``config`` is what holds inside it. ``kept`` says that no function stands around it, so that a string is what it
    was in JSON. ``cls`` is the model or dataclass that it is the inside of, or None.
    """

    schema: Mapping[str, Any]
    config: Mapping[str, Any]
    kept: bool
    cls: Any


def without_definitions(schema: Any) -> tuple[Any, dict[str, Any]]:
    """Return a type's schema and, by their names, the schemas that it refers to."""
    if schema["type"] != "definitions":
        return schema, {}
    return schema["schema"], {one["ref"]: one for one in schema["definitions"]}


def opened(schema: Any, config: Mapping[str, Any], definitions: Mapping[str, Any]) -> Opened | None:
    """Look through wrappers that leave the JSON below them as it is; None when one does not."""
    kept = True
    cls = None
    for _ in range(_MAX_WRAPPERS):
        match schema["type"]:
            case "definition-ref":
                schema = definitions[schema["schema_ref"]]
            case "nullable":
                schema = schema["schema"]
            case "json-or-python":
                schema = schema["json_schema"]
            case "function-after":
                kept = False
                schema = schema["schema"]
            case "default" if schema.get("on_error", "raise") == "raise":
                schema = schema["schema"]
            case "model" if not schema.get("custom_init"):
                cls = schema["cls"]
                config = schema.get("config", NO_CONFIG)  # a model does not take its surroundings' configuration
                schema = schema["schema"]
            case "dataclass":
                cls = schema["cls"]
                config = schema.get("config", config)
                schema = schema["schema"]
            case "default" | "model" | "definitions" | "function-before" | "function-wrap" | "function-plain":
                return None
            case _:
                return Opened(schema, config, kept, cls)
    return None


def fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a model, dataclass or typed dict by their names."""
    found = schema["fields"]
    return dict(found) if isinstance(found, dict) else {field["name"]: field for field in found}


def keys(name: str, field: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return the keys under which a document may have the field; a path through other values is left to the whole."""
    alias = field.get("validation_alias")
    if alias is None:
        return [name]
    by_name = config.get("validate_by_name") or config.get("populate_by_name")
    found = [name] if by_name else []
    if config.get("validate_by_alias", True):
        if isinstance(alias, str):
            found.append(alias)
        else:
            paths = alias if isinstance(alias[0], list) else [alias]
            found += [path[0] for path in paths if len(path) == 1]
    return found


def changes_text(schema: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Return whether a valid string may become another: then it is shown only when it is complete."""
    return any(schema.get(name, config.get(f"str_{name}")) for name in _CHANGES_TEXT)


def needs_context(schema: Any, definitions: Mapping[str, Any]) -> bool:
    """Return whether judging this value (not what a model inside it holds) takes more than the value.

    A validator that is given ``ValidationInfo`` may look at other fields; an item that is left out when it is invalid
    is a matter of its list.
    """
    pending = [schema]
    met: set[str] = set()
    while pending:
        part = pending.pop()
        if isinstance(part, list | tuple):
            pending.extend(part)
        elif isinstance(part, dict) and part.get("type") not in _OWN_CONTEXT:
            function = part.get("function")
            if isinstance(function, dict) and function.get("type") == "with-info":
                return True
            if part.get("on_error") == "omit":
                return True
            if part.get("type") == "definition-ref" and part["schema_ref"] not in met:
                met.add(part["schema_ref"])
                pending.append(definitions[part["schema_ref"]])
            pending.extend(value for key, value in part.items() if key not in _NO_SCHEMA)
    return False
