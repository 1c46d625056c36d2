"""A `Request` to a provider's JSON, and a client's own JSON on its way to a provider of the same dialect."""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.base import Translation
from tailrace.dialects.ollama.messages import build_messages
from tailrace.dialects.ollama.names import EFFORTS
from tailrace.events import OutputSchema, Reasoning, Request, Tool

OWN = frozenset({"keep_alive", "logprobs", "shift", "top_logprobs", "truncate"})
"""Fields of this dialect that the vocabulary has no word for: they go back where they came from."""

IGNORABLE = frozenset(
    {
        "cache_control", "client_metadata", "context_management", "diagnostics", "fallbacks", "include",
        "inference_geo", "labels", "max_tool_calls", "metadata", "prediction", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "safetySettings", "service_tier",
        "speed", "store", "thinking", "truncation", "user_profile_id", "verbosity",
    }
)  # fmt: skip
"""Fields of other dialects without which the answer is still an answer to the same question, in the same form: hints
on cost, caching, book-keeping, style, and on how much to think."""

NEUTRAL: dict[str, Any] = {"logit_bias": {}, "modalities": ["text"]}
"""Fields that ask for nothing when they have this value."""

OPTIONS = "options."
"""How the names of `Request.extra` begin that stand in ``options``."""


def forward(body: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the client's own ``body`` for ``model``: as it came, but streaming."""
    return {**body, "model": model, "stream": True}


def build(request: Request) -> Translation:
    """Return the provider's JSON for ``request``; raise `BadRequest` for what it cannot be asked."""
    if request.choices != 1:
        raise fields.refuse("n", "an ollama provider gives one answer")
    ignored: list[str] = []
    body: dict[str, Any] = {"model": request.model, "messages": build_messages(request, ignored), "stream": True}
    options = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
    }
    if known := {name: value for name, value in options.items() if value is not None}:
        body["options"] = known
    _tools(request, body, ignored)
    if request.reasoning is not None:
        body["think"] = _think(request.reasoning, ignored)
    if request.output is not None:
        body["format"] = _format(request.output, ignored)
    if request.user is not None:
        ignored.append("user")
    _extra(request.extra, body, ignored)
    return Translation(body, tuple(dict.fromkeys(ignored)))


def _extra(extra: dict[str, Any], body: dict[str, Any], ignored: list[str]) -> None:
    for name, value in extra.items():
        if name.startswith(OPTIONS):
            body.setdefault("options", {})[name.removeprefix(OPTIONS)] = value
        elif name in OWN:
            body[name] = value
        elif name in IGNORABLE or "." in name:
            # A name with a dot is a detail of a part or a tool.
            ignored.append(name)
        elif name not in NEUTRAL or value != NEUTRAL[name]:
            raise fields.refuse(name, "cannot be asked of an ollama provider")


def _tools(request: Request, body: dict[str, Any], ignored: list[str]) -> None:
    """Write the tools. There is no field for a choice among them: what must not be called is not offered."""
    choice = request.tool_choice
    mode = choice.mode if choice is not None and request.tools else "auto"
    if mode in {"any", "tool"}:
        raise fields.refuse("tool_choice", "an ollama provider cannot be made to call a tool")
    if not request.tools or mode == "none":
        return
    if request.parallel_tools is False:
        raise fields.refuse("parallel_tool_calls", "an ollama provider cannot be kept from calling several tools")
    body["tools"] = [_tool(tool, ignored) for tool in request.tools]


def _tool(tool: Tool, ignored: list[str]) -> dict[str, Any]:
    if tool.strict is not None:
        ignored.append("tools.strict")
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.schema}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _think(reasoning: Reasoning, ignored: list[str]) -> bool | str:
    ignored += [f"reasoning.{name}" for name in ("budget", "show") if getattr(reasoning, name) is not None]
    if not reasoning.enabled or reasoning.effort == "none":
        return False
    return EFFORTS.get(reasoning.effort or "", True)


def _format(output: OutputSchema, ignored: list[str]) -> str | dict[str, Any]:
    ignored += [f"output.{name}" for name in ("name", "description", "strict") if getattr(output, name) is not None]
    return "json" if output.schema is None else output.schema
