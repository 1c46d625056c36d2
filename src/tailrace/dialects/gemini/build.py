"""A `Request` to a provider's JSON, and a client's own JSON on its way to a provider of the same dialect."""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.base import Translation
from tailrace.dialects.gemini.build_parts import Names, build_contents
from tailrace.events import OutputSchema, Reasoning, Request, Tool, ToolChoice

OWN = frozenset({"cachedContent", "continuationToken", "labels", "safetySettings", "toolConfig"})
"""Fields of this dialect that the vocabulary has no word for: they go back where they came from."""

OWN_CONFIG = frozenset(
    {
        "audioTimestamp", "enableEnhancedCivicAnswers", "imageConfig", "mediaResolution",
        "modelSelectionConfig", "responseLogprobs", "responseMimeType", "responseModalities", "routingConfig",
        "speechConfig",
    }
)  # fmt: skip
"""The same of ``generationConfig``."""

IGNORABLE = frozenset(
    {
        "cache_control", "client_metadata", "context_management", "diagnostics", "fallbacks", "include",
        "inference_geo", "keep_alive", "max_tool_calls", "metadata", "prediction", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier", "shift", "speed",
        "store", "thinking", "truncate", "truncation", "user_profile_id", "verbosity",
    }
)  # fmt: skip
"""Fields of other dialects without which the answer is still an answer to the same question: hints on cost, caching,
book-keeping, style, and on how much to think."""

NEUTRAL: dict[str, Any] = {"logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"]}
"""Fields that ask for nothing when they have this value."""

OWN_TOOLS = frozenset(
    {
        "codeExecution", "computerUse", "enterpriseWebSearch", "exaAiSearch", "fileSearch", "googleMaps",
        "googleSearch", "googleSearchRetrieval", "mcpServers", "parallelAiSearch", "retrieval", "urlContext",
    }
)  # fmt: skip
"""Tools that a provider of this dialect runs."""

BUDGETS = {"minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
"""Effort → tokens to think with: the table of Google's own endpoint for OpenAI's clients. Levels, which say the same,
are refused by the models before Gemini 3; budgets are taken by all that think."""


def forward(body: dict[str, Any], _model: str) -> dict[str, Any]:
    """Return the client's own ``body`` as it came, without what is in the URL."""
    return {name: value for name, value in body.items() if name not in {"model", "stream"}}


def build(request: Request) -> Translation:
    """Return the provider's JSON for ``request``; raise `BadRequest` for what it cannot be asked."""
    ignored: list[str] = []
    names = Names(request.turns)
    system, contents = build_contents(request, names, ignored)
    tools = [*_tools(request.tools, ignored), *_own_tools(request.extra)]
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if tools:
        body["tools"] = tools
        if request.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _tool_choice(request.tool_choice)}
    config = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "candidateCount": request.choices if request.choices > 1 else None,
        "thinkingConfig": _thinking(request.reasoning) if request.reasoning else None,
        **_output(request.output, ignored),
    }
    known = {name: value for name, value in config.items() if value is not None}
    ignored += [
        word
        for word, said in (("user", request.user is not None), ("parallel_tools", request.parallel_tools is False))
        if said
    ]
    _extra(request.extra, body, known, ignored)
    if known:
        body["generationConfig"] = known
    return Translation(body, tuple(dict.fromkeys(ignored)))


def _extra(extra: dict[str, Any], body: dict[str, Any], config: dict[str, Any], ignored: list[str]) -> None:
    for name, value in extra.items():
        if name == "tools" and _own_tools(extra) == value:
            continue
        if name == "toolConfig" and isinstance(value, dict):
            body[name] = {**body.get(name, {}), **value}
        elif name in OWN:
            body[name] = value
        elif name in OWN_CONFIG and value != NEUTRAL.get(name):
            config[name] = value
        elif name in IGNORABLE or "." in name:
            # A name with a dot is a detail of a part or a tool.
            ignored.append(name)
        elif name not in NEUTRAL or value != NEUTRAL[name]:
            raise fields.refuse(name, "cannot be asked of a gemini provider")


# ---- tools, thinking and the shape of the answer --------------------------------------------------------------


def _tools(tools: tuple[Tool, ...], ignored: list[str]) -> list[dict[str, Any]]:
    declared: list[dict[str, Any]] = []
    for tool in tools:
        function: dict[str, Any] = {"name": tool.name, "parametersJsonSchema": tool.schema}
        if tool.description is not None:
            function["description"] = tool.description
        if tool.strict is not None:
            ignored.append("tools.strict")
        declared.append(function)
    return [{"functionDeclarations": declared}] if declared else []


def _own_tools(extra: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tools that a provider of this dialect runs; those of another are not among them."""
    tools = extra.get("tools")
    if not isinstance(tools, list):
        return []
    return [tool for tool in tools if isinstance(tool, dict) and tool and tool.keys() <= OWN_TOOLS]


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.mode == "tool":
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    return {"mode": choice.mode.upper()}


def _thinking(reasoning: Reasoning) -> dict[str, Any]:
    """Return how much to think. Thoughts are shown unless the client wants none: other dialects show what there is."""
    if not reasoning.enabled or reasoning.effort == "none":
        return {"thinkingBudget": 0}
    config: dict[str, Any] = {"includeThoughts": reasoning.show is not False}
    if reasoning.budget is not None:
        config["thinkingBudget"] = reasoning.budget
    elif reasoning.effort in BUDGETS:
        config["thinkingBudget"] = BUDGETS[str(reasoning.effort)]
    elif reasoning.adaptive:
        config["thinkingBudget"] = -1
    return config


def _output(output: OutputSchema | None, ignored: list[str]) -> dict[str, Any]:
    if output is None:
        return {}
    ignored += [f"output.{name}" for name in ("name", "description", "strict") if getattr(output, name) is not None]
    return {"responseMimeType": "application/json", "responseJsonSchema": output.schema}
