"""The dialect's own words beside the vocabulary's, each pair once.

Source: the types of Anthropic's Python SDK (``anthropic.types``, 2.12) and the API's pages on errors and on handling
stop reasons.
"""

from __future__ import annotations

from tailrace.events import ErrorKind, Finish, StopReason

NAME = "anthropic"
"""The dialect's name: in the configuration, and on data that only it can write."""

STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "tool_use": "tool_use",
    "refusal": "refusal",
    "pause_turn": "pause",
    "model_context_window_exceeded": "context_window",
    # Beta: the answer paused for its context to be compacted; the client sends it back to go on.
    "compaction": "pause",
}
"""``stop_reason`` → the vocabulary's word; any other is ``other``, kept in `Finish.native`."""

STOP_WORDS: dict[StopReason, str] = {
    # Reversed, so that the first of two words for one reason is the one that is written.
    **{reason: word for word, reason in reversed(STOP_REASONS.items())},
    # The SDKs tolerate words that they do not know; "end_turn" would claim a natural end.
    "other": "other",
}
"""The vocabulary's word → ``stop_reason``."""

ERROR_KINDS: dict[str, ErrorKind] = {
    "invalid_request_error": "invalid_request",
    "authentication_error": "authentication",
    "billing_error": "billing",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "conflict_error": "conflict",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "api_error": "upstream",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
}
"""``error.type`` → kind."""

ERROR_WORDS: dict[ErrorKind, str] = {kind: word for word, kind in ERROR_KINDS.items()}
"""Kind → ``error.type``; every other kind is an ``api_error``."""

RETRYABLE: frozenset[ErrorKind] = frozenset({"rate_limit", "overloaded", "timeout", "upstream"})
"""Kinds of a provider's error after which the same request may work."""

STATUS_KINDS: dict[int, ErrorKind] = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
"""HTTP status → kind, for an error body without a known ``type``."""

SERVER_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})
"""Types of block with which the model calls a tool that the provider runs."""

SERVER_RESULT_SUFFIX = "_tool_result"
"""End of the type of every block with such a tool's result (``web_search_tool_result``, ``mcp_tool_result`` …)."""

CITATION_SUFFIX = "_location"
"""End of the type of every citation (``char_location``, ``web_search_result_location`` …)."""


def stop_word(finish: Finish, *, refused: bool) -> str:
    """Return the ``stop_reason`` that says ``finish``: the provider's own word where it is one of these.

    ``refused`` is whether the answer has a refusal: this dialect says that here, and has no block for it.
    """
    if refused and finish.reason in {"end_turn", "other"}:
        return "refusal"
    native = finish.native
    if native is not None and STOP_REASONS.get(native, "other") == finish.reason:
        return native
    return STOP_WORDS[finish.reason]
