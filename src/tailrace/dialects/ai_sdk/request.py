"""The body of ``DefaultChatTransport`` to a `Request`.

``{id, messages, trigger, messageId?}``, and beside these what the application adds: ``model`` and the settings of
`tailrace.dialects.settings`. ``stream`` false asks for the message in one piece. What else the body has stays in
``extra`` by its name.

The answer goes on with the last message where that is the assistant's own (the results of client-side tools came in),
as the SDK's servers have it; `Request.echo` names that message, and the chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from tailrace.dialects import fields
from tailrace.dialects.ai_sdk.parts import is_tool, read_file, read_reasoning, read_tool, silent
from tailrace.dialects.base import Translation
from tailrace.dialects.settings import READ, read_settings
from tailrace.errors import BadRequest
from tailrace.events import Part, Request, TextPart, Turn

MAX_ID = 256
"""Longest id of a chat or a message, in characters: the SDK's own have 16, and a server keeps them."""

_READ = READ | {"id", "messages", "trigger", "messageId", "model", "stream"}


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong."""
    body = fields.an_object(body, "body")
    fields.text(body, "trigger")
    extra = {name: value for name, value in body.items() if name not in _READ and value is not None}
    settings = read_settings(body)
    messages = fields.objects(body, "messages")
    turns = _turns(messages, extra)
    if not turns:
        raise fields.refuse("messages", "is required, with something that a model can read")
    while turns and turns[0].role == "system":
        settings["system"] += tuple(part for part in turns.pop(0).parts if isinstance(part, TextPart))
    stream = fields.flag(body, "stream")
    return Request(
        model=fields.required_text(body, "model"),
        turns=tuple(turns),
        stream=stream is None or stream,
        extra=extra,
        echo=_echo(body, messages),
        **settings,
    )


def _echo(body: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, str]:
    found = {"chat": _id(body, "id"), "message": None}
    wanted, last = _id(body, "messageId"), len(messages) - 1
    for i, message in enumerate(messages):
        name = _id(message, "id", f"messages.{i}")
        if message["role"] == "assistant" and (i == last or (wanted is not None and name == wanted)):
            found["message"] = name
    return {name: value for name, value in found.items() if value}


def _id(value: dict[str, Any], name: str, path: str = "") -> str | None:
    found = fields.text(value, name, path)
    if found is not None and len(found) > MAX_ID:
        raise fields.refuse(fields.at(path, name), f"is longer than {MAX_ID} characters")
    return found


# ---- messages -------------------------------------------------------------------------------------------------


def _turns(messages: list[dict[str, Any]], extra: dict[str, Any]) -> list[Turn]:
    turns: list[Turn] = []
    for i, message in enumerate(messages):
        path = f"messages.{i}"
        role = fields.required_text(message, "role", path)
        if fields.array(message, "parts", path) is None:
            raise fields.refuse(f"{path}.parts", "is required")
        if role == "assistant":
            turns += _assistant(message, path, extra)
        elif role == "user":
            turns += _turn("user", _user(message, path, extra))
        elif role == "system":
            turns += _turn("system", _system(message, path))
        else:
            raise fields.refuse(f"{path}.role", f"{role!r} is not a role")
    return turns


def _turn(role: Any, parts: list[Part]) -> list[Turn]:
    """Return a turn of ``parts``; a message of nothing is none."""
    return [Turn(role, tuple(parts))] if parts else []


def _user(message: dict[str, Any], path: str, extra: dict[str, Any]) -> list[Part]:
    parts: list[Part] = []
    for i, part in enumerate(fields.objects(message, "parts", path)):
        here = f"{path}.parts.{i}"
        kind = fields.required_text(part, "type", here)
        if kind == "text":
            parts += _text(part, here)
        elif kind == "file":
            parts.append(read_file(part, here))
        elif not silent(kind):
            raise fields.refuse(f"{here}.type", f"{kind!r} cannot stand in a user's message")
        elif kind.startswith("data-"):
            extra.setdefault(f"messages.{kind}", True)
    return parts


def _system(message: dict[str, Any], path: str) -> list[Part]:
    texts: list[Part] = []
    for i, part in enumerate(fields.objects(message, "parts", path)):
        here = f"{path}.parts.{i}"
        if fields.required_text(part, "type", here) != "text":
            raise fields.refuse(f"{here}.type", "a system message has only text")
        texts += _text(part, here)
    return texts


def _text(part: dict[str, Any], path: str) -> list[Part]:
    text = fields.text(part, "text", path)
    if text is None:
        raise fields.refuse(fields.at(path, "text"), "is required")
    return [TextPart(text)] if text else []


def _assistant(message: dict[str, Any], path: str, extra: dict[str, Any]) -> list[Turn]:
    """Return one message as turns: each step with calls is followed by the results that came in for them."""
    turns: list[Turn] = []
    said: list[Part] = []
    results: list[Part] = []

    def step() -> None:
        nonlocal said, results
        turns.extend([*_turn("assistant", said), *_turn("user", results)])
        said, results = [], []

    for i, part in enumerate(fields.objects(message, "parts", path)):
        here = f"{path}.parts.{i}"
        kind = fields.required_text(part, "type", here)
        if kind == "step-start":
            step()
        elif kind == "text":
            said += _text(part, here)
        elif kind == "reasoning":
            thought = read_reasoning(part, here)
            said += [] if thought is None else [thought]
        elif is_tool(kind):
            pair = read_tool(part, kind, here, extra)
            if pair is not None:
                said.append(pair[0])
                results.append(pair[1])
        elif kind == "file":
            said.append(read_file(part, here))
        elif kind == "steering-message":
            step()
            turns.extend(_turn("user", _user(part, here, extra)))
        elif not silent(kind):
            # Files of a provider's reasoning, and kinds that only one provider has.
            extra.setdefault(f"messages.{kind}", True)
    step()
    return turns


# ---- providers: there are none --------------------------------------------------------------------------------


def build(_request: Request) -> Translation:
    """Raise `BadRequest`: no provider speaks this dialect."""
    _no_provider()


def forward(_body: dict[str, Any], _model: str) -> dict[str, Any]:
    """Raise `BadRequest`: no provider speaks this dialect."""
    _no_provider()


def _no_provider() -> NoReturn:
    raise BadRequest("no provider speaks the AI SDK's UI message stream", code="unsupported_dialect")


def endpoint(_model: str) -> str:
    """Return the path of a relay's own door."""
    return "/ui/chat"


def headers(key: str | None, _client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for a relay."""
    found = {"content-type": "application/json", "accept": "text/event-stream"}
    if key is not None:
        found["authorization"] = f"Bearer {key}"
    return found
