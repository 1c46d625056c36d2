"""A ConverseStream request to a `Request`, and everything else about asking.

No client of a relay speaks this dialect; it is read by the simulator, and by relays that stand behind one another.
Requests are authorised by an API key for Bedrock, as a bearer token. Signing them (SigV4) needs a clock and a secret
in two parts: it is not done here.

Source: ``ConverseStreamRequest`` of botocore's ``bedrock-runtime``, 1.44.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from tailrace.dialects import fields
from tailrace.dialects.bedrock.names import PATHS, STOP_SEQUENCE
from tailrace.dialects.bedrock.parts import read_part
from tailrace.dialects.bedrock.wire import JSON_ERRORS, decode_any
from tailrace.errors import BadRequest
from tailrace.events import OutputSchema, Reasoning, Request, TextPart, Tool, ToolChoice, Turn

_READ = frozenset({"model", "stream", "messages", "system", "inferenceConfig", "toolConfig", "outputConfig"})
_ROLES: dict[str, Literal["user", "assistant", "system"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",  # in mid-conversation
}


def endpoint(model: str) -> str:
    """Return the path below ``https://bedrock-runtime.<region>.amazonaws.com``; names and ARNs have ``:`` and ``/``."""
    return f"/model/{quote(model, safe='')}/converse-stream"


def headers(key: str | None, _client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for the service."""
    found = {"content-type": "application/json", "accept": "application/vnd.amazon.eventstream"}
    if key is not None:
        found["authorization"] = f"Bearer {key}"
    return found


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong.

    ``model`` and ``stream`` stand in the URL of the service, and are put into the body by whoever took them from it.
    """
    body = fields.an_object(body, "body")
    extra = {name: value for name, value in body.items() if name not in _READ and value is not None}
    if extra.get(PATHS) == STOP_SEQUENCE:
        # Which stop sequence was met is asked for anyway.
        del extra[PATHS]
    inference = fields.mapping(body, "inferenceConfig") or {}
    for name in inference.keys() - {"maxTokens", "temperature", "topP", "stopSequences"}:
        extra[f"inferenceConfig.{name}"] = inference[name]
    stream = fields.flag(body, "stream")
    tools, choice = _tools(body, extra)
    return Request(
        model=fields.required_text(body, "model"),
        turns=_turns(body),
        system=_system(body),
        max_tokens=fields.integer(inference, "maxTokens", "inferenceConfig", least=1),
        temperature=fields.number(inference, "temperature", "inferenceConfig"),
        top_p=fields.number(inference, "topP", "inferenceConfig"),
        stop=_stop(inference),
        tools=tools,
        tool_choice=choice,
        reasoning=_reasoning(body, extra),
        output=_output(body),
        stream=stream is None or stream,
        extra=extra,
    )


def _turns(body: dict[str, Any]) -> tuple[Turn, ...]:
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
        blocks = fields.objects(message, "content", path)
        turns.append(Turn(role, tuple(read_part(block, f"{path}.content.{n}") for n, block in enumerate(blocks))))
    return tuple(turns)


def _system(body: dict[str, Any]) -> tuple[TextPart, ...]:
    texts: list[TextPart] = []
    for i, block in enumerate(fields.objects(body, "system")):
        part = read_part(block, f"system.{i}")
        if not isinstance(part, TextPart):
            raise fields.refuse(f"system.{i}", "must be text")
        texts.append(part)
    return tuple(texts)


def _stop(inference: dict[str, Any]) -> tuple[str, ...]:
    stops = fields.array(inference, "stopSequences", "inferenceConfig") or []
    for i, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise fields.refuse(f"inferenceConfig.stopSequences.{i}", "must be a string")
    return tuple(stops)


def _tools(body: dict[str, Any], extra: dict[str, Any]) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """Return the client's own tools and the choice among them; what else stands there stays in ``extra``."""
    config = fields.mapping(body, "toolConfig") or {}
    tools: list[Tool] = []
    others: list[dict[str, Any]] = []
    for i, tool in enumerate(fields.objects(config, "tools", "toolConfig")):
        path = f"toolConfig.tools.{i}.toolSpec"
        described = fields.mapping(tool, "toolSpec", f"toolConfig.tools.{i}")
        if described is None:
            others.append(tool)
            continue
        schema = fields.mapping(described, "inputSchema", path) or {}
        tools.append(
            Tool(
                fields.required_text(described, "name", path),
                fields.mapping(schema, "json", f"{path}.inputSchema") or {"type": "object", "properties": {}},
                fields.text(described, "description", path),
                fields.flag(described, "strict", path),
            )
        )
    if others:
        extra["tools"] = others
    return tuple(tools), _choice(fields.mapping(config, "toolChoice", "toolConfig"))


def _choice(choice: dict[str, Any] | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case {"auto": _}:
            return ToolChoice("auto")
        case {"any": _}:
            return ToolChoice("any")
        case {"tool": {"name": str(name)}}:
            return ToolChoice("tool", name)
        case _:
            raise BadRequest("toolConfig.toolChoice: must be auto, any or a tool", param="toolConfig.toolChoice")


def _reasoning(body: dict[str, Any], extra: dict[str, Any]) -> Reasoning | None:
    """Return how much to think: an effort, and Anthropic's own setting, which the service passes on."""
    effort = fields.text(fields.mapping(body, "outputConfig") or {}, "effort", "outputConfig")
    own = fields.mapping(body, "additionalModelRequestFields") or {}
    rest = {name: value for name, value in own.items() if name != "thinking"}
    match own.get("thinking"):
        case {"type": "enabled", "budget_tokens": int(budget)}:
            found = Reasoning(effort=effort, budget=budget)
        case {"type": "adaptive"}:
            found = Reasoning(effort=effort, adaptive=True)
        case {"type": "disabled"}:
            found = Reasoning(enabled=False, effort=effort)
        case _:
            return None if effort is None else Reasoning(effort=effort)
    extra.pop("additionalModelRequestFields")
    if rest:
        extra["additionalModelRequestFields"] = rest
    return found


def _output(body: dict[str, Any]) -> OutputSchema | None:
    wanted = fields.mapping(fields.mapping(body, "outputConfig") or {}, "textFormat", "outputConfig")
    if wanted is None:
        return None
    path = "outputConfig.textFormat.structure"
    structure = fields.mapping(wanted, "structure", "outputConfig.textFormat") or {}
    described = fields.mapping(structure, "jsonSchema", path) or {}
    here = f"{path}.jsonSchema"
    try:
        schema = decode_any(fields.required_text(described, "schema", here))
    except JSON_ERRORS as error:
        raise fields.refuse(f"{here}.schema", f"must be the text of a JSON schema: {error}") from error
    return OutputSchema(
        fields.an_object(schema, f"{here}.schema"),
        fields.text(described, "name", here),
        description=fields.text(described, "description", here),
    )
