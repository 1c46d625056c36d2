"""Content blocks of an answer, both ways.

A block of a type that the vocabulary has no word for is carried whole, as ``opaque``: only this dialect can write
it. What the vocabulary's blocks have no field for (``caller``, an MCP tool's ``server_name``) rides in their
``data``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tailrace.dialects.anthropic.names import CITATION_SUFFIX, NAME, SERVER_CALLS, SERVER_RESULT_SUFFIX
from tailrace.dialects.anthropic.wire import decode_any
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    Block,
    BlockStart,
    CitationDelta,
    Event,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    SignatureDelta,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolCall,
)

_CALL_TYPES = {"tool_call": "tool_use", "server_tool_call": "server_tool_use"}
"""Kind of call → the type of block that says it when nothing else is known."""


class Opening(NamedTuple):
    """What the opening of a block says, and the tool input that came with it.

    ``input`` is JSON text, "" for none. Some servers send a call's input whole, with the opening; as fragments that
    follow replace it, it counts only when the block stops without any.
    """

    events: tuple[Event, ...]
    input: str = ""


class _Input(msgspec.Struct):
    input: msgspec.Raw


_read_input = msgspec.json.Decoder(_Input).decode


def read_block(raw: msgspec.Raw, index: int) -> Opening:
    """Return what a ``content_block`` says, for the block ``index`` of the vocabulary.

    Raises `RemoteProtocolError` for a block that is not an object with a type, or lacks what its type requires.
    """
    block = decode_any(raw)
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str):
        raise RemoteProtocolError("an anthropic content block is not an object with a type")
    if kind in SERVER_CALLS:
        return _call(block, raw, index)
    if kind.endswith(SERVER_RESULT_SUFFIX):
        call = block.get("tool_use_id")
        identity = call if isinstance(call, str) else None
        return Opening((BlockStart(index, "server_tool_result", id=identity, data=block, dialect=NAME),))
    return _READERS.get(kind, _opaque)(block, raw, index)


def _text(block: dict[str, Any], _raw: msgspec.Raw, index: int) -> Opening:
    events: list[Event] = [BlockStart(index, "text")]
    if text := _string(block, "text", ""):
        events.append(TextDelta(index, text))
    citations = block.get("citations") or []
    if not isinstance(citations, list) or not all(isinstance(citation, dict) for citation in citations):
        raise RemoteProtocolError("the citations of an anthropic text block are not a list of objects")
    events += [CitationDelta(index, citation) for citation in citations]
    return Opening(tuple(events))


def _thinking(block: dict[str, Any], _raw: msgspec.Raw, index: int) -> Opening:
    events: list[Event] = [BlockStart(index, "thinking")]
    if text := _string(block, "thinking", ""):
        events.append(ThinkingDelta(index, text))
    if signature := _string(block, "signature", ""):
        events.append(SignatureDelta(index, signature))
    return Opening(tuple(events))


def _redacted(block: dict[str, Any], _raw: msgspec.Raw, index: int) -> Opening:
    return Opening((BlockStart(index, "redacted_thinking", data=_string(block, "data"), dialect=NAME),))


def _call(block: dict[str, Any], raw: msgspec.Raw, index: int) -> Opening:
    kind = "tool_call" if block["type"] == "tool_use" else "server_tool_call"
    beyond = {name: value for name, value in block.items() if name not in {"id", "name", "input"}}
    plain = beyond == {"type": _CALL_TYPES[kind]}
    start = BlockStart(
        index,
        kind,  # type: ignore[arg-type]
        _string(block, "id"),
        _string(block, "name"),
        data=None if plain else beyond,
        dialect=None if plain else NAME,
    )
    return Opening((start,), bytes(_read_input(raw).input).decode() if block.get("input") else "")


def _opaque(block: dict[str, Any], _raw: msgspec.Raw, index: int) -> Opening:
    return Opening((BlockStart(index, "opaque", data=block, dialect=NAME),))


_READERS: dict[str, Callable[[dict[str, Any], msgspec.Raw, int], Opening]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _call,
}


def _string(block: dict[str, Any], name: str, default: str | None = None) -> str:
    value = block.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{name!r} of an anthropic {block['type']} block is not a string")
    return value


def write_start(start: BlockStart, spare_id: str) -> dict[str, Any] | None:
    """Return the ``content_block`` that opens ``start``'s block, or None where this dialect has no word for it.

    ``spare_id`` is for a call whose provider gave none: clients answer it by its id.
    """
    kind = start.kind
    if kind in {"text", "refusal"}:
        return {"type": "text", "text": ""}
    if kind == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    ours = start.dialect in {None, NAME}
    if kind == "tool_call" or (kind == "server_tool_call" and ours):
        # A call of the client's own tool is the same in every dialect.
        call = {"type": _CALL_TYPES[kind], "id": start.id or spare_id, "name": start.name or "", "input": {}}
        return _with_rest(call, start.data) if start.dialect == NAME else call
    if kind == "redacted_thinking":
        return _write_redacted(start.data) if ours else None
    return _write_own(start.data) if start.dialect == NAME else None


def write_block(block: Block, spare_id: str) -> dict[str, Any] | None:
    """Return ``block``, as it stands in a whole message, or None where this dialect has no word for it."""
    match block:
        case TextBlock(text=text, citations=citations):
            known = [citation for citation in citations if is_citation(citation)]
            return {"type": "text", "text": text, **({"citations": known} if known else {})}
        case ThinkingBlock(text=text, signature=signature):
            return {"type": "thinking", "thinking": text, "signature": signature or ""}
        case RedactedThinkingBlock(data=data):
            return _write_redacted(data)
        case RefusalBlock(text=text):
            return {"type": "text", "text": text}
        case ToolCall():
            return _whole_call(block, spare_id)
        case OtherBlock(data=data, dialect=dialect):
            return _whole_own(data) if dialect == NAME else None


def _whole_call(call: ToolCall, spare_id: str) -> dict[str, Any] | None:
    if call.server and call.dialect not in {None, NAME}:
        return None
    kind = "server_tool_call" if call.server else "tool_call"
    value = call.input if call.complete else {}
    block = {"type": _CALL_TYPES[kind], "id": call.id or spare_id, "name": call.name, "input": value}
    if call.dialect == NAME:
        block = _with_rest(block, call.data)
    # An input that broke off must not pass for an empty one.
    return block if call.complete else {**block, "tailrace": {"complete": False}}


def _whole_own(data: Any) -> dict[str, Any] | None:
    if not isinstance(data, dict) or data.keys() != {"start", "deltas"}:
        return _write_own(data)
    block = _write_own(data["start"])
    if block is None:
        return None
    if block["type"] == "compaction":
        # Its deltas replace its fields.
        for delta in data["deltas"]:
            block = {**block, **(delta if isinstance(delta, dict) else {}), "type": "compaction"}
        return block
    # The block grew by deltas that nothing here can add up: they go on beside it.
    return {**block, "tailrace": {"deltas": data["deltas"]}}


def _with_rest(call: dict[str, Any], rest: Any) -> dict[str, Any]:
    """Return ``call`` with what this dialect says about it beyond id, name and input."""
    if not isinstance(rest, dict):
        return call
    kind = rest.get("type")
    both_server = call["type"] in SERVER_CALLS and kind in SERVER_CALLS
    return {**call, **rest, "type": kind if both_server else call["type"]}


def _write_redacted(data: Any) -> dict[str, Any] | None:
    return {"type": "redacted_thinking", "data": data} if isinstance(data, str) else None


def _write_own(data: Any) -> dict[str, Any] | None:
    return data if isinstance(data, dict) and isinstance(data.get("type"), str) else None


def is_citation(citation: dict[str, Any]) -> bool:
    """Whether ``citation`` is one of this dialect; others have other types and fields."""
    kind = citation.get("type")
    return isinstance(kind, str) and kind.endswith(CITATION_SUFFIX)
