"""A client's Messages request to a `Request`, and everything else about asking.

Source: ``anthropic.types.MessageCreateParams`` of Anthropic's Python SDK, 2.12, and the API's pages on versions. Fields
without a word in the vocabulary stay in `Request.extra` by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tailrace.dialects import fields
from tailrace.dialects.anthropic.build import build, forward
from tailrace.dialects.anthropic.parts import note_rest, read_content
from tailrace.events import OutputSchema, Reasoning, Request, TextPart, Tool, ToolChoice, Turn

__all__ = ["build", "endpoint", "forward", "headers", "parse"]

DEFAULT_VERSION = "2023-06-01"
"""``anthropic-version`` where the client names none. 2026-10-21 refuses temperature, top_p and top_k, which clients of
other dialects send; this one takes them from models that know them."""

_READ = frozenset(
    {
        "model", "messages", "max_tokens", "system", "stop_sequences", "temperature", "top_p", "top_k", "tools",
        "tool_choice", "thinking", "output_config", "output_format", "metadata", "stream",
    }
)  # fmt: skip
_TOOL_FIELDS = frozenset({"name", "description", "input_schema", "strict"})
_ROLES: dict[str, Literal["user", "assistant", "system"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",  # in mid-conversation
}


def endpoint(_model: str) -> str:
    """Return the path below the base URL, which is the server's root."""
    return "/v1/messages"


def headers(key: str | None, client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for the provider.

    ``client``'s ``anthropic-version`` and ``anthropic-beta`` go on unchanged, as its body is written for them. The key
    goes as ``x-api-key``, which every server of this dialect reads; newer SDKs send a bearer token instead.
    """
    found = {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": client.get("anthropic-version") or DEFAULT_VERSION,
    }
    if beta := client.get("anthropic-beta"):
        found["anthropic-beta"] = beta
    if key is not None:
        found["x-api-key"] = key
    return found


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong."""
    body = fields.an_object(body, "body")
    extra = {name: value for name, value in body.items() if name not in _READ and value is not None}
    limit = fields.integer(body, "max_tokens", least=0)  # 0 fills the prompt cache and answers nothing
    if limit is None:
        raise fields.refuse("max_tokens", "is required")
    tool_choice, parallel_tools = _tool_choice(body)
    return Request(
        model=fields.required_text(body, "model"),
        turns=_turns(body, extra),
        system=_system(body, extra),
        max_tokens=limit,
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        top_k=fields.integer(body, "top_k"),
        stop=_stop(body),
        tools=_tools(body, extra),
        tool_choice=tool_choice,
        parallel_tools=parallel_tools,
        reasoning=_reasoning(body, extra),
        output=_output(body),
        user=_user(body, extra),
        stream=fields.flag(body, "stream") or False,
        extra=extra,
    )


def _turns(body: dict[str, Any], extra: dict[str, Any]) -> tuple[Turn, ...]:
    messages = fields.objects(body, "messages")
    if not messages:
        raise fields.refuse("messages", "is required, with at least one message")
    turns: list[Turn] = []
    for i, message in enumerate(messages):
        path = f"messages.{i}"
        name = fields.required_text(message, "role", path)
        role = _ROLES.get(name)
        if role is None:
            raise fields.refuse(f"{path}.role", f"{name!r} is not a role")
        turns.append(Turn(role, read_content(message.get("content"), f"{path}.content", extra)))
        note_rest(message, "messages", frozenset({"role", "content"}), extra)
    return tuple(turns)


def _system(body: dict[str, Any], extra: dict[str, Any]) -> tuple[TextPart, ...]:
    value = body.get("system")
    if value is None:
        return ()
    texts: list[TextPart] = []
    for i, part in enumerate(read_content(value, "system", extra)):
        if not isinstance(part, TextPart):
            raise fields.refuse(f"system.{i}", "must be text")
        texts.append(part)
    return tuple(texts)


def _stop(body: dict[str, Any]) -> tuple[str, ...]:
    stops = fields.array(body, "stop_sequences") or []
    for i, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise fields.refuse(f"stop_sequences.{i}", "must be a string")
    return tuple(stops)


def _user(body: dict[str, Any], extra: dict[str, Any]) -> str | None:
    metadata = fields.mapping(body, "metadata") or {}
    if rest := {name: value for name, value in metadata.items() if name != "user_id"}:
        extra["metadata"] = rest
    return fields.text(metadata, "user_id", "metadata")


# ---- tools ----------------------------------------------------------------------------------------------------


def _tools(body: dict[str, Any], extra: dict[str, Any]) -> tuple[Tool, ...]:
    """Return the client's own tools; those that the provider runs stay in ``extra`` as ``tools``."""
    tools: list[Tool] = []
    others: list[dict[str, Any]] = []
    for i, tool in enumerate(fields.objects(body, "tools")):
        path = f"tools.{i}"
        if (fields.text(tool, "type", path) or "custom") != "custom":
            others.append(tool)
            continue
        schema = fields.mapping(tool, "input_schema", path)
        if schema is None:
            raise fields.refuse(f"{path}.input_schema", "is required")
        tools.append(
            Tool(
                fields.required_text(tool, "name", path),
                schema,
                fields.text(tool, "description", path),
                fields.flag(tool, "strict", path),
            )
        )
        note_rest(tool, "tools", _TOOL_FIELDS, extra)
    if others:
        extra["tools"] = others
    return tuple(tools)


def _tool_choice(body: dict[str, Any]) -> tuple[ToolChoice | None, bool | None]:
    choice = fields.mapping(body, "tool_choice")
    if choice is None:
        return None, None
    alone = fields.flag(choice, "disable_parallel_tool_use", "tool_choice")
    parallel = None if alone is None else not alone
    match fields.required_text(choice, "type", "tool_choice"):
        case "auto" | "any" | "none" as mode:
            return ToolChoice(mode), parallel
        case "tool":
            return ToolChoice("tool", fields.required_text(choice, "name", "tool_choice")), parallel
        case other:
            raise fields.refuse("tool_choice.type", f"{other!r} is not a way to choose a tool")


# ---- thinking and the shape of the answer ---------------------------------------------------------------------


def _reasoning(body: dict[str, Any], extra: dict[str, Any]) -> Reasoning | None:
    effort = fields.text(fields.mapping(body, "output_config") or {}, "effort", "output_config")
    thinking = fields.mapping(body, "thinking")
    if thinking is None:
        return None if effort is None else Reasoning(effort=effort)
    kind = fields.required_text(thinking, "type", "thinking")
    display = fields.text(thinking, "display", "thinking")
    show = None if display is None else display != "omitted"
    match kind:
        case "enabled":
            budget = fields.integer(thinking, "budget_tokens", "thinking", least=1)
            if budget is None:
                raise fields.refuse("thinking.budget_tokens", "is required")
            return Reasoning(effort=effort, budget=budget, show=show)
        case "adaptive":
            return Reasoning(effort=effort, adaptive=True, show=show)
        case "disabled":
            return Reasoning(enabled=False, effort=effort)
        case _:
            extra["thinking"] = thinking
            return None if effort is None else Reasoning(effort=effort)


def _output(body: dict[str, Any]) -> OutputSchema | None:
    """Return the wanted shape; ``output_format`` is what ``output_config.format`` was called in beta."""
    config = fields.mapping(body, "output_config") or {}
    path, wanted = "output_config.format", fields.mapping(config, "format", "output_config")
    if wanted is None:
        path, wanted = "output_format", fields.mapping(body, "output_format")
    if wanted is None:
        return None
    kind = fields.required_text(wanted, "type", path)
    if kind != "json_schema":
        raise fields.refuse(f"{path}.type", f"{kind!r} is not a format")
    schema = fields.mapping(wanted, "schema", path)
    if schema is None:
        raise fields.refuse(f"{path}.schema", "is required")
    return OutputSchema(schema)
