"""What a front end may set beside the conversation: the same fields for each of their dialects.

Their protocols name no such fields: an application adds what it likes to the body. Read are the AI SDK's own names
of call settings and, beside them, the names that providers use. What has no word here stays in ``extra``, by its
name, so that a provider which knows it gets it and any other refuses it by that name.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.events import Reasoning, TextPart, Tool, ToolChoice

NUMBERS: dict[str, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "top_p": ("topP", "top_p"),
    "presence_penalty": ("presencePenalty", "presence_penalty"),
    "frequency_penalty": ("frequencyPenalty", "frequency_penalty"),
}
"""Field of a `Request` → its names in a body; the first that is there counts."""

INTEGERS: dict[str, tuple[str, ...]] = {
    "max_tokens": ("maxOutputTokens", "max_tokens", "maxTokens"),
    "top_k": ("topK", "top_k"),
    "seed": ("seed",),
}
"""The same for whole numbers."""

STOP = ("stopSequences", "stop")
TOOL_CHOICE = ("toolChoice", "tool_choice")
SCHEMA = ("parameters", "inputSchema", "input_schema")
OTHERS = frozenset({"system", "tools", "user", "reasoning"})

READ = frozenset(name for names in (*NUMBERS.values(), *INTEGERS.values(), STOP, TOOL_CHOICE, OTHERS) for name in names)
"""Every name that is read here."""

NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
"""The schema of a tool that says none."""

_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def read_settings(body: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return what ``body``, which stands at ``path``, sets, as arguments of a `Request`.

    ``system`` is there when the body has one; ``tools`` always. Raises `BadRequest` naming the field that is wrong.
    """
    found: dict[str, Any] = {}
    for field, names in NUMBERS.items():
        found[field] = fields.number(body, _first(body, names), path)
    for field, names in INTEGERS.items():
        found[field] = fields.integer(body, _first(body, names), path, least=1 if field == "max_tokens" else None)
    found["stop"] = _stop(body, path)
    found["user"] = fields.text(body, "user", path)
    found["tools"] = _tools(body, path)
    found["tool_choice"] = _tool_choice(body, path)
    found["reasoning"] = _reasoning(body, path)
    system = fields.text(body, "system", path)
    found["system"] = (TextPart(system),) if system else ()
    return found


def _first(body: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if body.get(name) is not None), names[0])


def _stop(body: dict[str, Any], path: str) -> tuple[str, ...]:
    name = _first(body, STOP)
    value = body.get(name)
    if isinstance(value, str):
        return (value,)
    stops = fields.array(body, name, path) or []
    for i, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise fields.refuse(fields.at(fields.at(path, name), i), "must be a string")
    return tuple(stops)


def _tools(body: dict[str, Any], path: str) -> tuple[Tool, ...]:
    """Return the tools: an array, or, as several front ends send them, an object by their names."""
    value, here = body.get("tools"), fields.at(path, "tools")
    if isinstance(value, dict):
        named = [(fields.at(here, name), {"name": name, **fields.an_object(tool, fields.at(here, name))})
                 for name, tool in value.items()]  # fmt: skip
    else:
        named = [(fields.at(here, i), tool) for i, tool in enumerate(fields.objects(body, "tools", path))]
    return tuple(read_tool(tool, at) for at, tool in named)


def read_tool(tool: dict[str, Any], path: str) -> Tool:
    """Return one tool."""
    return Tool(
        fields.required_text(tool, "name", path),
        fields.mapping(tool, _first(tool, SCHEMA), path) or NO_ARGUMENTS,
        fields.text(tool, "description", path) or None,
        fields.flag(tool, "strict", path),
    )


def _tool_choice(body: dict[str, Any], path: str) -> ToolChoice | None:
    name = _first(body, TOOL_CHOICE)
    match body.get(name):
        case None:
            return None
        case "auto" | "none" | "required" as word:
            return ToolChoice(_CHOICES[word])  # type: ignore[arg-type]
        case {"type": "tool", "toolName": str(tool)}:
            return ToolChoice("tool", tool)
        case _:
            raise fields.refuse(fields.at(path, name), 'must be "auto", "none", "required" or {"type": "tool", …}')


def _reasoning(body: dict[str, Any], path: str) -> Reasoning | None:
    effort = fields.text(body, "reasoning", path)
    if effort is None or effort == "provider-default":
        return None
    if effort not in {"none", "minimal", "low", "medium", "high", "xhigh", "max"}:
        raise fields.refuse(fields.at(path, "reasoning"), f"{effort!r} is not an effort")
    return Reasoning(enabled=effort != "none", effort=effort)
