"""A client's chat request to a `Request`, and everything else about asking.

Source: ``ChatRequest`` and ``Options`` of Ollama's Python SDK, 0.6.3. Fields without a word in the vocabulary stay in
`Request.extra` by their names, those inside ``options`` as ``options.num_ctx``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.ollama.messages import read_messages
from tailrace.events import OutputSchema, Reasoning, Request, Tool

THINK_LEVELS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
"""Values of ``think`` beside true and false; newer servers know more than ``low``, ``medium`` and ``high``."""

_READ = frozenset({"model", "messages", "tools", "format", "options", "stream", "think"})
_OPTIONS = frozenset(
    {"num_predict", "temperature", "top_p", "top_k", "seed", "stop", "presence_penalty", "frequency_penalty"}
)
_TOOL_FIELDS = frozenset({"name", "description", "parameters"})


def endpoint(_model: str) -> str:
    """Return the path below the base URL, which is the server's root."""
    return "/api/chat"


def headers(key: str | None, _client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for the provider. A server of one's own has no key; ollama.com takes a bearer token."""
    found = {"content-type": "application/json", "accept": "application/x-ndjson"}
    if key is not None:
        found["authorization"] = f"Bearer {key}"
    return found


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong.

    Unlike anywhere else, an answer streams unless ``stream`` is false.
    """
    body = fields.an_object(body, "body")
    extra = {name: value for name, value in body.items() if name not in _READ and value is not None}
    system, turns = read_messages(body, extra)
    options = fields.mapping(body, "options") or {}
    stream = fields.flag(body, "stream")
    return Request(
        model=fields.required_text(body, "model"),
        turns=turns,
        system=system,
        max_tokens=_limit(options, extra),
        temperature=fields.number(options, "temperature", "options"),
        top_p=fields.number(options, "top_p", "options"),
        top_k=fields.integer(options, "top_k", "options"),
        stop=_stop(options),
        seed=fields.integer(options, "seed", "options"),
        presence_penalty=fields.number(options, "presence_penalty", "options"),
        frequency_penalty=fields.number(options, "frequency_penalty", "options"),
        tools=_tools(body, extra),
        reasoning=_reasoning(body),
        output=_output(body),
        stream=stream is None or stream,
        extra=extra,
    )


def _limit(options: dict[str, Any], extra: dict[str, Any]) -> int | None:
    """Return the limit, and note the options without a word; a negative limit is none, or all of the context."""
    extra.update((f"options.{name}", value) for name, value in options.items() if name not in _OPTIONS)
    limit = fields.integer(options, "num_predict", "options")
    if limit is not None and limit <= 0:
        extra["options.num_predict"] = limit
        return None
    return limit


def _stop(options: dict[str, Any]) -> tuple[str, ...]:
    value = options.get("stop")
    if isinstance(value, str):
        return (value,)
    stops = fields.array(options, "stop", "options") or []
    for i, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise fields.refuse(f"options.stop.{i}", "must be a string")
    return tuple(stops)


def _tools(body: dict[str, Any], extra: dict[str, Any]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for i, tool in enumerate(fields.objects(body, "tools")):
        path = f"tools.{i}"
        if (kind := fields.text(tool, "type", path) or "function") != "function":
            raise fields.refuse(f"{path}.type", f"{kind!r} is not a type of tool")
        function = fields.mapping(tool, "function", path)
        if function is None:
            raise fields.refuse(f"{path}.function", "is required")
        here = f"{path}.function"
        for name, value in function.items():
            if name not in _TOOL_FIELDS and value is not None:
                extra.setdefault(f"tools.function.{name}", value)
        tools.append(
            Tool(
                fields.required_text(function, "name", here),
                # A function without parameters takes an empty object.
                fields.mapping(function, "parameters", here) or {"type": "object", "properties": {}},
                fields.text(function, "description", here),
            )
        )
    return tuple(tools)


def _reasoning(body: dict[str, Any]) -> Reasoning | None:
    think = body.get("think")
    if think is None or isinstance(think, bool):
        return None if think is None else Reasoning(enabled=think)
    if not isinstance(think, str) or think not in THINK_LEVELS:
        raise fields.refuse("think", f"must be true, false or one of {', '.join(sorted(THINK_LEVELS))}")
    return Reasoning(enabled=think != "none", effort=think)


def _output(body: dict[str, Any]) -> OutputSchema | None:
    wanted = body.get("format")
    if wanted is None or wanted == "":
        return None
    if wanted == "json":
        return OutputSchema()
    if not isinstance(wanted, dict):
        raise fields.refuse("format", 'must be "json" or a JSON schema')
    return OutputSchema(wanted)
