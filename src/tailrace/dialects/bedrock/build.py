"""A `Request` to the JSON of ConverseStream, and such JSON on its way through.

The service asks its models in one form and passes on, under ``additionalModelRequestFields``, what only one maker's
models know. Which maker that is, a model's id says (``us.anthropic.claude-…``).
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.base import Translation
from tailrace.dialects.bedrock.names import EFFORTS, PATHS, STOP_SEQUENCE
from tailrace.dialects.bedrock.parts import Names, build_part
from tailrace.dialects.bedrock.wire import to_json
from tailrace.events import OutputSchema, Reasoning, Request, Tool, ToolCallPart, ToolResultPart, Turn

OWN = frozenset(
    {
        "additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "performanceConfig",
        "promptVariables", "requestMetadata", "serviceTier",
    }
)  # fmt: skip
"""Fields of this dialect that the vocabulary has no word for: they go back where they came from."""

IGNORABLE = frozenset(
    {
        "cache_control", "client_metadata", "context_management", "diagnostics", "fallbacks", "include",
        "inference_geo", "keep_alive", "labels", "max_tool_calls", "metadata", "prediction", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "safetySettings", "safety_identifier", "service_tier",
        "shift", "speed", "store", "thinking", "truncate", "truncation", "user_profile_id", "verbosity",
    }
)  # fmt: skip
"""Fields of other dialects without which the answer is still an answer to the same question, in the same form: hints
on cost, caching, book-keeping, style, and on how much to think."""

SAMPLING = ("seed", "presence_penalty", "frequency_penalty")
"""Wishes about sampling that the service has no field for."""

NEUTRAL: dict[str, Any] = {"logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"]}
"""Fields that ask for nothing when they have this value."""

_ANTHROPIC = "anthropic."
"""What the id or the ARN of Anthropic's models holds."""


def forward(body: dict[str, Any], _model: str) -> dict[str, Any]:
    """Return the client's own ``body`` as it came: the model, and that it streams, stand in the URL."""
    return {name: value for name, value in body.items() if name not in {"model", "stream"}}


def build(request: Request) -> Translation:
    """Return the service's JSON for ``request``; raise `BadRequest` for what it cannot be asked."""
    if request.choices != 1:
        raise fields.refuse("n", "a bedrock provider gives one answer")
    if request.temperature is not None and not 0 <= request.temperature <= 1:
        raise fields.refuse("temperature", "must be between 0 and 1 for a bedrock provider")
    ignored: list[str] = []
    system, turns = _system(request)
    body: dict[str, Any] = {"messages": _messages(turns, ignored)}
    if system:
        body["system"] = system
    inference = {
        "maxTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": list(request.stop) or None,
    }
    if known := {name: value for name, value in inference.items() if value is not None}:
        body["inferenceConfig"] = known
    if request.stop:
        # Which one was met is among what the service only says when asked.
        body[PATHS] = list(STOP_SEQUENCE)
    _tools(request, body)
    if request.reasoning is not None:
        _reasoning(request.reasoning, request.model, body, ignored)
    if request.output is not None:
        _output(request.output, body)
    _own_sampling(request, body, ignored)
    if request.user is not None:
        ignored.append("user")
    _extra(request.extra, body, ignored)
    return Translation(body, tuple(dict.fromkeys(ignored)))


def _own_sampling(request: Request, body: dict[str, Any], ignored: list[str]) -> None:
    ignored += [name for name in SAMPLING if getattr(request, name)]
    if request.top_k is not None:
        if _is_anthropic(request.model):
            _beyond(body)["top_k"] = request.top_k
        else:
            ignored.append("top_k")


def _extra(extra: dict[str, Any], body: dict[str, Any], ignored: list[str]) -> None:
    for name, value in extra.items():
        if name == "additionalModelRequestFields" and isinstance(value, dict):
            _beyond(body).update(value)
        elif name in OWN:
            body[name] = value
        elif name in IGNORABLE or "." in name:
            # A name with a dot is a detail of a part or a tool.
            ignored.append(name)
        elif name not in NEUTRAL or value != NEUTRAL[name]:
            raise fields.refuse(name, "cannot be asked of a bedrock provider")


def _beyond(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the service passes on to the model, to be written to."""
    found: dict[str, Any] = body.setdefault("additionalModelRequestFields", {})
    return found


def _is_anthropic(model: str) -> bool:
    return _ANTHROPIC in model


# ---- messages -------------------------------------------------------------------------------------------------


def _system(request: Request) -> tuple[list[dict[str, Any]], tuple[Turn, ...]]:
    """Return the instructions that the conversation begins with, and the turns after them."""
    blocks = [{"text": part.text} for part in request.system if part.text.strip()]
    return blocks, request.turns


def _messages(turns: tuple[Turn, ...], ignored: list[str]) -> list[dict[str, Any]]:
    """Return the turns as messages; consecutive ones of one role are one, as the service wants them to alternate."""
    messages: list[dict[str, Any]] = []
    names = Names()
    for i, turn in enumerate(turns):
        parts = enumerate(turn.parts)
        built = [build_part(part, f"messages.{i}.content.{n}", names, ignored) for n, part in parts]
        blocks = [block for block in built if block is not None]
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += blocks
        elif blocks:
            # A message of nothing is refused, and says nothing.
            messages.append({"role": turn.role, "content": blocks})
    return messages


# ---- tools, thinking and the shape of the answer --------------------------------------------------------------


def _tools(request: Request, body: dict[str, Any]) -> None:
    """Write the tools. There is no word for "none": what must not be called is not offered."""
    choice = request.tool_choice
    if not request.tools:
        return
    if choice is not None and choice.mode == "none":
        if any(isinstance(part, ToolCallPart | ToolResultPart) for turn in request.turns for part in turn.parts):
            # Calls in the conversation need their tools, and with them the model may call.
            raise fields.refuse("tool_choice", "a bedrock provider cannot be kept from calling tools it has called")
        return
    if request.parallel_tools is False:
        raise fields.refuse("parallel_tool_calls", "a bedrock provider cannot be kept from calling several tools")
    config: dict[str, Any] = {"tools": [_tool(tool) for tool in request.tools]}
    if choice is not None:
        config["toolChoice"] = {choice.mode: {} if choice.name is None else {"name": choice.name}}
    body["toolConfig"] = config


def _tool(tool: Tool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": tool.schema}}
    if tool.description:
        described["description"] = tool.description
    if tool.strict is not None:
        described["strict"] = tool.strict
    return {"toolSpec": described}


def _reasoning(reasoning: Reasoning, model: str, body: dict[str, Any], ignored: list[str]) -> None:
    """Write how much to think: an effort for any model, the rest for Anthropic's, in their maker's own form."""
    effort = reasoning.effort
    off = not reasoning.enabled or effort == "none"
    if effort not in {None, "none"}:
        body["outputConfig"] = {"effort": EFFORTS.get(str(effort), effort)}
    if not _is_anthropic(model):
        if off or reasoning.budget is not None or reasoning.show is not None or effort is None:
            ignored.append("reasoning")
        return
    thinking: dict[str, Any] | None = None
    if off:
        thinking = {"type": "disabled"}
    elif reasoning.budget is not None:
        thinking = {"type": "enabled", "budget_tokens": reasoning.budget}
    elif reasoning.adaptive or effort is None or reasoning.show is not None:
        thinking = {"type": "adaptive"}
    if thinking is not None:
        if reasoning.show is not None and not off:
            thinking["display"] = "summarized" if reasoning.show else "omitted"
        _beyond(body)["thinking"] = thinking


def _output(output: OutputSchema, body: dict[str, Any]) -> None:
    if output.schema is None:
        raise fields.refuse("response_format", "a bedrock provider needs a schema: it has no free JSON mode")
    described = {"schema": to_json(output.schema).decode()}
    optional = {"name": output.name, "description": output.description}
    described.update((name, value) for name, value in optional.items() if value is not None)
    form = {"type": "json_schema", "structure": {"jsonSchema": described}}
    body.setdefault("outputConfig", {})["textFormat"] = form
