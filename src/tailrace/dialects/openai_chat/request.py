"""A client's chat completion request to a `Request`, and everything else about asking.

Source: OpenAI's description of ``CreateChatCompletionRequest``. Fields without a word in the vocabulary, a custom
tool among them, stay in `Request.extra` by their names; so do values of known fields that only this dialect has
(``tool_choice`` of type ``allowed_tools``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.openai_chat.parts import note_rest, read_arguments, read_call, read_content, read_texts
from tailrace.events import (
    OutputSchema,
    Part,
    Reasoning,
    RefusalPart,
    Request,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)

EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
"""Values of ``reasoning_effort``."""

_READ = frozenset(
    {
        "model", "messages", "max_completion_tokens", "max_tokens", "temperature", "top_p", "top_k", "stop", "n",
        "seed", "presence_penalty", "frequency_penalty", "response_format", "tools", "tool_choice",
        "parallel_tool_calls", "reasoning_effort", "stream", "stream_options", "user",
    }
)  # fmt: skip
_CONTENT = frozenset({"role", "content"})
_MESSAGE_FIELDS: dict[str, frozenset[str]] = {
    "assistant": _CONTENT | {"refusal", "tool_calls", "function_call", "reasoning_content", "reasoning"},
    "tool": _CONTENT | {"tool_call_id", "name"},
    "function": _CONTENT | {"name"},
}
"""Role → the fields of its messages that have a place in a turn; other roles have only `_CONTENT`."""
_TOOL_FIELDS = frozenset({"name", "parameters", "description", "strict"})
_MAX_CHOICES = 128
_FORWARDED_HEADERS = ("openai-beta",)


def endpoint(_model: str) -> str:
    """Return the path below the base URL, which ends in ``/v1``."""
    return "/chat/completions"


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
    extra = {name: value for name, value in body.items() if name not in _READ and value is not None}
    system, turns = _messages(body, extra)
    stream = fields.flag(body, "stream") or False
    options = fields.mapping(body, "stream_options") or {}
    include_usage = fields.flag(options, "include_usage", "stream_options")
    return Request(
        model=fields.required_text(body, "model"),
        turns=turns,
        system=system,
        max_tokens=_max_tokens(body, extra),
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        top_k=fields.integer(body, "top_k"),
        stop=_stop(body),
        seed=fields.integer(body, "seed"),
        presence_penalty=fields.number(body, "presence_penalty"),
        frequency_penalty=fields.number(body, "frequency_penalty"),
        tools=_tools(body, extra),
        tool_choice=_tool_choice(body, extra),
        parallel_tools=fields.flag(body, "parallel_tool_calls"),
        reasoning=_reasoning(body, extra),
        output=_output(body, extra),
        choices=_choices(body),
        user=fields.text(body, "user"),
        stream=stream,
        # A whole answer always has its usage; in a stream it comes for those who ask.
        include_usage=include_usage or False if stream else True,
        extra=extra,
    )


def _max_tokens(body: dict[str, Any], extra: dict[str, Any]) -> int | None:
    """Return the limit by its new name or its old; -1, which local servers take for "no limit", is kept for them."""
    for name in ("max_completion_tokens", "max_tokens"):
        value = fields.integer(body, name)
        if value is not None and value > 0:
            return value
        if value is not None:
            extra[name] = value
    return None


def _choices(body: dict[str, Any]) -> int:
    choices = fields.integer(body, "n", least=1)
    if choices is not None and choices > _MAX_CHOICES:
        raise fields.refuse("n", f"must be at most {_MAX_CHOICES}")
    return choices or 1


def _stop(body: dict[str, Any]) -> tuple[str, ...]:
    value = body.get("stop")
    if isinstance(value, str):
        return (value,)
    stops = fields.array(body, "stop") or []
    for i, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise fields.refuse(f"stop.{i}", "must be a string")
    return tuple(stops)


# ---- messages -------------------------------------------------------------------------------------------------


def _messages(body: dict[str, Any], extra: dict[str, Any]) -> tuple[tuple[TextPart, ...], tuple[Turn, ...]]:
    """Return the instructions that the conversation begins with, and its turns."""
    messages = fields.objects(body, "messages")
    if not messages:
        raise fields.refuse("messages", "is required, with at least one message")
    system: list[TextPart] = []
    turns: list[Turn] = []
    legacy_call = ""
    for i, message in enumerate(messages):
        path = f"messages.{i}"
        role = fields.required_text(message, "role", path)
        note_rest(message, "messages", _MESSAGE_FIELDS.get(role, _CONTENT), extra)
        if role in {"system", "developer"}:
            texts = read_texts(message, path, extra)
            if turns:
                turns.append(Turn("system", texts))
            else:
                system += texts
        elif role == "user":
            turns.append(Turn("user", read_content(message, path, extra)))
        elif role == "assistant":
            if message.get("function_call") is not None:
                legacy_call = f"call_{i}"
            turns.append(Turn("assistant", _assistant(message, path, legacy_call, extra)))
        elif role in {"tool", "function"}:
            result = _tool_result(message, path, legacy_call, extra)
            if turns and turns[-1].parts and isinstance(turns[-1].parts[-1], ToolResultPart):
                # All the results of one assistant turn are one turn: dialects that pair them up demand it.
                turns[-1] = Turn("user", (*turns[-1].parts, result))
            else:
                turns.append(Turn("user", (result,)))
        else:
            raise fields.refuse(f"{path}.role", f"{role!r} is not a role")
    return tuple(system), tuple(turns)


def _assistant(message: dict[str, Any], path: str, legacy_call: str, extra: dict[str, Any]) -> tuple[Part, ...]:
    parts: list[Part] = []
    thinking = fields.text(message, "reasoning_content", path) or _optional_text(message.get("reasoning"))
    if thinking:
        parts.append(ThinkingPart(thinking))
    parts += read_content(message, path, extra)
    if refusal := fields.text(message, "refusal", path):
        parts.append(RefusalPart(refusal))
    for i, call in enumerate(fields.objects(message, "tool_calls", path)):
        parts.append(read_call(call, f"{path}.tool_calls.{i}"))
    if (function := fields.mapping(message, "function_call", path)) is not None:
        here = f"{path}.function_call"
        name = fields.required_text(function, "name", here)
        parts.append(ToolCallPart(legacy_call, name, read_arguments(function, here)))
    return tuple(parts)


def _optional_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _tool_result(message: dict[str, Any], path: str, legacy_call: str, extra: dict[str, Any]) -> ToolResultPart:
    name = fields.text(message, "name", path)
    if message["role"] == "function":
        if not legacy_call:
            raise fields.refuse(f"{path}.role", "a function's answer needs a function_call before it")
        call = legacy_call
    else:
        call = fields.required_text(message, "tool_call_id", path)
    return ToolResultPart(call, read_texts(message, path, extra), name=name)


# ---- tools and the shape of the answer ------------------------------------------------------------------------


def _tools(body: dict[str, Any], extra: dict[str, Any]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    others: list[dict[str, Any]] = []
    for i, tool in enumerate(fields.objects(body, "tools")):
        path = f"tools.{i}"
        if fields.required_text(tool, "type", path) != "function":
            others.append(tool)
            continue
        function = fields.mapping(tool, "function", path)
        if function is None:
            raise fields.refuse(f"{path}.function", "is required")
        here = f"{path}.function"
        note_rest(tool, "tools", frozenset({"function"}), extra)
        note_rest(function, "tools.function", _TOOL_FIELDS, extra)
        tools.append(
            Tool(
                fields.required_text(function, "name", here),
                # A function without parameters takes an empty object.
                fields.mapping(function, "parameters", here) or {"type": "object", "properties": {}},
                fields.text(function, "description", here),
                fields.flag(function, "strict", here),
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
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("tool", name)
        case {"type": "function"}:
            raise fields.refuse("tool_choice.function.name", "is required")
        case {"type": str()}:
            extra["tool_choice"] = value
            return None
        case _:
            raise fields.refuse("tool_choice", 'must be "none", "auto", "required" or an object with a type')


def _reasoning(body: dict[str, Any], extra: dict[str, Any]) -> Reasoning | None:
    effort = fields.text(body, "reasoning_effort")
    if effort is None:
        return None
    if effort not in EFFORTS:
        extra["reasoning_effort"] = effort
        return None
    return Reasoning(enabled=effort != "none", effort=effort)


def _output(body: dict[str, Any], extra: dict[str, Any]) -> OutputSchema | None:
    wanted = fields.mapping(body, "response_format")
    if wanted is None:
        return None
    kind = fields.required_text(wanted, "type", "response_format")
    if kind == "text":
        return None
    if kind == "json_object":
        return OutputSchema()
    if kind != "json_schema":
        extra["response_format"] = wanted
        return None
    path = "response_format.json_schema"
    described = fields.mapping(wanted, "json_schema", "response_format")
    if described is None:
        raise fields.refuse(path, "is required")
    return OutputSchema(
        fields.mapping(described, "schema", path) or {},
        fields.text(described, "name", path),
        fields.flag(described, "strict", path),
        fields.text(described, "description", path),
    )
