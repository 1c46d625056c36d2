"""The dialect's own words beside the vocabulary's, each once; and the names that a relay gives.

Source: the types of OpenAI's Python SDK (``openai.types.responses``, 3.54) and the API's reference of streaming events.
The words of its errors are those of Chat Completions (`tailrace.dialects.openai_chat`): it is the same server.
"""

from __future__ import annotations

from typing import Any, get_args

from tailrace.dialects.base import Reply
from tailrace.events import BlockKind, Finish, StopReason

NAME = "openai_responses"
"""The dialect's name: in the configuration, and on data that only it can write."""

INCOMPLETE_REASONS: dict[str, StopReason] = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}
"""``incomplete_details.reason`` → the vocabulary's word; any other is ``other``, kept in `Finish.native`."""

INCOMPLETE_WORDS: dict[StopReason, str] = {
    "max_tokens": "max_output_tokens",
    "refusal": "content_filter",
    # Of the words that clients know, only this one says that there would have been more.
    "context_window": "max_output_tokens",
    "pause": "max_output_tokens",
}
"""The vocabulary's word → ``incomplete_details.reason``; the other reasons are those of a ``completed`` response."""

STOP_REASONS: dict[str, StopReason] = {str(reason): reason for reason in get_args(StopReason)}
"""Values of ``tailrace.stop_reason``."""

ITEM_KINDS: dict[str, BlockKind] = {
    "code_interpreter_call": "server_tool_result",
    "file_search_call": "server_tool_result",
    "image_generation_call": "media",
    "mcp_call": "server_tool_result",
    "mcp_list_tools": "server_tool_result",
    "web_search_call": "server_tool_result",
}
"""Type of item → kind of the block that carries it whole: what the provider ran, call and result in one.

Any other type of item (a custom tool's call, a shell command for the client to run, one not yet known) is ``opaque``.
"""


def read_finish(reason: str | None, *, called: bool, refused: bool, tailrace: Any) -> Finish:
    """Return why the model stopped. ``reason`` is that of an incomplete response, None when it is complete.

    A complete response does not say whether it ended for a tool call or with a refusal: its items do.
    """
    native = reason or "completed"
    if reason is not None:
        found = INCOMPLETE_REASONS.get(reason, "other")
    else:
        found = "tool_use" if called else "refusal" if refused else "end_turn"
    marks = tailrace if isinstance(tailrace, dict) else {}
    marked, sequence = marks.get("stop_reason"), marks.get("stop_sequence")
    if isinstance(marked, str) and marked in STOP_REASONS:
        found = STOP_REASONS[marked]
    return Finish(found, sequence if isinstance(sequence, str) else None, native=native)


def incomplete_reason(finish: Finish | None, *, refused: bool) -> str | None:
    """Return the ``incomplete_details.reason`` that says ``finish``, None for a complete response."""
    if finish is None or (finish.reason == "refusal" and refused):
        return None
    if finish.reason == "other":
        # The provider's own word says more than a natural end that never was.
        return None if finish.native == "completed" else finish.native
    return INCOMPLETE_WORDS.get(finish.reason)


def finish_marks(finish: Finish | None, *, called: bool, refused: bool) -> dict[str, str]:
    """Return what a response's own words do not say of ``finish``, for its ``tailrace`` field."""
    if finish is None:
        return {}
    said = read_finish(incomplete_reason(finish, refused=refused), called=called, refused=refused, tailrace=None)
    marks = {} if said.reason == finish.reason else {"stop_reason": str(finish.reason)}
    return marks if finish.sequence is None else {**marks, "stop_sequence": finish.sequence}


# ---- names that a relay gives ---------------------------------------------------------------------------------

_MARK = "tailrace"
"""Stands in the id of an item that a relay wrote from another dialect's answer: its provider does not know it."""


def response_id(given: str, reply: Reply) -> str:
    """Return the response's id: the provider's where it is one of this dialect, else one that nobody can guess."""
    return given if given.startswith("resp_") else f"resp_{_stem(reply)}"


def item_id(prefix: str, reply: Reply, number: int) -> str:
    """Return an id for the item at ``number``; ``prefix`` is what OpenAI's own ids of its type begin with."""
    return f"{prefix}_{_MARK}_{_stem(reply)}_{number}"


def is_relays_own(identity: Any) -> bool:
    """Whether ``identity`` is one that `item_id` made."""
    return isinstance(identity, str) and identity.partition("_")[2].startswith(f"{_MARK}_")


def _stem(reply: Reply) -> str:
    _, _, rest = reply.id.partition("_")
    return rest or reply.id


# ---- reasoning that goes back to its provider -----------------------------------------------------------------

_SIGNATURE, _REDACTED = "tailrace:signature:", "tailrace:redacted:"


def seal(item: str, encrypted: str) -> str:
    """Return the signature of a reasoning item: its id and its cipher, both of which go back to its provider.

    It names the dialect, so that no other provider is sent it: they refuse a signature that is not theirs.
    """
    return f"{NAME}:{item if ':' not in item else ''}:{encrypted}"


def unseal(signature: str | None) -> tuple[str, str] | None:
    """Return id and cipher from a signature that `seal` made; None for one of another dialect."""
    dialect, _, rest = (signature or "").partition(":")
    if dialect != NAME:
        return None
    item, _, encrypted = rest.partition(":")
    return item, encrypted


def foreign_signature(signature: str) -> str:
    """Return the ``encrypted_content`` that carries another dialect's signature to a client and back."""
    return _SIGNATURE + signature


def foreign_redacted(data: str) -> str:
    """Return the ``encrypted_content`` that carries another dialect's redacted thinking to a client and back."""
    return _REDACTED + data


def read_foreign(encrypted: str) -> tuple[str | None, str | None]:
    """Return signature and redacted thinking that an ``encrypted_content`` carries; at most one is there."""
    if encrypted.startswith(_SIGNATURE):
        return encrypted.removeprefix(_SIGNATURE), None
    if encrypted.startswith(_REDACTED):
        return None, encrypted.removeprefix(_REDACTED)
    return None, None
