"""A `Request` to a provider's JSON, and a client's own JSON on its way to a provider of the same dialect."""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.base import Quirks, Translation
from tailrace.dialects.openai_chat.names import NAME
from tailrace.dialects.openai_chat.parts import build_call, build_part
from tailrace.events import (
    OpaquePart,
    OutputSchema,
    Part,
    Reasoning,
    RedactedThinkingPart,
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

OWN = frozenset(
    {
        "audio", "function_call", "functions", "logit_bias", "logprobs", "metadata", "modalities", "moderation",
        "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
        "response_format", "safety_identifier", "service_tier", "store", "tool_choice", "top_logprobs",
        "verbosity", "web_search_options",
    }
)  # fmt: skip
"""Fields of this dialect that the vocabulary has no word for: they go back where they came from."""

IGNORABLE = frozenset(
    {
        "cache_control", "client_metadata", "context_management", "diagnostics", "fallbacks", "include",
        "keep_alive", "labels", "max_tool_calls", "safetySettings", "shift", "speed", "thinking", "truncate",
        "truncation", "user_profile_id",
    }
)  # fmt: skip
"""Fields of other dialects without which the answer is still an answer to the same question: hints on cost, caching,
book-keeping, and on how much to think."""

SERVICE_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
"""Values of ``service_tier``: Anthropic has a field of that name with other values."""

EFFORT_BY_BUDGET = ((2_048, "low"), (12_288, "medium"))
"""Most tokens of a thinking budget, and the effort that stands for it; a larger one is ``high``.

Nobody publishes such a table. 1,024 is the smallest budget that Anthropic takes; the effort is only a hint, and the
budget is reported as left out.
"""


def forward(body: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the client's own ``body`` for ``model``: as it came, but streaming, and with usage in the stream.

    ``max_tokens`` and ``max_completion_tokens`` stay what they are: the client knows its provider.
    """
    options = body.get("stream_options")
    return {
        **body,
        "model": model,
        "stream": True,
        "stream_options": {**(options if isinstance(options, dict) else {}), "include_usage": True},
    }


def build(request: Request) -> Translation:
    """Return the provider's JSON for ``request``; raise `BadRequest` for what it cannot be asked.

    The limit is written as ``max_completion_tokens``: OpenAI's reasoning models refuse ``max_tokens``, and Anthropic's
    clients, who must give a limit, could not reach one of them otherwise. `adapt` renames it for the servers that
    only know the older word.
    """
    ignored: list[str] = []
    body: dict[str, Any] = {"model": request.model, "messages": _messages(request, ignored)}
    # Without tools OpenAI refuses a choice among them, and there is nothing to choose.
    tools = [*(_tool(tool) for tool in request.tools), *_own_tools(request.extra)]
    plain = {
        "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "tools": tools or None,
        "tool_choice": _tool_choice(request.tool_choice) if request.tool_choice and tools else None,
        "parallel_tool_calls": request.parallel_tools if tools else None,
        "reasoning_effort": _effort(request.reasoning, ignored) if request.reasoning else None,
        "response_format": _output(request.output) if request.output else None,
        "n": request.choices if request.choices > 1 else None,
        "user": request.user,
    }
    body.update((name, value) for name, value in plain.items() if value is not None)
    if request.top_k is not None:
        ignored.append("top_k")
    _extra(request.extra, body, ignored)
    body["stream"] = True
    body["stream_options"] = {"include_usage": True}
    return Translation(body, tuple(dict.fromkeys(ignored)))


def adapt(body: dict[str, Any], quirks: Quirks) -> dict[str, Any]:
    """Return ``body`` for a server with ``quirks``."""
    adapted = dict(body)
    if quirks.old_max_tokens and "max_completion_tokens" in adapted:
        adapted["max_tokens"] = adapted.pop("max_completion_tokens")
    if quirks.no_stream_options:
        adapted.pop("stream_options", None)
    return adapted


def _extra(extra: dict[str, Any], body: dict[str, Any], ignored: list[str]) -> None:
    for name, value in extra.items():
        if name == "service_tier" and not (isinstance(value, str) and value in SERVICE_TIERS):
            ignored.append(name)
        elif name == "tools" and _own_tools(extra) == value:
            continue
        elif name in OWN:
            body[name] = value
        elif name in IGNORABLE or "." in name:
            # A name with a dot is a detail of a part or a tool (`parts.note_rest`).
            ignored.append(name)
        else:
            raise fields.refuse(name, "cannot be asked of a chat completions provider")


def _own_tools(extra: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tools that only this dialect has; those that another's provider runs are not among them."""
    tools = extra.get("tools")
    return [t for t in tools if isinstance(t, dict) and t.get("type") == "custom"] if isinstance(tools, list) else []


# ---- messages -------------------------------------------------------------------------------------------------


def _messages(request: Request, ignored: list[str]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.system:
        # "system" rather than "developer": OpenAI takes either, most compatible servers only this one.
        messages.append({"role": "system", "content": _texts(request.system)})
    for i, turn in enumerate(request.turns):
        path = f"messages.{i}"
        if turn.role == "assistant":
            messages.append(_assistant(turn, path, ignored))
        elif turn.role == "system":
            messages.append({"role": "system", "content": _texts(_only_text(turn, path))})
        else:
            messages += _user(turn, path, ignored)
    return messages


def _texts(parts: tuple[TextPart, ...]) -> str | list[dict[str, Any]]:
    """One text as a string, which every server takes; several as parts, so that none is glued to the next."""
    if len(parts) == 1:
        return parts[0].text
    return [{"type": "text", "text": part.text} for part in parts] or ""


def _only_text(turn: Turn, path: str) -> tuple[TextPart, ...]:
    texts: list[TextPart] = []
    for i, part in enumerate(turn.parts):
        if not isinstance(part, TextPart):
            raise fields.refuse(f"{path}.content.{i}", "must be text")
        texts.append(part)
    return tuple(texts)


def _user(turn: Turn, path: str, ignored: list[str]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    rest: list[Part] = []
    for i, part in enumerate(turn.parts):
        if isinstance(part, ToolResultPart):
            messages.append(_tool_result(part, f"{path}.content.{i}", ignored))
        else:
            rest.append(part)
    # Results first, whatever their place in the turn: they must follow the calls that they answer.
    if len(rest) == 1 and isinstance(rest[0], TextPart):
        messages.append({"role": "user", "content": rest[0].text})
    elif rest or not messages:
        parts = [build_part(part, f"{path}.content.{i}") for i, part in enumerate(rest)]
        messages.append({"role": "user", "content": parts or ""})
    return messages


def _tool_result(part: ToolResultPart, path: str, ignored: list[str]) -> dict[str, Any]:
    texts: list[TextPart] = []
    for inner in part.parts:
        if not isinstance(inner, TextPart):
            raise fields.refuse(path, "a tool's result can only be text for a chat completions provider")
        texts.append(inner)
    if part.is_error:
        ignored.append("tool_result.is_error")
    return {"role": "tool", "tool_call_id": part.tool_call_id, "content": _texts(tuple(texts))}


def _assistant(turn: Turn, path: str, ignored: list[str]) -> dict[str, Any]:
    texts: list[TextPart] = []
    refusals: list[str] = []
    calls: list[dict[str, Any]] = []
    for i, part in enumerate(turn.parts):
        match part:
            case TextPart():
                texts.append(part)
            case RefusalPart():
                refusals.append(part.text)
            case ToolCallPart():
                calls.append(build_call(part))
            case ThinkingPart() | RedactedThinkingPart():
                # OpenAI has no field for it, and DeepSeek refuses a request that sends it back.
                ignored.append("thinking")
            case OpaquePart(dialect=dialect, kind="custom", data=data) if dialect == NAME:
                calls.append(data)
            case _:
                # Refuses what an assistant cannot say, and names it.
                build_part(part, f"{path}.content.{i}")
                raise fields.refuse(f"{path}.content.{i}", "cannot stand in an assistant's message")
    message: dict[str, Any] = {"role": "assistant", "content": _texts(tuple(texts)) if texts else None}
    if refusals:
        message["refusal"] = "".join(refusals)
    if calls:
        message["tool_calls"] = calls
    elif not texts and not refusals:
        # Null content is only allowed beside calls or a refusal.
        message["content"] = ""
    return message


# ---- tools and the shape of the answer ------------------------------------------------------------------------


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.schema}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.mode == "any" else choice.mode


def _effort(reasoning: Reasoning, ignored: list[str]) -> str | None:
    if reasoning.show is not None:
        ignored.append("reasoning.show")
    if not reasoning.enabled and reasoning.effort != "none":
        # "none" is refused by the many models that know no such effort; not to ask is what they understand.
        ignored.append("reasoning")
        return None
    if reasoning.effort is not None:
        return reasoning.effort
    if reasoning.budget is None:
        # A bare wish to think: this dialect only has a word for how much.
        ignored.append("reasoning")
        return None
    ignored.append("reasoning.budget")
    return next((effort for most, effort in EFFORT_BY_BUDGET if reasoning.budget <= most), "high")


def _output(output: OutputSchema) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    described: dict[str, Any] = {"name": output.name or "answer", "schema": output.schema}
    if output.description is not None:
        described["description"] = output.description
    if output.strict is not None:
        described["strict"] = output.strict
    return {"type": "json_schema", "json_schema": described}
