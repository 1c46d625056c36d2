"""The plain feed's request: a prompt or a conversation of texts, and what else a quick call needs.

``{"model", "prompt" | "messages": [{"role", "content"}], "system"?, "max_tokens"?, "temperature"?}``. An unknown
field is refused: there is no provider's documentation to look it up in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from tailrace.dialects import fields
from tailrace.dialects.base import Translation
from tailrace.errors import BadRequest
from tailrace.events import Request, TextPart, Turn

KNOWN = ("model", "prompt", "messages", "system", "max_tokens", "temperature", "stream")
"""The fields; ``stream`` false asks for the answer in one piece."""


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong."""
    body = fields.an_object(body, "body")
    _only(body, KNOWN)
    system = fields.text(body, "system")
    stream = fields.flag(body, "stream")
    return Request(
        model=fields.required_text(body, "model"),
        turns=_turns(body),
        system=(TextPart(system),) if system else (),
        max_tokens=fields.integer(body, "max_tokens", least=1),
        temperature=fields.number(body, "temperature"),
        stream=stream is None or stream,
    )


def _only(value: dict[str, Any], known: tuple[str, ...], path: str = "") -> None:
    for name in value:
        if name not in known:
            raise fields.refuse(fields.at(path, name), f"unknown field; known are {', '.join(known)}")


def _turns(body: dict[str, Any]) -> tuple[Turn, ...]:
    prompt = fields.text(body, "prompt")
    messages = fields.objects(body, "messages")
    if prompt and messages:
        raise fields.refuse("prompt", "cannot stand beside messages")
    if prompt:
        return (Turn("user", (TextPart(prompt),)),)
    if not messages:
        raise fields.refuse("prompt", "is required, or messages")
    return tuple(_turn(message, f"messages.{i}") for i, message in enumerate(messages))


def _turn(message: dict[str, Any], path: str) -> Turn:
    _only(message, ("role", "content"), path)
    content = TextPart(fields.required_text(message, "content", path))
    match fields.required_text(message, "role", path):
        case "user" | "assistant" | "system" as role:
            return Turn(role, (content,))
        case other:
            raise fields.refuse(f"{path}.role", f"{other!r} is not user, assistant or system")


def build(_request: Request) -> Translation:
    """Raise `BadRequest`: no provider speaks this dialect."""
    _no_provider()


def forward(_body: dict[str, Any], _model: str) -> dict[str, Any]:
    """Raise `BadRequest`: no provider speaks this dialect."""
    _no_provider()


def _no_provider() -> NoReturn:
    raise BadRequest("no provider speaks the plain dialect", code="unsupported_dialect")


def endpoint(_model: str) -> str:
    """Return the path of a relay's own door."""
    return "/stream"


def headers(key: str | None, _client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for a relay."""
    found = {"content-type": "application/json", "accept": "text/event-stream"}
    if key is not None:
        found["authorization"] = f"Bearer {key}"
    return found
