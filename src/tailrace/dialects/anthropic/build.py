"""A `Request` to a provider's JSON, and a client's own JSON on its way to a provider of the same dialect."""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.anthropic.parts import build_part
from tailrace.dialects.base import Translation
from tailrace.events import OutputSchema, Reasoning, Request, Tool, ToolResultPart, Turn

DEFAULT_MAX_TOKENS = 4_096
"""Output limit where the client gave none, since the API demands one: more than most answers need, and no more than the
smallest model of any server of this dialect can write. An answer that reaches it ends as ``max_tokens``."""

THINKING_ROOM = 16_384
"""The same for a model that thinks as much as it sees fit: thinking counts against the limit, and every model that
takes ``adaptive`` or an effort can write 32,000 tokens."""

LEAST_BUDGET = 1_024
"""Least tokens of a thinking budget; ``max_tokens`` must be above it (Anthropic's SDK, ``ThinkingConfigEnabled``)."""

OWN = frozenset(
    {
        "container", "context_management", "diagnostics", "fallbacks", "inference_geo", "mcp_servers", "speed",
        "thinking", "thread", "user_profile_id",
    }
)  # fmt: skip
"""Fields of this dialect that the vocabulary has no word for: they go back where they came from."""

IGNORABLE = frozenset(
    {
        "cache_control", "client_metadata", "include", "keep_alive", "labels", "max_tool_calls", "metadata",
        "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
        "safetySettings", "service_tier", "shift", "store", "truncate", "truncation", "verbosity",
    }
)  # fmt: skip
"""Fields, of other dialects and of blocks, without which the answer is still an answer to the same question, in the
same form: hints on cost, caching, book-keeping and style."""

SAMPLING = ("seed", "presence_penalty", "frequency_penalty")
"""Wishes about sampling that cannot be said; Anthropic's own endpoint for OpenAI's clients leaves them out too."""

NEUTRAL: dict[str, Any] = {"logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"]}
"""Fields that ask for nothing when they have this value."""

SERVICE_TIERS = frozenset({"auto", "standard_only"})
"""Values of ``service_tier``: OpenAI has a field of that name with other values."""

EFFORTS = {"minimal": "low"}
"""Words for an effort that this dialect calls otherwise."""


def forward(body: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the client's own ``body`` for ``model``: as it came, but streaming."""
    return {**body, "model": model, "stream": True}


def build(request: Request) -> Translation:
    """Return the provider's JSON for ``request``; raise `BadRequest` for what it cannot be asked."""
    if request.choices != 1:
        raise fields.refuse("n", "an anthropic provider gives one answer")
    if request.temperature is not None and not 0 <= request.temperature <= 1:
        raise fields.refuse("temperature", "must be between 0 and 1 for an anthropic provider")
    ignored: list[str] = []
    system, turns = _system(request, ignored)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": _limit(request),
        "messages": _messages(turns, ignored),
        "stream": True,
    }
    plain = {
        "system": system or None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": list(request.stop) or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "metadata": None if request.user is None else {"user_id": request.user},
    }
    body.update((name, value) for name, value in plain.items() if value is not None)
    ignored += [name for name in SAMPLING if getattr(request, name)]
    if request.reasoning is not None:
        _reasoning(request.reasoning, body, ignored)
    if request.output is not None:
        _output(request.output, body, ignored)
    _extra(request.extra, body, ignored)
    _tool_choice(request, body)
    return Translation(body, tuple(dict.fromkeys(ignored)))


def _limit(request: Request) -> int:
    reasoning = request.reasoning
    if request.max_tokens is not None:
        return request.max_tokens
    if reasoning is None or not reasoning.enabled:
        return DEFAULT_MAX_TOKENS
    return THINKING_ROOM if reasoning.budget is None else reasoning.budget + DEFAULT_MAX_TOKENS


def _extra(extra: dict[str, Any], body: dict[str, Any], ignored: list[str]) -> None:
    for name, value in extra.items():
        if name == "service_tier" and isinstance(value, str) and value in SERVICE_TIERS:
            body[name] = value
        elif name == "tools" and isinstance(value, list) and all(_is_own_tool(tool) for tool in value):
            body["tools"] = [*body.get("tools", ()), *value]
        elif name in OWN:
            body[name] = value
        elif name in IGNORABLE or "." in name:
            # A name with a dot is a detail of a part or a tool (`parts.note_rest`).
            ignored.append(name)
        elif name not in NEUTRAL or value != NEUTRAL[name]:
            raise fields.refuse(name, "cannot be asked of an anthropic provider")


def _is_own_tool(tool: Any) -> bool:
    """Whether ``tool`` is one that this dialect's providers run: its type ends in a date, or names an MCP server."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    return isinstance(kind, str) and (kind[-8:].isdigit() or kind == "mcp_toolset")


# ---- messages -------------------------------------------------------------------------------------------------


def _system(request: Request, ignored: list[str]) -> tuple[list[dict[str, Any]], tuple[Turn, ...]]:
    """Return the instructions that the conversation begins with, and the turns after them."""
    blocks = [{"type": "text", "text": part.text} for part in request.system if part.text]
    turns = request.turns
    while turns and turns[0].role == "system":
        blocks += _blocks(turns[0], "messages.0", ignored)
        turns = turns[1:]
    return blocks, turns


def _messages(turns: tuple[Turn, ...], ignored: list[str]) -> list[dict[str, Any]]:
    """Return the turns as messages; consecutive ones of one role may stay, the API takes them together.

    Only results of tools are put into one message: all those of one assistant turn must be in the one after it.
    """
    messages: list[dict[str, Any]] = []
    results = False
    for i, turn in enumerate(turns):
        blocks = _blocks(turn, f"messages.{i}", ignored)
        only_results = all(isinstance(part, ToolResultPart) for part in turn.parts)
        if results and only_results:
            messages[-1]["content"] += blocks
        elif blocks:
            # A message of nothing is refused, and says nothing.
            messages.append({"role": turn.role, "content": blocks})
            results = only_results
    return messages


def _blocks(turn: Turn, path: str, ignored: list[str]) -> list[dict[str, Any]]:
    blocks = [build_part(part, f"{path}.content.{i}", ignored) for i, part in enumerate(turn.parts)]
    return [block for block in blocks if block is not None]


# ---- tools, thinking and the shape of the answer --------------------------------------------------------------


def _tool(tool: Tool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name, "input_schema": tool.schema}
    if tool.description is not None:
        described["description"] = tool.description
    if tool.strict is not None:
        described["strict"] = tool.strict
    return described


def _tool_choice(request: Request, body: dict[str, Any]) -> None:
    """Write the choice; without tools the API refuses one, and there is nothing to choose."""
    if not body.get("tools"):
        return
    choice, parallel = request.tool_choice, request.parallel_tools
    if choice is None and parallel is False:
        body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    elif choice is not None:
        written: dict[str, Any] = {"type": choice.mode}
        if choice.name is not None:
            written["name"] = choice.name
        if parallel is not None and choice.mode != "none":
            written["disable_parallel_tool_use"] = not parallel
        body["tool_choice"] = written


def _reasoning(reasoning: Reasoning, body: dict[str, Any], ignored: list[str]) -> None:
    """Write how much to think. An effort alone leaves it to the model whether it thinks, as the client left it.

    Gemini takes any budget, a larger one than the answer's limit too; here it is brought into its bounds. Under a limit
    that leaves no room for the least one the API refuses, which names both numbers.
    """
    effort = reasoning.effort
    if not reasoning.enabled or effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif reasoning.budget is not None:
        budget = max(LEAST_BUDGET, min(reasoning.budget, body["max_tokens"] - 1))
        if budget != reasoning.budget:
            ignored.append("reasoning.budget")
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    elif reasoning.adaptive or effort is None or reasoning.show is not None:
        body["thinking"] = {"type": "adaptive"}
    if reasoning.show is not None and "thinking" in body and body["thinking"]["type"] != "disabled":
        body["thinking"]["display"] = "summarized" if reasoning.show else "omitted"
    if effort not in {None, "none"}:
        body["output_config"] = {"effort": EFFORTS.get(str(effort), effort)}


def _output(output: OutputSchema, body: dict[str, Any], ignored: list[str]) -> None:
    if output.schema is None:
        raise fields.refuse("response_format", "an anthropic provider needs a schema: it has no free JSON mode")
    ignored += [f"output.{name}" for name in ("name", "description") if getattr(output, name) is not None]
    config = body.setdefault("output_config", {})
    config["format"] = {"type": "json_schema", "schema": output.schema}
