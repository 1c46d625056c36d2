"""A client's request for a response to a `Request`, and everything else about asking.

Source: ``openai.types.responses.ResponseCreateParams`` of OpenAI's Python SDK, 3.54. Fields without a word in the
vocabulary, the tools that OpenAI runs among them, stay in `Request.extra` by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.openai_responses.build import build, forward
from tailrace.dialects.openai_responses.inputs import read_input
from tailrace.dialects.openai_responses.parts import note_rest
from tailrace.events import OutputSchema, Reasoning, Request, Tool, ToolChoice

__all__ = ["build", "endpoint", "forward", "headers", "parse"]

EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
"""Values of ``reasoning.effort``."""

_READ = frozenset(
    {
        "model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "tools", "tool_choice",
        "parallel_tool_calls", "reasoning", "text", "stream", "stream_options", "background", "background_options",
        "user",
    }
)  # fmt: skip
_TOOL_FIELDS = frozenset({"name", "parameters", "description", "strict"})
_FORWARDED_HEADERS = ("openai-beta",)

_NEUTRAL: dict[str, Any] = {"truncation": "disabled", "top_logprobs": 0, "include": []}
"""Fields that ask for nothing when they have this value."""

_ALWAYS_INCLUDED = "reasoning.encrypted_content"
"""The one value of ``include`` that needs no asking: what signs a thought is always given."""


def endpoint(_model: str) -> str:
    """Return the path below the base URL, which ends in ``/v1``."""
    return "/responses"


def headers(key: str | None, client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for the provider. A client's organisation and project belong to its own key: not sent."""
    found = {"content-type": "application/json", "accept": "text/event-stream"}
    if key is not None:
        found["authorization"] = f"Bearer {key}"
    found.update((name, client[name]) for name in _FORWARDED_HEADERS if name in client)
    return found


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong."""
    body = fields.an_object(body, "body")
    extra = _extra(body)
    read = read_input(body, extra)
    _background_options(body)
    return Request(
        model=fields.required_text(body, "model"),
        turns=read.turns,
        system=read.system,
        max_tokens=fields.integer(body, "max_output_tokens", least=1),
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        tools=_tools(body, extra),
        tool_choice=_tool_choice(body, extra),
        parallel_tools=fields.flag(body, "parallel_tool_calls"),
        reasoning=_reasoning(body, extra),
        output=_output(body, extra),
        user=fields.text(body, "user"),
        stream=fields.flag(body, "stream") or False,
        background=fields.flag(body, "background") or False,
        extra=extra,
    )


def _extra(body: dict[str, Any]) -> dict[str, Any]:
    extra = {name: value for name, value in body.items() if name not in _READ and value is not None}
    include = fields.array(body, "include") or []
    if include:
        extra["include"] = [name for name in include if name != _ALWAYS_INCLUDED]
    return {name: value for name, value in extra.items() if name not in _NEUTRAL or value != _NEUTRAL[name]}


def _background_options(body: dict[str, Any]) -> None:
    window = fields.text(fields.mapping(body, "background_options") or {}, "completion_window", "background_options")
    if window not in {None, "soonest"}:
        raise fields.refuse("background_options.completion_window", "answers are written at once here")


# ---- tools and the shape of the answer ------------------------------------------------------------------------


def _tools(body: dict[str, Any], extra: dict[str, Any]) -> tuple[Tool, ...]:
    """Return the client's own functions; every other tool stays in ``extra`` as ``tools``."""
    tools: list[Tool] = []
    others: list[dict[str, Any]] = []
    for i, tool in enumerate(fields.objects(body, "tools")):
        path = f"tools.{i}"
        if fields.required_text(tool, "type", path) != "function":
            others.append(tool)
            continue
        note_rest(tool, "tools", _TOOL_FIELDS, extra)
        tools.append(
            Tool(
                fields.required_text(tool, "name", path),
                # A function without parameters takes an empty object.
                fields.mapping(tool, "parameters", path) or {"type": "object", "properties": {}},
                fields.text(tool, "description", path),
                fields.flag(tool, "strict", path),
            )
        )
    if others:
        extra["tools"] = others
    return tuple(tools)


def _tool_choice(body: dict[str, Any], extra: dict[str, Any]) -> ToolChoice | None:
    value = body.get("tool_choice")
    match value:
        case None:
            return None
        case "auto" | "none":
            return ToolChoice(value)
        case "required":
            return ToolChoice("any")
        case {"type": "function", "name": str(name)}:
            return ToolChoice("tool", name)
        case {"type": "function"}:
            raise fields.refuse("tool_choice.name", "is required")
        case {"type": str()}:
            extra["tool_choice"] = value
            return None
        case _:
            raise fields.refuse("tool_choice", 'must be "none", "auto", "required" or an object with a type')


def _reasoning(body: dict[str, Any], extra: dict[str, Any]) -> Reasoning | None:
    given = fields.mapping(body, "reasoning")
    if given is None:
        return None
    note_rest(given, "reasoning", frozenset({"effort", "summary", "generate_summary"}), extra)
    effort = fields.text(given, "effort", "reasoning")
    if effort is not None and effort not in EFFORTS:
        raise fields.refuse("reasoning.effort", f"must be one of {', '.join(sorted(EFFORTS))}")
    summary = fields.text(given, "summary", "reasoning") or fields.text(given, "generate_summary", "reasoning")
    if effort is None and summary is None:
        return None
    return Reasoning(enabled=effort != "none", effort=effort, show=None if summary is None else True)


def _output(body: dict[str, Any], extra: dict[str, Any]) -> OutputSchema | None:
    text = fields.mapping(body, "text") or {}
    if (verbosity := fields.text(text, "verbosity", "text")) is not None:
        # Chat Completions has the same field, outside.
        extra["verbosity"] = verbosity
    wanted = fields.mapping(text, "format", "text")
    if wanted is None:
        return None
    kind = fields.required_text(wanted, "type", "text.format")
    if kind == "text":
        return None
    if kind == "json_object":
        return OutputSchema()
    if kind != "json_schema":
        raise fields.refuse("text.format.type", f"{kind!r} is not a format")
    return OutputSchema(
        fields.mapping(wanted, "schema", "text.format") or {},
        fields.text(wanted, "name", "text.format"),
        fields.flag(wanted, "strict", "text.format"),
        fields.text(wanted, "description", "text.format"),
    )
