"""A client's generateContent request to a `Request`, and everything else about asking.

The model and whether to stream are in the URL; the server puts them into the body as ``model`` and ``stream``. Fields
without a word in the vocabulary stay in `Request.extra`, by their names in camelCase.

Source: ``google.genai.types`` of Google's Python SDK, 3.4, and the bodies that it really sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from tailrace.dialects import fields
from tailrace.dialects.gemini.casing import cased, cased_field, cased_list
from tailrace.dialects.gemini.parts import Calls, Reading, joined, read_part
from tailrace.dialects.gemini.schema import json_schema
from tailrace.events import OutputSchema, Reasoning, Request, TextPart, Tool, ToolChoice, Turn

MAX_CHOICES = 8
"""Largest ``candidateCount`` that the API takes."""

_READ = frozenset({"model", "stream", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"})
_GENERATION = frozenset(
    {
        "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed",
        "presencePenalty", "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema",
        "thinkingConfig",
    }
)  # fmt: skip
_DECLARATION = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
_NEUTRAL: dict[str, Any] = {"responseLogprobs": False, "responseModalities": ["TEXT"]}
"""Fields that ask for nothing when they have this value."""

_SAME = {"serviceTier": "service_tier"}
"""Fields that other dialects have too, by the name that they have there."""

_HINTS = frozenset({"logprobs", "mediaResolution"})
"""Fields of ``generationConfig`` without which the answer is still one to the same question; ``logprobs`` only says
how many of them ``responseLogprobs`` wants."""

_ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "model": "assistant", "function": "user"}
_MODES: dict[str, Literal["auto", "any", "none"]] = {
    "AUTO": "auto",
    "MODE_UNSPECIFIED": "auto",
    "VALIDATED": "auto",
    "ANY": "any",
    "NONE": "none",
}


def endpoint(model: str) -> str:
    """Return path and query below the base URL, which is the server's root."""
    if {".", ".."} & set(model.split("/")):
        # Such a name would lead to another of the provider's doors, with the provider's key.
        raise fields.refuse("model", "must be the name of a model")
    name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    return f"/v1beta/{quote(name, safe='/:@,=+~')}:streamGenerateContent?alt=sse"


def headers(key: str | None, _client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for the provider."""
    found = {"content-type": "application/json", "accept": "text/event-stream"}
    if key is not None:
        found["x-goog-api-key"] = key
    return found


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong."""
    asked = cased(body, "body")
    extra = {_SAME.get(name, name): value for name, value in asked.items() if name not in _READ}
    config = cased_field(asked, "generationConfig") or {}
    _note_config(config, extra)
    return Request(
        model=fields.required_text(asked, "model").removeprefix("models/"),
        turns=_turns(asked, extra),
        system=_system(asked),
        max_tokens=fields.integer(config, "maxOutputTokens", "generationConfig", least=1),
        temperature=fields.number(config, "temperature", "generationConfig"),
        top_p=fields.number(config, "topP", "generationConfig"),
        top_k=fields.integer(config, "topK", "generationConfig"),
        stop=_stop(config),
        seed=fields.integer(config, "seed", "generationConfig"),
        presence_penalty=fields.number(config, "presencePenalty", "generationConfig"),
        frequency_penalty=fields.number(config, "frequencyPenalty", "generationConfig"),
        tools=_tools(asked, extra),
        tool_choice=_tool_choice(asked, extra),
        reasoning=_reasoning(config),
        output=_output(config, extra),
        choices=_choices(config),
        stream=fields.flag(asked, "stream") or False,
        extra=extra,
    )


def _note_config(config: dict[str, Any], extra: dict[str, Any]) -> None:
    for name, value in config.items():
        if name in _GENERATION or (name in _NEUTRAL and value == _NEUTRAL[name]):
            continue
        # A name with a dot may be left out, one without is refused by a provider that does not know it.
        extra[f"generationConfig.{name}" if name in _HINTS else name] = value


def _stop(config: dict[str, Any]) -> tuple[str, ...]:
    stops = fields.array(config, "stopSequences", "generationConfig") or []
    for i, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise fields.refuse(f"generationConfig.stopSequences.{i}", "must be a string")
    return tuple(stops)


def _choices(config: dict[str, Any]) -> int:
    choices = fields.integer(config, "candidateCount", "generationConfig", least=1) or 1
    if choices > MAX_CHOICES:
        raise fields.refuse("generationConfig.candidateCount", f"must be at most {MAX_CHOICES}")
    return choices


# ---- contents -------------------------------------------------------------------------------------------------


def _turns(body: dict[str, Any], extra: dict[str, Any]) -> tuple[Turn, ...]:
    """Return the turns. What a model said in a stream comes back as it came, chunk by chunk, and is put together."""
    contents = cased_list(body, "contents")
    if not contents:
        raise fields.refuse("contents", "is required, with at least one content")
    reading = Reading(Calls(), extra)
    turns: list[Turn] = []
    for i, content in enumerate(contents):
        path = f"contents.{i}"
        name = fields.text(content, "role", path) or "user"
        role = _ROLES.get(name)
        if role is None:
            raise fields.refuse(f"{path}.role", f"{name!r} is not a role")
        read = [
            read_part(part, f"{path}.parts.{j}", reading)
            for j, part in enumerate(fields.array(content, "parts", path) or ())
        ]
        parts = [part for part in read if part is not None]
        if role == "assistant" and turns and turns[-1].role == "assistant":
            parts = [*turns.pop().parts, *parts]
        turns.append(Turn(role, joined(parts) if role == "assistant" else tuple(parts)))
    return tuple(turns)


def _system(body: dict[str, Any]) -> tuple[TextPart, ...]:
    content = cased_field(body, "systemInstruction")
    if content is None:
        return ()
    texts: list[TextPart] = []
    for i, part in enumerate(cased_list(content, "parts", "systemInstruction")):
        path = f"systemInstruction.parts.{i}"
        if "text" not in part:
            raise fields.refuse(path, "must be text")
        texts.append(TextPart(fields.text(part, "text", path) or ""))
    return tuple(texts)


# ---- tools ----------------------------------------------------------------------------------------------------


def _tools(body: dict[str, Any], extra: dict[str, Any]) -> tuple[Tool, ...]:
    """Return the client's own tools; those that the provider runs stay in ``extra`` as ``tools``."""
    tools: list[Tool] = []
    others: list[dict[str, Any]] = []
    for i, tool in enumerate(cased_list(body, "tools")):
        path = f"tools.{i}"
        for j, declared in enumerate(cased_list(tool, "functionDeclarations", path)):
            tools.append(_tool(declared, f"{path}.functionDeclarations.{j}", extra))
        if rest := {name: value for name, value in tool.items() if name != "functionDeclarations"}:
            others.append(rest)
    if others:
        extra["tools"] = others
    return tuple(tools)


def _tool(declared: dict[str, Any], path: str, extra: dict[str, Any]) -> Tool:
    for name, value in declared.items():
        if name not in _DECLARATION:
            extra.setdefault(f"functionDeclarations.{name}", value)
    schema = fields.mapping(declared, "parametersJsonSchema", path)
    if schema is None and (parameters := fields.mapping(declared, "parameters", path)) is not None:
        schema = json_schema(parameters, f"{path}.parameters")
    return Tool(
        fields.required_text(declared, "name", path),
        # A function without parameters takes an empty object.
        schema or {"type": "object", "properties": {}},
        fields.text(declared, "description", path),
    )


def _tool_choice(body: dict[str, Any], extra: dict[str, Any]) -> ToolChoice | None:
    config = cased_field(body, "toolConfig") or {}
    if rest := [name for name in config if name != "functionCallingConfig"]:
        extra["toolConfig"] = {name: config[name] for name in rest}
    path = "toolConfig.functionCallingConfig"
    calling = cased_field(config, "functionCallingConfig", "toolConfig")
    if calling is None:
        return None
    name = (fields.text(calling, "mode", path) or "AUTO").upper()
    mode = _MODES.get(name)
    if mode is None:
        raise fields.refuse(f"{path}.mode", f"{name!r} is not a mode")
    if name == "VALIDATED":
        extra[f"{path}.mode"] = name
    if fields.flag(calling, "streamFunctionCallArguments", path):
        extra[f"{path}.streamFunctionCallArguments"] = True
    allowed = fields.array(calling, "allowedFunctionNames", path) or []
    if mode == "any" and len(allowed) == 1 and isinstance(allowed[0], str):
        return ToolChoice("tool", allowed[0])
    if allowed:
        # A choice among some of the tools: to leave it out would let the model take another.
        extra["toolConfig"] = config
    return ToolChoice(mode)


# ---- thinking and the shape of the answer ---------------------------------------------------------------------


def _reasoning(config: dict[str, Any]) -> Reasoning | None:
    path = "generationConfig.thinkingConfig"
    thinking = cased_field(config, "thinkingConfig", "generationConfig")
    if thinking is None:
        return None
    show = fields.flag(thinking, "includeThoughts", path)
    budget = fields.integer(thinking, "thinkingBudget", path, least=-1)
    level = (fields.text(thinking, "thinkingLevel", path) or "").lower()
    effort = level if level not in {"", "thinking_level_unspecified"} else None
    if budget == 0:
        return Reasoning(enabled=False)
    if budget is None and effort is None and not show:
        # Not to be shown what it thinks is what a client gets that says nothing.
        return None
    dynamic = budget == -1
    return Reasoning(effort=effort, budget=None if dynamic else budget, adaptive=dynamic, show=show)


def _output(config: dict[str, Any], extra: dict[str, Any]) -> OutputSchema | None:
    path = "generationConfig"
    kind = fields.text(config, "responseMimeType", path) or "text/plain"
    schema = fields.mapping(config, "responseJsonSchema", path)
    if schema is None and (given := fields.mapping(config, "responseSchema", path)) is not None:
        schema = json_schema(given, f"{path}.responseSchema")
    if kind == "application/json":
        return OutputSchema(schema)
    if kind != "text/plain":
        # One word out of an enumeration, without quotes: no JSON, so no other dialect has it.
        extra["responseMimeType"] = kind
    elif schema is not None:
        raise fields.refuse(f"{path}.responseMimeType", "must be application/json for a schema")
    return None
