"""A `Request` to a provider's JSON, and a client's own JSON on its way to a provider of the same dialect."""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.base import Translation
from tailrace.dialects.openai_responses.names import is_relays_own, read_foreign
from tailrace.dialects.openai_responses.turns import build_input
from tailrace.events import OutputSchema, Reasoning, Request, Tool, ToolChoice

OWN = frozenset(
    {
        "client_metadata", "context_management", "conversation", "include", "max_tool_calls", "metadata", "moderation",
        "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "safety_identifier", "store", "tool_choice", "tools", "top_logprobs", "truncation",
    }
)  # fmt: skip
"""Fields of this dialect that the vocabulary has no word for: they go back where they came from."""

IGNORABLE = frozenset(
    {
        "cache_control", "diagnostics", "fallbacks", "inference_geo", "keep_alive", "labels", "prediction",
        "safetySettings", "shift", "speed", "thinking", "truncate", "user_profile_id",
    }
)  # fmt: skip
"""Fields of other dialects without which the answer is still an answer to the same question: hints on cost, caching,
book-keeping, and on how much to think."""

NEUTRAL: dict[str, Any] = {"logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"]}
"""Fields that ask for nothing when they have this value."""

SAMPLING = ("top_k", "seed", "presence_penalty", "frequency_penalty")
"""Wishes about sampling that this API has no field for."""

SERVICE_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
"""Values of ``service_tier``: Anthropic has a field of that name with other values."""

EFFORT_BY_BUDGET = ((2_048, "low"), (12_288, "medium"))
"""Most tokens of a thinking budget, and the effort that stands for it; a larger one is ``high``. As in Chat
Completions: the effort is only a hint, and the budget is reported as left out."""

_OURS = ("background", "background_options")
"""What the relay does itself: the answer is finished into its log whatever becomes of its readers, and a stop closes
the provider's connection, which would not stop an answer that the provider writes in its own background."""


def forward(body: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the client's own ``body`` for ``model``: as it came, but streaming.

    Left out is what a relay put into earlier answers of other providers: this one knows no such reasoning or field.
    """
    kept = {name: value for name, value in body.items() if name not in _OURS}
    given = body.get("input")
    if isinstance(given, list):
        kept["input"] = [_forwarded(item) for item in given if not _is_foreign(item)]
    return {**kept, "model": model, "stream": True}


def _is_foreign(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    encrypted = item.get("encrypted_content")
    return is_relays_own(item.get("id")) or (isinstance(encrypted, str) and read_foreign(encrypted) != (None, None))


def _forwarded(item: Any) -> Any:
    if not isinstance(item, dict) or "tailrace" not in item:
        return item
    return {name: value for name, value in item.items() if name != "tailrace"}


def build(request: Request) -> Translation:
    """Return the provider's JSON for ``request``; raise `BadRequest` for what it cannot be asked.

    The answer is not stored with the provider unless the client asked for it: what it would be stored for, going on
    from its id, cannot be asked in another dialect.
    """
    if request.choices != 1:
        raise fields.refuse("n", "a responses provider gives one answer")
    if request.stop:
        raise fields.refuse("stop", "a responses provider takes no stop sequences")
    ignored: list[str] = [name for name in SAMPLING if getattr(request, name)]
    body: dict[str, Any] = {"model": request.model, "input": build_input(request, ignored), "store": False}
    tools = [_tool(tool) for tool in request.tools]
    plain = {
        "instructions": request.system[0].text if len(request.system) == 1 else None,
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "tools": tools or None,
        "tool_choice": _tool_choice(request.tool_choice) if request.tool_choice and tools else None,
        "parallel_tool_calls": request.parallel_tools if tools else None,
        "text": _text(request.output, request.extra),
        "user": request.user,
    }
    body.update((name, value) for name, value in plain.items() if value is not None)
    if request.reasoning is not None:
        _reasoning(request.reasoning, body, ignored)
    _extra(request.extra, body, ignored)
    body["stream"] = True
    return Translation(body, tuple(dict.fromkeys(ignored)))


def _extra(extra: dict[str, Any], body: dict[str, Any], ignored: list[str]) -> None:
    for name, value in extra.items():
        if name == "verbosity" or NEUTRAL.get(name) == value:
            continue
        if name == "service_tier":
            if isinstance(value, str) and value in SERVICE_TIERS:
                body[name] = value
            else:
                ignored.append(name)
        elif name == "tools":
            _own_tools(value, body)
        elif name == "include":
            body[name] = [*body.get(name, ()), *_array(value, name)]
        elif name == "context_management" and not isinstance(value, list):
            ignored.append(name)  # Anthropic has an object of that name
        elif name == "tool_choice" and "tools" not in extra and not body.get("tools"):
            ignored.append(name)
        elif name in OWN:
            body[name] = value
        elif name in IGNORABLE or "." in name:
            # A name with a dot is a detail of a part or a tool (`parts.note_rest`).
            ignored.append(name)
        else:
            raise fields.refuse(name, "cannot be asked of a responses provider")


def _array(value: Any, name: str) -> list[Any]:
    """Return ``value``, which a client of another dialect may have written: nobody has looked at it yet."""
    if not isinstance(value, list):
        raise fields.refuse(name, "must be an array")
    return value


def _own_tools(tools: Any, body: dict[str, Any]) -> None:
    """Add the tools that OpenAI runs; those of another's provider end in a date, Chat's custom ones are nested."""
    for tool in tools if isinstance(tools, list) else [tools]:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if (
            not isinstance(kind, str)
            or kind[-8:].isdigit()
            or kind == "mcp_toolset"
            or isinstance(tool.get(kind), dict)
        ):
            raise fields.refuse("tools", f"a tool of type {str(kind)[:100]!r} cannot be given to a responses provider")
        body["tools"] = [*body.get("tools", ()), tool]


# ---- tools and the shape of the answer ------------------------------------------------------------------------


def _tool(tool: Tool) -> dict[str, Any]:
    # Said always: where it is left out this API takes true, which many a schema does not bear.
    described: dict[str, Any] = {"type": "function", "name": tool.name, "parameters": tool.schema}
    if tool.description is not None:
        described["description"] = tool.description
    return {**described, "strict": bool(tool.strict)}


def _tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "tool":
        return {"type": "function", "name": choice.name}
    return "required" if choice.mode == "any" else choice.mode


def _text(output: OutputSchema | None, extra: dict[str, Any]) -> dict[str, Any] | None:
    text: dict[str, Any] = {"verbosity": extra["verbosity"]} if "verbosity" in extra else {}
    if output is not None:
        text["format"] = {"type": "json_object"} if output.schema is None else _schema(output, output.schema)
    return text or None


def _schema(output: OutputSchema, schema: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "json_schema", "name": output.name or "answer", "schema": schema}
    if output.description is not None:
        described["description"] = output.description
    return {**described, "strict": bool(output.strict)}


def _reasoning(reasoning: Reasoning, body: dict[str, Any], ignored: list[str]) -> None:
    """Write how much to think, and ask for what lets the thoughts go on in the next turn."""
    if not reasoning.enabled and reasoning.effort != "none":
        # "none" is refused by the many models that know no such effort; not to ask is what they understand.
        ignored.append("reasoning")
        return
    written: dict[str, Any] = {}
    effort = reasoning.effort
    if effort is None and reasoning.budget is not None:
        ignored.append("reasoning.budget")
        effort = next((word for most, word in EFFORT_BY_BUDGET if reasoning.budget <= most), "high")
    if effort is not None:
        written["effort"] = effort
    asked_to_show = reasoning.show is None and (reasoning.budget is not None or reasoning.adaptive)
    if reasoning.show or asked_to_show:
        # A client that asks for thinking by a budget is shown it; one that only names an effort is not.
        written["summary"] = "auto"
    if written:
        body["reasoning"] = written
    else:
        # A bare wish to think: this dialect only has words for how much, and for showing it.
        ignored.append("reasoning")
    if effort != "none":
        # Without it an answer that is not stored has thoughts that cannot be given back.
        body["include"] = ["reasoning.encrypted_content"]
