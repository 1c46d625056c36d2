"""``RunAgentInput`` to a `Request`.

The model and the other settings of `tailrace.dialects.settings` are in ``forwardedProps``, where an application puts
what the protocol has no field for; ``model`` may also stand beside ``threadId``. What else ``forwardedProps`` has stays
in ``extra`` by its name.

``context`` is told to the model as instructions, one text for each entry. ``state`` belongs to agents that change it,
and is listed as left out when there is any; so are activities, which the protocol calls no part of the conversation.
Answers to interrupts are refused: nothing here ever asks. Calls without a result are left out, since providers refuse
a conversation that has one, and so is what a provider's own tool was asked and found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from tailrace.dialects import fields
from tailrace.dialects.ag_ui.parts import Answered, read_call, read_content, read_reasoning, read_result
from tailrace.dialects.base import Translation
from tailrace.dialects.settings import READ, read_settings, read_tool
from tailrace.errors import BadRequest
from tailrace.events import Part, Request, TextPart, ToolResultPart, Turn

MAX_ID = 256
"""Longest id of a thread or run, in characters: a UUID has 36."""

_NAMES = {"thread": "threadId", "run": "runId", "parent": "parentRunId"}
"""Name in `Request.echo` → field."""


def parse(body: dict[str, Any]) -> Request:
    """Return what ``body`` asks for; raise `BadRequest` naming the field that is wrong."""
    body = fields.an_object(body, "body")
    props = fields.mapping(body, "forwardedProps") or {}
    if fields.array(body, "resume"):
        raise fields.refuse("resume", "nothing here asks for an answer to an interrupt")
    extra = {name: value for name, value in props.items() if name not in READ | {"model"} and value is not None}
    if body.get("state"):
        extra["RunAgentInput.state"] = body["state"]
    settings = read_settings(props, "forwardedProps")
    tools = tuple(read_tool(tool, f"tools.{i}") for i, tool in enumerate(fields.objects(body, "tools")))
    settings["tools"] = tools or settings["tools"]
    system, turns = _messages(body, extra)
    if not turns:
        raise fields.refuse("messages", "is required, with something that a model can read")
    settings["system"] += (*system, *_context(body))
    stream = fields.flag(body, "stream")
    return Request(
        model=fields.text(props, "model", "forwardedProps") or fields.required_text(body, "model"),
        turns=turns,
        stream=stream is None or stream,
        extra=extra,
        echo=_echo(body),
        **settings,
    )


def _echo(body: dict[str, Any]) -> dict[str, str]:
    found = {name: fields.text(body, field) for name, field in _NAMES.items()}
    for name in ("thread", "run"):
        fields.required_text(body, _NAMES[name])
    for name, value in found.items():
        if value is not None and len(value) > MAX_ID:
            raise fields.refuse(_NAMES[name], f"is longer than {MAX_ID} characters")
    return {name: value for name, value in found.items() if value}


def _context(body: dict[str, Any]) -> tuple[TextPart, ...]:
    texts = []
    for i, entry in enumerate(fields.objects(body, "context")):
        path = f"context.{i}"
        description, value = fields.text(entry, "description", path), fields.text(entry, "value", path)
        texts.append(TextPart(": ".join(text for text in (description, value) if text)))
    return tuple(text for text in texts if text.text)


# ---- messages -------------------------------------------------------------------------------------------------


def _messages(body: dict[str, Any], extra: dict[str, Any]) -> tuple[tuple[TextPart, ...], tuple[Turn, ...]]:
    """Return the instructions that the conversation begins with, and its turns.

    A turn of the assistant's is all its messages up to somebody else's, reasoning among them; the results that follow
    it are one turn, as providers demand it.
    """
    messages = fields.objects(body, "messages")
    answered = Answered(messages)
    system: list[TextPart] = []
    turns: list[Turn] = []
    for i, message in enumerate(messages):
        path = f"messages.{i}"
        role = fields.required_text(message, "role", path)
        if role in {"system", "developer"}:
            texts = [part for part in read_content(message, path) if isinstance(part, TextPart)]
            if turns:
                _add(turns, "system", texts)
            else:
                system += texts
        elif role == "user":
            turns += [Turn("user", tuple(parts))] if (parts := read_content(message, path)) else []
        elif role == "assistant":
            _add(turns, "assistant", _assistant(message, path, answered, extra))
        elif role == "reasoning":
            thought = read_reasoning(message, path)
            _add(turns, "assistant", [] if thought is None else [thought])
        elif role == "tool":
            if answered.result(fields.required_text(message, "toolCallId", path)):
                _add(turns, "user", [read_result(message, path)])
        elif role == "activity":
            extra.setdefault("messages.activity", True)
        else:
            raise fields.refuse(f"{path}.role", f"{role!r} is not a role")
    return tuple(system), tuple(turns)


def _add(turns: list[Turn], role: Any, parts: list[Any]) -> None:
    """Add ``parts`` to the last turn where they belong to it, else as a turn of their own."""
    if not parts:
        return
    last = turns[-1] if turns else None
    results = last is not None and isinstance(last.parts[-1], ToolResultPart)
    if last is not None and last.role == role and (role == "assistant" or (results and role == "user")):
        turns[-1] = Turn(role, (*last.parts, *parts))
    else:
        turns.append(Turn(role, tuple(parts)))


def _assistant(message: dict[str, Any], path: str, answered: Answered, extra: dict[str, Any]) -> list[Part]:
    parts: list[Part] = [*read_content(message, path)]
    for i, call in enumerate(fields.objects(message, "toolCalls", path)):
        here = f"{path}.toolCalls.{i}"
        why = answered.call(fields.required_text(call, "id", here))
        if why is None:
            parts.append(read_call(call, here))
        else:
            extra.setdefault(why, True)
    return parts


# ---- providers: there are none --------------------------------------------------------------------------------


def build(_request: Request) -> Translation:
    """Raise `BadRequest`: no provider speaks this dialect."""
    _no_provider()


def forward(_body: dict[str, Any], _model: str) -> dict[str, Any]:
    """Raise `BadRequest`: no provider speaks this dialect."""
    _no_provider()


def _no_provider() -> NoReturn:
    raise BadRequest("no provider speaks AG-UI", code="unsupported_dialect")


def endpoint(_model: str) -> str:
    """Return the path of a relay's own door."""
    return "/ag-ui"


def headers(key: str | None, _client: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for a relay."""
    found = {"content-type": "application/json", "accept": "text/event-stream"}
    if key is not None:
        found["authorization"] = f"Bearer {key}"
    return found
