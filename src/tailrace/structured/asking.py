"""The JSON Schema of a type, in the words that providers take.

Both Anthropic and OpenAI (in strict mode) refuse a schema with an object that does not say ``additionalProperties:
false`` (https://docs.claude.com/en/docs/build-with-claude/structured-outputs,
https://platform.openai.com/docs/guides/structured-outputs).
"""

from __future__ import annotations

from typing import Any


def closed(schema: Any) -> Any:
    """Return ``schema`` with every object that lists its properties closed to others."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: closed(part) if key in _SCHEMAS else _each(part) if key in _NAMED else part for key, part in schema.items()
    }
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


_SCHEMAS = frozenset({"items", "prefixItems", "additionalProperties", "anyOf", "allOf", "oneOf", "not"})
"""Keywords that hold a schema, or a list of them; what `pydantic` writes."""

_NAMED = frozenset({"properties", "$defs", "patternProperties"})
"""Keywords that hold schemas by name."""


def _each(named: Any) -> Any:
    return {name: closed(part) for name, part in named.items()}
