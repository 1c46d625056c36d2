"""The messages of a request, both ways.

Tool calls have an ``id``, and their results a ``tool_call_id``, only at newer servers and clients; the others go by
``tool_name`` and by order. The vocabulary goes by ids: those that are missing are made up from the calls' places, and
results find theirs.

Source: ``Message`` of Ollama's Python SDK, 0.6.3; ``api/types.go`` of its server.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.events import (
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    RedactedThinkingPart,
    RefusalPart,
    Request,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Turn,
)

_KNOWN = frozenset({"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"})

_MAGIC = (("iVBORw0KGgo", "image/png"), ("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp"))
"""How the base64 of an image begins → its media type, which this dialect does not say."""

_SOME_BYTES = "application/octet-stream"
"""Media type of an image of another kind: whoever must know it refuses it by this name."""


def read_messages(body: dict[str, Any], extra: dict[str, Any]) -> tuple[tuple[TextPart, ...], tuple[Turn, ...]]:
    """Return the instructions that the conversation begins with, and its turns."""
    messages = fields.objects(body, "messages")
    if not messages:
        raise fields.refuse("messages", "is required, with at least one message")
    system: list[TextPart] = []
    turns: list[Turn] = []
    waiting: list[ToolCallPart] = []
    for i, message in enumerate(messages):
        path = f"messages.{i}"
        for name, value in message.items():
            if name not in _KNOWN and value is not None:
                extra.setdefault(f"messages.{name}", value)
        match fields.required_text(message, "role", path):
            case "system":
                texts = _text(message, path)
                if turns:
                    turns.append(Turn("system", texts))
                else:
                    system += texts
            case "user":
                turns.append(Turn("user", (*_text(message, path), *_images(message, path))))
            case "assistant":
                parts = _assistant(message, i)
                waiting = [part for part in parts if isinstance(part, ToolCallPart)]
                turns.append(Turn("assistant", parts))
            case "tool":
                _add_result(turns, _result(message, path, i, waiting))
            case role:
                raise fields.refuse(f"{path}.role", f"{role!r} is not a role")
    return tuple(system), tuple(turns)


def _text(message: dict[str, Any], path: str) -> tuple[TextPart, ...]:
    content = fields.text(message, "content", path)
    return (TextPart(content),) if content else ()


def _images(message: dict[str, Any], path: str) -> tuple[ImagePart, ...]:
    images = fields.array(message, "images", path) or []
    for i, image in enumerate(images):
        if not isinstance(image, str) or not image:
            raise fields.refuse(f"{path}.images.{i}", "must be base64 text")
    return tuple(ImagePart(_media_type(image), image) for image in images)


def _media_type(data: str) -> str:
    return next((media_type for start, media_type in _MAGIC if data.startswith(start)), _SOME_BYTES)


def _assistant(message: dict[str, Any], i: int) -> tuple[Part, ...]:
    path = f"messages.{i}"
    parts: list[Part] = []
    if thinking := fields.text(message, "thinking", path):
        parts.append(ThinkingPart(thinking))
    parts += _text(message, path)
    parts += _images(message, path)
    for n, call in enumerate(fields.objects(message, "tool_calls", path)):
        here = f"{path}.tool_calls.{n}"
        function = fields.mapping(call, "function", here) or {}
        name = fields.required_text(function, "name", f"{here}.function")
        arguments = fields.mapping(function, "arguments", f"{here}.function")
        parts.append(ToolCallPart(fields.text(call, "id", here) or f"call_{i}_{n}", name, arguments or {}))
    return tuple(parts)


def _result(message: dict[str, Any], path: str, i: int, waiting: list[ToolCallPart]) -> ToolResultPart:
    """Return what a tool answered. The call is the one of that id, else the first unanswered one of that name."""
    name = fields.text(message, "tool_name", path) or None
    given = fields.text(message, "tool_call_id", path)
    found = next(
        (call for call in waiting if (call.id == given if given else name is None or call.name == name)),
        None,
    )
    if found is not None:
        waiting.remove(found)
    # A result without a call is one for the provider to judge: this dialect's own takes it.
    call_id = given or (found.id if found else f"call_{i}")
    name = name or (found.name if found else None)
    return ToolResultPart(call_id, (*_text(message, path), *_images(message, path)), name=name)


def _add_result(turns: list[Turn], result: ToolResultPart) -> None:
    """Add ``result``; all those of one assistant turn are one turn, as dialects that pair them up demand."""
    if turns and turns[-1].parts and isinstance(turns[-1].parts[-1], ToolResultPart):
        turns[-1] = Turn("user", (*turns[-1].parts, result))
    else:
        turns.append(Turn("user", (result,)))


# ---- to the provider ------------------------------------------------------------------------------------------


def build_messages(request: Request, ignored: list[str]) -> list[dict[str, Any]]:
    """Return the conversation as this dialect says it; raises `BadRequest` for a part that it cannot say."""
    messages: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    if request.system:
        messages.append({"role": "system", "content": _joined(part.text for part in request.system)})
    for i, turn in enumerate(request.turns):
        path = f"messages.{i}"
        results = [(n, part) for n, part in enumerate(turn.parts) if isinstance(part, ToolResultPart)]
        for n, part in results:
            # Results first, whatever their place in the turn: they must follow the calls that they answer.
            messages.append(_build_result(part, names, f"{path}.content.{n}", ignored))
        if len(results) < len(turn.parts) or not results:
            messages.append(_build_turn(turn, names, path, ignored))
    return messages


def _build_turn(turn: Turn, names: dict[str, str], path: str, ignored: list[str]) -> dict[str, Any]:
    texts: list[str] = []
    thinking: list[str] = []
    images: list[str] = []
    calls: list[dict[str, Any]] = []
    for n, part in enumerate(turn.parts):
        here = f"{path}.content.{n}"
        match part:
            case TextPart(text=text) | RefusalPart(text=text):
                texts.append(text)
            case ImagePart():
                images.append(_build_image(part, here, ignored))
            case ThinkingPart():
                thinking.append(part.text)
                if part.signature is not None:
                    ignored.append("thinking.signature")
            case RedactedThinkingPart():
                ignored.append("redacted_thinking")
            case ToolCallPart():
                names[part.id] = part.name
                calls.append(_build_call(part, here))
            case ToolResultPart():
                continue
            case FilePart():
                raise fields.refuse(here, "a document cannot be sent to an ollama provider")
            case OpaquePart(kind=kind):
                raise fields.refuse(here, f"a part of type {kind!r} cannot be sent to an ollama provider")
    message: dict[str, Any] = {"role": turn.role, "content": _joined(texts)}
    optional = {"thinking": "".join(thinking), "images": images, "tool_calls": calls}
    message.update((name, value) for name, value in optional.items() if value)
    return message


def _build_call(part: ToolCallPart, path: str) -> dict[str, Any]:
    if not isinstance(part.input, dict):
        raise fields.refuse(path, "the input of a tool call must be an object for an ollama provider")
    return {"id": part.id, "function": {"name": part.name, "arguments": part.input}}


def _build_result(part: ToolResultPart, names: dict[str, str], path: str, ignored: list[str]) -> dict[str, Any]:
    texts: list[str] = []
    images: list[str] = []
    for inner in part.parts:
        if isinstance(inner, TextPart):
            texts.append(inner.text)
        elif isinstance(inner, ImagePart):
            images.append(_build_image(inner, path, ignored))
        else:
            raise fields.refuse(path, "a document cannot be sent to an ollama provider")
    if part.is_error:
        ignored.append("tool_result.is_error")
    message: dict[str, Any] = {"role": "tool", "content": _joined(texts), "tool_call_id": part.tool_call_id}
    name = part.name or names.get(part.tool_call_id)
    optional = {"tool_name": name, "images": images}
    message.update((field, value) for field, value in optional.items() if value)
    return message


def _build_image(part: ImagePart, path: str, ignored: list[str]) -> str:
    if part.data is None:
        raise fields.refuse(path, "an image by URL cannot be sent to an ollama provider: it takes base64 only")
    if part.detail is not None:
        ignored.append("image_url.detail")
    return part.data


def _joined(texts: Any) -> str:
    """Return several texts as the one string that a message has, a blank line between two."""
    return "\n\n".join(texts)
