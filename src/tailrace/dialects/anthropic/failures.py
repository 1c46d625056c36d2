"""Errors of this dialect, both ways: HTTP error bodies and the ``error`` event have the same object.

What is written carries, beside the ``error`` that every client reads, a field ``tailrace`` with what the dialect has
no word for; clients ignore fields they do not know, and our own reads it back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.anthropic.names import ERROR_KINDS, ERROR_WORDS, RETRYABLE, STATUS_KINDS
from tailrace.events import ERROR_STATUS, Ending, Error, ErrorKind

MAX_BODY = 64 * 1024
"""Most bytes of an error body that are read: real ones are below 2 KiB, a proxy's HTML page below 64."""

MAX_MESSAGE = 2_000
"""Most characters of a message that is passed on; a longer one is no message but a page."""

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
_decode = msgspec.json.Decoder().decode


def error_body(error: Error) -> dict[str, Any]:
    """Return the object that says ``error``: the body of an HTTP error and the data of the ``error`` event."""
    marks = {
        "ending": error.ending,
        "retryable": error.retryable,
        "kind": error.kind,
        "code": error.code,
        "status": error.status,
        "retry_after": error.retry_after,
    }
    known = {name: value for name, value in marks.items() if value is not None}
    return {"type": "error", "error": _details(error), "tailrace": known}


def _details(error: Error) -> dict[str, Any]:
    """Return the inner object: the provider's own where it spoke this dialect."""
    data, code = error.data, error.code
    if code not in ERROR_KINDS:
        return {"type": ERROR_WORDS.get(error.kind, "api_error"), "message": error.message}
    if isinstance(data, dict) and data.get("type") == code and data.get("message") == error.message:
        return data
    return {"type": code, "message": error.message}


def read_error(status: int, body: bytes) -> Error:
    """Return the error that a provider's HTTP answer says, whatever the form of its body."""
    try:
        value = _decode(body[:MAX_BODY])
    except (msgspec.MsgspecError, RecursionError, ValueError):
        value = None
    kind = STATUS_KINDS.get(status, "upstream" if status >= 500 else "invalid_request")
    error = Error(
        kind,
        f"the provider answered with status {status}",
        retryable=kind in RETRYABLE,
        status=status,
    )
    return _said(value, error) if isinstance(value, dict) else error


def stream_error(value: dict[str, Any]) -> Error:
    """Return the error that an ``error`` event says; nothing in it is required, as it is bad news anyway."""
    return _said(value, Error("upstream", "the provider reported an error", retryable=True))


def _said(value: dict[str, Any], default: Error) -> Error:
    """Return ``default`` with what ``value`` knows better."""
    details = value.get("error", value)
    if isinstance(details, str):
        return msgspec.structs.replace(default, message=details[:MAX_MESSAGE] or default.message, data=value)
    if not isinstance(details, dict):
        return default
    word, message = details.get("type"), details.get("message")
    code = word if isinstance(word, str) else None
    kind = ERROR_KINDS.get(code or "", default.kind)
    error = msgspec.structs.replace(
        default,
        kind=kind,
        message=message[:MAX_MESSAGE] if isinstance(message, str) and message else default.message,
        retryable=kind in RETRYABLE,
        code=code,
        data=details,
    )
    marks = value.get("tailrace")
    return _marked(error, marks) if isinstance(marks, dict) else error


def _marked(error: Error, marks: dict[str, Any]) -> Error:
    """Return ``error`` with what a relay's ``tailrace`` field knows better; it can never make it a success."""
    kind, ending, retryable = marks.get("kind"), marks.get("ending"), marks.get("retryable")
    code, status, retry_after = marks.get("code"), marks.get("status"), marks.get("retry_after")
    return msgspec.structs.replace(
        error,
        kind=_KINDS.get(kind, error.kind) if isinstance(kind, str) else error.kind,
        ending=ENDINGS.get(ending, error.ending) if isinstance(ending, str) else error.ending,
        retryable=retryable if isinstance(retryable, bool) else error.retryable,
        code=code if isinstance(code, str) else None,
        status=error.status or _number(status, 400, 599),
        retry_after=_number(retry_after, 0, MAX_RETRY_AFTER),
        data=error.data if code == error.code else None,
    )


def _number(value: Any, low: int, high: int) -> Any:
    """Return ``value`` when it is a number within the bounds, else None."""
    ok = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return value if ok else None
