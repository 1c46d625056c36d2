"""The dialect's own words beside the vocabulary's, each once.

Source: the types of Google's Python SDK (``google.genai.types``, 3.4); for the status words, ``google.rpc.Code``.
"""

from __future__ import annotations

import re

from tailrace.events import ErrorKind, Finish, StopReason

NAME = "gemini"
"""The dialect's name: in the configuration, and on data that only it can write."""

_WORD = re.compile(r"[A-Z][A-Z_]+")

UNSPECIFIED = frozenset({"FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"})
"""Words that say that nothing is said: the zeros of their enumerations."""

STOP_REASONS: dict[str, StopReason] = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "other",
    "OTHER": "other",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "MALFORMED_FUNCTION_CALL": "other",
    "IMAGE_SAFETY": "refusal",
    "IMAGE_PROHIBITED_CONTENT": "refusal",
    "IMAGE_OTHER": "other",
    "NO_IMAGE": "other",
    "IMAGE_RECITATION": "refusal",
    "UNEXPECTED_TOOL_CALL": "other",
    "TOO_MANY_TOOL_CALLS": "other",
    "MISSING_THOUGHT_SIGNATURE": "other",
    "MALFORMED_RESPONSE": "other",
    "ESCALATION": "other",
    "PUP_LIMITED_DISABLED": "other",
    "MODEL_ARMOR": "refusal",
    # The answer is unfinished, and the client asks for the rest with the token that comes with this word.
    "CONTINUATION": "pause",
}
"""``finishReason`` → the vocabulary's word; any other is ``other``, kept in `Finish.native`."""

STOP_WORDS: dict[StopReason, str] = {
    "end_turn": "STOP",
    "stop_sequence": "STOP",
    "tool_use": "STOP",
    "max_tokens": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    # Not CONTINUATION: at that word Google's SDKs ask again, with a token that nobody gave them.
    "pause": "MAX_TOKENS",
    "refusal": "SAFETY",
    "other": "OTHER",
}
"""The vocabulary's word → ``finishReason``."""


def stop_word(finish: Finish, *, refused: bool = False, cut: bool = False) -> str:
    """Return the ``finishReason`` that says ``finish``: the provider's own word where it is one of these.

    ``refused`` is whether the answer has a refusal, for which this dialect has no other word; ``cut`` whether it has
    a tool call that could not be written, because its arguments are no JSON object.
    """
    if refused and finish.reason in {"end_turn", "other"}:
        return STOP_WORDS["refusal"]
    if cut and finish.reason in {"tool_use", "end_turn"}:
        return "MALFORMED_FUNCTION_CALL"
    native, word = finish.native or "", STOP_WORDS[finish.reason]
    if STOP_REASONS.get(native) == finish.reason or (finish.reason == "other" and _WORD.fullmatch(native)):
        # A word that is new here is passed on too: only this dialect writes its words in capitals.
        return native
    return word


ERROR_KINDS: dict[str, ErrorKind] = {
    "INVALID_ARGUMENT": "invalid_request",
    "FAILED_PRECONDITION": "invalid_request",
    "OUT_OF_RANGE": "invalid_request",
    "UNIMPLEMENTED": "invalid_request",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "ALREADY_EXISTS": "conflict",
    "ABORTED": "conflict",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "CANCELLED": "cancelled",
    "INTERNAL": "upstream",
    "UNKNOWN": "upstream",
    "DATA_LOSS": "upstream",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
}
"""``error.status`` → kind."""

ERROR_WORDS: dict[ErrorKind, str] = {
    "invalid_request": "INVALID_ARGUMENT",
    "authentication": "UNAUTHENTICATED",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "conflict": "ABORTED",
    "too_large": "INVALID_ARGUMENT",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "overloaded": "UNAVAILABLE",
    "timeout": "DEADLINE_EXCEEDED",
    "billing": "FAILED_PRECONDITION",
    "unreachable": "UNAVAILABLE",
    "upstream": "INTERNAL",
    "protocol": "INTERNAL",
    "truncated": "UNAVAILABLE",
    "cancelled": "CANCELLED",
    "interrupted": "UNAVAILABLE",
    "internal": "INTERNAL",
}
"""Kind → ``error.status``."""
