"""The dialect's own words beside the vocabulary's, each once.

Source: the types of OpenAI's Python SDK (``openai.types.chat``, 3.54) and the guide to its error codes; for the words
of other servers, their own answers.
"""

from __future__ import annotations

from typing import Any

from tailrace.events import Ending, ErrorKind, Finish, StopReason, UsageLabel

NAME = "openai_chat"
"""The dialect's name: in the configuration, and on data that only it can write."""

STOP_REASONS: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "model_length": "context_window",  # Mistral
    "eos_token": "end_turn",  # Text Generation Inference
    "stop_sequence": "stop_sequence",  # Text Generation Inference
}
"""``finish_reason`` → the vocabulary's word; any other is ``other``, kept in `Finish.native`."""

STOP_WORDS: dict[StopReason, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    # A paused turn is unfinished and can be continued: of the words that clients know, only this one says so.
    "pause": "length",
    "context_window": "length",
}
"""The vocabulary's word → ``finish_reason``, one of those that OpenAI's own clients know."""


def stop_word(finish: Finish) -> str:
    """Return the ``finish_reason`` that says ``finish``.

    For ``other`` the provider's own word, where there is one, says more than a natural end that never was.
    """
    return STOP_WORDS.get(finish.reason) or finish.native or "stop"


def annotation(citation: dict[str, Any]) -> dict[str, Any] | None:
    """Return ``citation`` as this dialect writes it; None where it is another's.

    Responses has the one type that this dialect has, with its fields outside.
    """
    if citation.get("type") != "url_citation":
        return None
    if "url_citation" in citation:
        return citation
    return {"type": "url_citation", "url_citation": {k: v for k, v in citation.items() if k != "type"}}


STATUS_KINDS: dict[int, ErrorKind] = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    415: "invalid_request",
    422: "invalid_request",
    429: "rate_limit",
    499: "cancelled",
    503: "overloaded",
    504: "timeout",
    524: "timeout",  # Cloudflare: the origin was too slow
    529: "overloaded",
}
"""HTTP status → kind. Others: below 500 ``invalid_request``, from 500 on ``upstream``."""

ERROR_KINDS: dict[str, ErrorKind] = {
    "invalid_request_error": "invalid_request",
    "invalid_request": "invalid_request",
    "badrequesterror": "invalid_request",  # vLLM
    "context_length_exceeded": "invalid_request",
    "authentication_error": "authentication",
    "invalid_api_key": "authentication",
    "invalid_authentication": "authentication",
    "permission_error": "permission",
    "permission_denied": "permission",
    "not_found_error": "not_found",
    "notfounderror": "not_found",  # vLLM
    "not_found": "not_found",
    "model_not_found": "not_found",
    "conflict_error": "conflict",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_reached": "rate_limit",
    "tokens": "rate_limit",  # OpenAI's ``type`` says what ran out
    "requests": "rate_limit",
    "insufficient_quota": "billing",
    "billing_error": "billing",
    "billing_hard_limit_reached": "billing",
    "overloaded_error": "overloaded",
    "overloaded": "overloaded",
    "engine_overloaded": "overloaded",
    "service_unavailable": "overloaded",
    "timeout_error": "timeout",
    "timeout": "timeout",
    "cancelled": "cancelled",
    "server_error": "upstream",
    "api_error": "upstream",
    "internal_error": "upstream",
    "internal_server_error": "upstream",
    "internalservererror": "upstream",  # vLLM
}
"""An error's ``code`` or ``type``, in lower case → kind."""

ERROR_WORDS: dict[ErrorKind, tuple[str, str]] = {
    "invalid_request": ("invalid_request_error", "invalid_request"),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "permission": ("permission_error", "permission_denied"),
    "not_found": ("invalid_request_error", "not_found"),
    "conflict": ("invalid_request_error", "conflict"),
    "too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "overloaded": ("server_error", "overloaded"),
    "timeout": ("server_error", "timeout"),
    "billing": ("insufficient_quota", "insufficient_quota"),
    "unreachable": ("server_error", "unreachable"),
    "upstream": ("server_error", "upstream_error"),
    "protocol": ("server_error", "upstream_protocol_error"),
    "truncated": ("server_error", "truncated"),
    # Not a server error: some clients repeat the whole request for one.
    "cancelled": ("cancelled", "cancelled"),
    "interrupted": ("server_error", "interrupted"),
    "internal": ("server_error", "internal_error"),
}
"""Kind → ``type`` and, where the provider gave no word of its own, ``code``."""

RETRYABLE: frozenset[ErrorKind] = frozenset(
    {"rate_limit", "overloaded", "timeout", "unreachable", "upstream", "truncated", "interrupted", "conflict"}
)
"""The kinds after which the same request may work; their statuses are those that OpenAI's own clients retry."""

ENDINGS: dict[str, Ending] = {
    "cancelled": "cancelled",
    "failed": "failed",
    "timed_out": "timed_out",
    "truncated": "truncated",
    "interrupted": "interrupted",
}
"""Endings that an error may have: ``completed`` is not among them, whatever the other side says."""

USAGE_LABELS: dict[str, UsageLabel] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}
"""Values of ``tailrace.usage_label``."""
