"""The turns of a `Request` to contents.

A result names its function here, where other dialects only give the call's id; and instructions have one place, not
one among the turns. Gemini 3 refuses a call of an earlier turn that comes back without the signature it had; for
calls that never had one, because another provider made them or the client's dialect could not carry it, Google's
page on thought signatures names a word to put in its place.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects import fields
from tailrace.dialects.gemini.names import NAME
from tailrace.dialects.marks import foreign_signature
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

UNSIGNED = "skip_thought_signature_validator"
"""The word for a call that has no signature (ai.google.dev/gemini-api/docs/thought-signatures)."""

_MEDIA_TYPES = {
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""End of an address → media type: a file by its address needs one, and other dialects do not say it."""


class Names:
    """The names of the functions that a conversation has called, by the ids of the calls."""

    __slots__ = ("_names",)

    def __init__(self, turns: tuple[Turn, ...]) -> None:
        calls = (part for turn in turns for part in turn.parts if isinstance(part, ToolCallPart))
        self._names = {call.id: call.name for call in calls}

    def of(self, result: ToolResultPart, path: str) -> str:
        """Return the function whose call ``result`` answers; raise `BadRequest` when no turn before it called one."""
        name = result.name or self._names.get(result.tool_call_id)
        if name is None:
            raise fields.refuse(path, f"no call has the id {result.tool_call_id[:80]!r}")
        return name


def build_contents(
    request: Request, names: Names, ignored: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the parts of ``systemInstruction``, and ``contents``."""
    system = [{"text": part.text} for part in request.system if part.text]
    contents: list[dict[str, Any]] = []
    for i, turn in enumerate(request.turns):
        path = f"messages.{i}"
        if turn.role == "system":
            # There is one place for instructions, and a user's words have less weight.
            if contents:
                ignored.append("messages.position_of_system")
            system += _texts(turn, path)
            continue
        built = [(part, build_part(part, f"{path}.content.{j}", names, ignored)) for j, part in enumerate(turn.parts)]
        # Results first, whatever their place in the turn: they must follow the calls that they answer.
        built.sort(key=lambda pair: not isinstance(pair[0], ToolResultPart))
        parts = [part for _, part in built if part is not None]
        if turn.role == "assistant":
            _sign(parts)
        if not parts:
            continue
        role = "model" if turn.role == "assistant" else "user"
        if contents and _only_results(contents[-1]) and all("functionResponse" in part for part in parts):
            # All results of one turn's calls must be in the one content after it.
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    if not contents:
        raise fields.refuse("messages", "a gemini provider needs at least one message with content")
    return system, contents


def _only_results(content: dict[str, Any]) -> bool:
    return all("functionResponse" in part for part in content["parts"])


def _texts(turn: Turn, path: str) -> list[dict[str, Any]]:
    texts: list[dict[str, Any]] = []
    for i, part in enumerate(turn.parts):
        if not isinstance(part, TextPart):
            raise fields.refuse(f"{path}.content.{i}", "must be text")
        if part.text:
            texts.append({"text": part.text})
    return texts


def _sign(parts: list[dict[str, Any]]) -> None:
    """Sign a turn's first call where it is not: of parallel ones only the first has a signature."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", UNSIGNED)


def build_part(part: Part, path: str, names: Names, ignored: list[str]) -> dict[str, Any] | None:
    """Return the part that says ``part``; None for one that may be left out, which is then in ``ignored``."""
    match part:
        case TextPart(text=text) | RefusalPart(text=text):
            return {"text": text} if text else None
        case ImagePart() | FilePart():
            return _file(part, path, ignored)
        case ThinkingPart(text=text, signature=str(signature)) if not foreign_signature(signature):
            return {"text": text, "thought": True, "thoughtSignature": signature}
        case ThinkingPart() | RedactedThinkingPart():
            # Without a signature it is of no use to the model, and of another provider it cannot read it.
            ignored.append("thinking")
            return None
        case ToolCallPart(id=identity, name=name, input=dict(value), signature=signature):
            call: dict[str, Any] = {"functionCall": {"id": identity, "name": name, "args": value}}
            ours = signature is not None and not foreign_signature(signature)
            return {**call, "thoughtSignature": signature} if ours else call
        case ToolCallPart():
            raise fields.refuse(path, "the input of a tool call must be an object for a gemini provider")
        case ToolResultPart():
            return _result(part, path, names)
        case OpaquePart(dialect=dialect, data=dict(data)) if dialect == NAME:
            return data
        case OpaquePart(kind=kind):
            raise fields.refuse(path, f"a part of type {kind!r} cannot be sent to a gemini provider")


def _file(part: ImagePart | FilePart, path: str, ignored: list[str]) -> dict[str, Any]:
    name = None
    if isinstance(part, FilePart):
        if part.file_id is not None:
            raise fields.refuse(path, "a file of another provider cannot be sent to a gemini provider")
        name = part.name
    elif part.detail is not None:
        ignored.append("image_url.detail")
    media_type, url = part.media_type, part.url
    if part.data is not None:
        if media_type is None:
            raise fields.refuse(path, "data needs a media type for a gemini provider")
        # Only Vertex AI takes a name beside the data.
        return {"inlineData": {"mimeType": media_type, "data": part.data}}
    if url is None:
        raise fields.refuse(path, "needs data or a URL")
    end = url.partition("?")[0].lower()
    media_type = media_type or next((kind for suffix, kind in _MEDIA_TYPES.items() if end.endswith(suffix)), None)
    file = {"fileUri": url} if media_type is None else {"mimeType": media_type, "fileUri": url}
    return {"fileData": file if name is None else {**file, "displayName": name}}


def _result(part: ToolResultPart, path: str, names: Names) -> dict[str, Any]:
    texts = [inner.text for inner in part.parts if isinstance(inner, TextPart)]
    media = [_result_media(inner, path) for inner in part.parts if not isinstance(inner, TextPart)]
    response: dict[str, Any] = {
        "id": part.tool_call_id,
        "name": names.of(part, path),
        # Several texts stay apart: nobody knows what would be lost if they were glued together.
        "response": {"error" if part.is_error else "output": texts if len(texts) > 1 else "".join(texts)},
    }
    return {"functionResponse": {**response, "parts": media} if media else response}


def _result_media(part: ImagePart | FilePart, path: str) -> dict[str, Any]:
    if part.data is None or part.media_type is None:
        raise fields.refuse(path, "a tool's result can only hold text, or data with a media type")
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
