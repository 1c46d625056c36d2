"""Errors of this dialect, both ways: HTTP error bodies and error objects in a stream.

What is written carries, beside the ``error`` that every client reads, a field ``tailrace`` with what the dialect has
no word for; clients ignore fields they do not know, and our own reads it back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.openai_chat.chunks import decode_any
from tailrace.events import ERROR_STATUS, Ending, Error, ErrorKind, UsageLabel

KIND_BY_STATUS: dict[int, ErrorKind] = {
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

KIND_BY_WORD: dict[str, ErrorKind] = {
    "invalid_request_error": "invalid_request",
    "invalid_request": "invalid_request",
    "badrequesterror": "invalid_request",
    "context_length_exceeded": "invalid_request",
    "authentication_error": "authentication",
    "invalid_api_key": "authentication",
    "invalid_authentication": "authentication",
    "permission_error": "permission",
    "permission_denied": "permission",
    "not_found_error": "not_found",
    "notfounderror": "not_found",
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
    "server_error": "upstream",
    "api_error": "upstream",
    "internal_error": "upstream",
    "internal_server_error": "upstream",
    "internalservererror": "upstream",
}
"""An error's ``code`` or ``type``, in lower case → kind."""

RETRYABLE: frozenset[ErrorKind] = frozenset(
    {"rate_limit", "overloaded", "timeout", "unreachable", "upstream", "truncated", "interrupted", "conflict"}
)
"""The kinds after which the same request may work; the statuses are those that OpenAI's own clients retry."""

WORDS: dict[ErrorKind, tuple[str, str]] = {
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

MAX_BODY = 64 * 1024
"""Most bytes of an error body that are read: real ones are below 2 KiB, an HTML error page below 64."""

MAX_MESSAGE = 2_000
"""Most characters of a message that is passed on; what a person reads is shorter."""

MAX_RETRY_AFTER = 7 * 24 * 3600
"""Most seconds that a ``retry_after`` may ask for; a larger number is a mistake."""

ENDINGS: dict[str, Ending] = {
    "cancelled": "cancelled",
    "failed": "failed",
    "timed_out": "timed_out",
    "truncated": "truncated",
    "interrupted": "interrupted",
}
"""Endings that an error may have: ``completed`` is not among them, whatever the other side says."""

_KINDS: dict[str, ErrorKind] = {str(kind): kind for kind in ERROR_STATUS}  # type: ignore[misc]
_LABELS: dict[str, UsageLabel] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}


def error_object(error: Error) -> dict[str, Any]:
    """Return the object that says ``error``: the data of a stream's error event, and an HTTP error's body."""
    kind, default = WORDS[error.kind]
    found = error.data.get("param") if isinstance(error.data, dict) else None
    marks = {"ending": error.ending, "retryable": error.retryable, "kind": error.kind}
    optional = {"code": error.code, "status": error.status, "retry_after": error.retry_after}
    return {
        "error": {
            "message": error.message,
            "type": kind,
            "param": found if isinstance(found, str) else None,
            "code": error.code or default,
        },
        "tailrace": {**marks, **{name: value for name, value in optional.items() if value is not None}},
    }


def read_error(status: int, body: bytes) -> Error:
    """Return the error that a provider's HTTP answer says, whatever the form of its body."""
    try:
        value = decode_any(body[:MAX_BODY])
    except (msgspec.MsgspecError, RecursionError, ValueError):
        value = None
    details, message = _find(value)
    word, kind = _kind(details, status)
    extra = value.get("tailrace") if isinstance(value, dict) else None
    return _marked(
        Error(
            kind=kind,
            message=message or f"the provider answered with status {status}",
            retryable=kind in RETRYABLE,
            code=word,
            status=status,
            data=details or None,
        ),
        extra,
    )


def stream_error(value: dict[str, Any]) -> Error:
    """Return the error that an object in a stream says."""
    details, message = _find(value)
    word, kind = _kind(details, None)
    return _marked(
        Error(
            kind=kind,
            message=message or "the provider reported an error",
            retryable=kind in RETRYABLE,
            code=word,
            data=details or None,
        ),
        value.get("tailrace"),
    )


def read_label(extra: Any) -> UsageLabel | None:
    """Return the label that a relay put on its usage figures, or None."""
    label = extra.get("usage_label") if isinstance(extra, dict) else None
    return _LABELS.get(label) if isinstance(label, str) else None


def _marked(error: Error, marks: Any) -> Error:
    """Return ``error`` with what a relay's marks know better. They can never make a success of it."""
    if not isinstance(marks, dict):
        return error
    ending, kind, retryable = marks.get("ending"), marks.get("kind"), marks.get("retryable")
    code, status, after = marks.get("code"), marks.get("status"), marks.get("retry_after")
    return msgspec.structs.replace(
        error,
        ending=ENDINGS.get(ending, error.ending) if isinstance(ending, str) else error.ending,
        kind=_KINDS.get(kind, error.kind) if isinstance(kind, str) else error.kind,
        retryable=retryable if isinstance(retryable, bool) else error.retryable,
        # Without a word of the provider's own, the one in the error object is ours.
        code=code if isinstance(code, str) else None,
        status=_status(status) or error.status,
        retry_after=after if isinstance(after, int | float) and 0 <= after <= MAX_RETRY_AFTER else None,
    )


def _find(value: Any) -> tuple[dict[str, Any], str]:
    """Return the object with the error's fields (perhaps empty), and its message (perhaps empty).

    Seen: ``{"error": {…}}`` (OpenAI and most), ``{"error": "text"}`` (Ollama), ``[{"error": {…}}]`` (Google),
    ``{"object": "error", "message": …}`` (vLLM; Mistral, with an object as message), ``{"detail": …}`` (FastAPI).
    """
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return {}, ""
    inner = value.get("error")
    if isinstance(inner, str):
        return value, inner[:MAX_MESSAGE]
    details = inner if isinstance(inner, dict) else value
    for name in ("message", "detail", "msg"):
        if (message := _text(details.get(name))) is not None:
            return details, message[:MAX_MESSAGE]
    return details, ""


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "detail" in value:
        return _text(value["detail"])
    if isinstance(value, list) and value and isinstance(value[0], dict):
        # FastAPI's list of what is wrong: where, and what.
        first = value[0]
        place = ".".join(str(step) for step in first.get("loc", ()) if step != "body")
        return f"{place}: {first.get('msg', '')}" if place else _text(first.get("msg"))
    return None


def _kind(details: dict[str, Any], status: int | None) -> tuple[str | None, ErrorKind]:
    """Return the error's own word, and its kind: by its words, or by the HTTP status outside or inside."""
    words = [details.get(name) for name in ("code", "type", "status")]
    word = next((str(w) for w in words if isinstance(w, str | int) and not isinstance(w, bool) and w != ""), None)
    status = status or _status(details.get("code")) or _status(details.get("status"))
    for candidate in words:
        if isinstance(candidate, str) and (kind := KIND_BY_WORD.get(candidate.lower())) is not None:
            # A status is more exact than the generic words: OpenAI itself says "invalid_request_error" with 401.
            if status is None or kind not in {"invalid_request", "upstream"}:
                return word, kind
            break
    if status is None:
        return word, "upstream"
    return word, KIND_BY_STATUS.get(status, "upstream" if status >= 500 else "invalid_request")


def _status(value: Any) -> int | None:
    """Return ``value`` as an HTTP error status where it is one: several servers put it in ``code``."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599 else None
