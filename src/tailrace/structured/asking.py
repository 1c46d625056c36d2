"""The JSON Schema of a type, in the words that providers take.

Providers compile a schema into a grammar, and refuse with status 400 one that says more than their grammars can:
objects that are not closed, bounds, patterns (https://platform.claude.com/docs/en/build-with-claude/structured-outputs,
"JSON Schema limitations"; https://platform.openai.com/docs/guides/structured-outputs). What they refuse is told to the
model in the ``description`` instead, as Anthropic's own SDKs do; it is enforced here in any case.
"""

from __future__ import annotations

from typing import Any

_SCHEMAS = frozenset({"items", "prefixItems", "additionalProperties", "anyOf", "allOf", "oneOf", "not"})
"""Keywords that hold a schema, or a list of them."""

_NAMED = frozenset({"properties", "$defs", "patternProperties"})
"""Keywords that hold schemas by name."""

_REFUSED = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
        "maxItems", "uniqueItems", "minProperties", "maxProperties",
    }
)  # fmt: skip

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)  # fmt: skip
"""The formats that Anthropic's grammars know."""


def askable(schema: Any) -> Any:
    """Return ``schema``, as `pydantic` writes it, without what providers refuse."""
    if isinstance(schema, list):
        return [askable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    told: list[str] = []
    for key, part in schema.items():
        if key in _REFUSED or (key == "minItems" and part > 1) or (key == "format" and part not in _FORMATS):
            told.append(f"{key}: {part}")
        elif key in _NAMED:
            made[key] = {name: askable(one) for name, one in part.items()}
        elif key == "oneOf":
            # Branches that a discriminator tells apart exclude each other in any case.
            made["anyOf"] = askable(part)
        elif key != "discriminator":
            made[key] = askable(part) if key in _SCHEMAS else part
    if told:
        made["description"] = "\n\n".join([*filter(None, [made.get("description")]), "{" + ", ".join(told) + "}"])
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made
