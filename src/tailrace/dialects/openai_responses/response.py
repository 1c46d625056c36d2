"""The response object, and the items in it, as they are written.

Clients with strict types demand fields that say what was asked (``tools``, ``tool_choice`` …); an encoder does not
know the request, so they have the API's defaults.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects.base import Reply
from tailrace.dialects.openai_responses.names import (
    NAME,
    finish_marks,
    foreign_redacted,
    foreign_signature,
    incomplete_reason,
    item_id,
    unseal,
)
from tailrace.dialects.openai_responses.usage import usage_marks, write_usage
from tailrace.events import BlockStart, Finish, Usage, UsageLabel

ANNOTATIONS = frozenset({"url_citation", "file_citation", "container_file_citation", "file_path"})
"""Types of citation that this dialect has."""

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}


def response(identity: str, model: str, reply: Reply, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a response object without usage or reasons."""
    return {
        "id": identity,
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def closed(begun: dict[str, Any], finish: Finish | None, usage: Usage, label: UsageLabel | None) -> dict[str, Any]:
    """Return the response ``begun``, whose output is whole, as it ends with ``finish``."""
    output = begun["output"]
    messages = (item for item in output if item.get("type") == "message")
    refused = any(part["type"] == "refusal" for message in messages for part in message["content"])
    called = any(item.get("type") == "function_call" for item in output)
    reason = incomplete_reason(finish, refused=refused)
    figures, placeholders = write_usage(usage)
    marks = {**finish_marks(finish, called=called, refused=refused), **usage_marks(label, placeholders)}
    return {
        **begun,
        "status": "completed" if reason is None else "incomplete",
        "incomplete_details": None if reason is None else {"reason": reason},
        "usage": figures,
        **({"tailrace": marks} if marks else {}),
    }


# ---- items ----------------------------------------------------------------------------------------------------


def own_fields(start: BlockStart) -> dict[str, Any]:
    """Return what a provider of this dialect said about the block's item beyond the usual."""
    return start.data if start.dialect == NAME and isinstance(start.data, dict) else {}


def identify(kind: str, given: dict[str, Any], reply: Reply, number: int, taken: set[str]) -> str:
    """Return the id of item ``number``: its provider's, unless another item has it."""
    identity = given.get("id")
    if not isinstance(identity, str) or not identity or identity in taken:
        identity = item_id(_PREFIXES[kind], reply, number)
    taken.add(identity)
    return identity


def message_item(identity: str, part: dict[str, Any] | None, status: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return a message with one content part, or none yet."""
    content = [] if part is None else [part]
    own = {"id": identity, "type": "message", "role": "assistant", "status": status, "content": content}
    return {**given, **own}


def content_part(kind: str, text: str, citations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the content part that holds ``text``; ``kind`` is its block's."""
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": citations, "logprobs": []}


def reasoning_item(
    identity: str, text: str, encrypted: str | None, status: str, given: dict[str, Any]
) -> dict[str, Any]:
    """Return a reasoning item whose summary is ``text``; without any it has no parts."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    own = {"id": identity, "type": "reasoning", "status": status, "summary": summary}
    return {**given, **own, **({} if encrypted is None else {"encrypted_content": encrypted})}


def call_item(
    identity: str, call: tuple[str, str], arguments: str, status: str, given: dict[str, Any]
) -> dict[str, Any]:
    """Return a function call; ``call`` is its call id and its name."""
    call_id, name = call
    own = {"id": identity, "type": "function_call", "status": status, "call_id": call_id, "name": name}
    return {**given, **own, "arguments": arguments}


def call_marks(signature: str | None) -> dict[str, Any]:
    """Return, as an object to merge, what a function call has no place for.

    Gemini signs calls, and wants the signature back: clients give back the items that they were given, with fields
    that they do not know.
    """
    return {} if signature is None else {"tailrace": {"signature": signature}}


def encrypted_content(signature: str | None) -> str | None:
    """Return the ``encrypted_content`` that says ``signature``."""
    if signature is None:
        return None
    found = unseal(signature)
    return foreign_signature(signature) if found is None else found[1]


def redacted_content(data: Any) -> str | None:
    """Return the ``encrypted_content`` that says redacted thinking; None where it is no text."""
    return foreign_redacted(data) if isinstance(data, str) else None


def annotation(citation: dict[str, Any]) -> dict[str, Any] | None:
    """Return ``citation`` as an annotation of this dialect; None where it is another's.

    Chat Completions has one of these types too, with its fields in an object of their own.
    """
    kind = citation.get("type")
    nested = citation.get("url_citation")
    if kind == "url_citation" and isinstance(nested, dict):
        return {"type": kind, **nested}
    return citation if isinstance(kind, str) and kind in ANNOTATIONS else None
