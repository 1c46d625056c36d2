"""What the caller asks for, as the request that the endpoint understands.

Messages, tools and options are written as Anthropic's Messages API has them, whoever answers: a relay takes them as
they are, another provider gets them translated. What that vocabulary does not know (``seed``, ``reasoning_effort``,
…) is passed to the provider under its own name.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from tailrace.client.endpoint import RELAY_DIALECT, Endpoint
from tailrace.client.opening import Opening
from tailrace.client.wishes import OnDisconnect, usable_key, wish_headers
from tailrace.dialects import DIALECTS, Reply
from tailrace.errors import BadRequest, ConfigError
from tailrace.events import Message
from tailrace.structured import shape

Messages: TypeAlias = str | Sequence[Mapping[str, Any] | Message]
"""A prompt, or the conversation: objects with ``role`` and ``content``, and answers as they were received."""

DEFAULT_MAX_TOKENS = 4096
"""Output tokens to ask for where a number is needed and the caller has none: the most that every model grants. A
budget for thinking comes on top, since the provider counts it in."""

_RELAY_PATH = "/v1/messages"


def opening(
    endpoint: Endpoint,
    *,
    model: str,
    messages: Messages,
    system: str | Sequence[Mapping[str, Any]] | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    output: Any = None,
    on_disconnect: OnDisconnect | None = None,
    idempotency_key: str | None = None,
    restarts: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Opening:
    """Return the request as a session begins with it.

    Raises `BadRequest` for what the provider cannot be asked, `ConfigError` for wishes that only a relay can grant.
    """
    if not endpoint.relay and (on_disconnect or idempotency_key or restarts):
        words = "on_disconnect, idempotency_key and restarts are for a Tailrace server"
        raise ConfigError(f"{endpoint.name} is a provider: {words}")
    asked = {
        "model": model,
        "messages": _turns(messages),
        "system": system,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "tools": list(tools) if tools else None,
    }
    body = {name: value for name, value in asked.items() if value is not None} | dict(extra or {})
    if output is not None:
        body["output_config"] = _output(body.get("output_config"), output)
    ignored: tuple[str, ...] = ()
    path = _RELAY_PATH
    if endpoint.dialect.name == RELAY_DIALECT:
        body = {"max_tokens": _limit(body), **body, "stream": True}
    else:
        body, ignored = _translated(endpoint, body, extra or {})
    if not endpoint.relay:
        path = endpoint.dialect.endpoint(model)
    return Opening(
        path=path,
        content=_json(body),
        ignored=ignored,
        request_id=uuid.uuid4().hex if idempotency_key is None else usable_key(idempotency_key),
        wishes=wish_headers(on_disconnect, restarts=restarts),
        output=output,
        schemas={str(tool.get("name")): tool["input_schema"] for tool in tools or () if "input_schema" in tool},
    )


def _output(config: Any, output: Any) -> dict[str, Any]:
    if isinstance(config, Mapping) and "format" in config:
        raise BadRequest("output and output_config.format say the same: give one", param="output")
    return {**(config or {}), "format": {"type": "json_schema", "schema": shape(output).asked}}


def _limit(body: Mapping[str, Any]) -> int:
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return DEFAULT_MAX_TOKENS + (budget if isinstance(budget, int) else 0)


def _translated(
    endpoint: Endpoint, body: dict[str, Any], extra: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    # The parser insists on a limit, as its API does; the provider need not.
    request = DIALECTS[RELAY_DIALECT].parse({"max_tokens": DEFAULT_MAX_TOKENS, **body})
    own = {name: value for name, value in request.extra.items() if name in extra}
    known = msgspec.structs.replace(
        request,
        stream=True,
        include_usage=True,
        max_tokens=request.max_tokens if "max_tokens" in body else None,
        extra={name: value for name, value in request.extra.items() if name not in own},
    )
    translation = endpoint.dialect.build(known)
    return {**endpoint.dialect.adapt(translation.body, endpoint.quirks), **own}, translation.ignored


def _turns(messages: Messages) -> list[Mapping[str, Any]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [_answered(turn) if isinstance(turn, Message) else turn for turn in messages]


def _answered(message: Message) -> dict[str, Any]:
    """Return an answer as the turn that it is in the next request."""
    whole = DIALECTS[RELAY_DIALECT].message_body(message, Reply(id="", model="", created=0))
    return {"role": "assistant", "content": whole["content"]}


def _json(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(f"the request has no JSON form: {error}") from error
