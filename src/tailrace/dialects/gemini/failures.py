"""Errors of this dialect, both ways: HTTP error bodies and error objects in a stream.

What is written carries, beside the ``error`` that every client reads, a field ``tailrace`` with what the dialect has
no word for; clients ignore fields they do not know, and our own reads it back. ``error.code`` is an HTTP status:
JavaScript's SDK takes an object with any other number for a chunk.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects import marks
from tailrace.dialects.gemini.names import ERROR_KINDS, ERROR_WORDS
from tailrace.dialects.gemini.wire import JSON_ERRORS, decode_any
from tailrace.events import ERROR_STATUS, Error

_TYPE = "type.googleapis.com/google.rpc."


def error_body(error: Error) -> dict[str, Any]:
    """Return the object that says ``error``: the data of a stream's error event, and an HTTP error's body."""
    return {"error": _details(error), "tailrace": marks.write_error(error)}


def _details(error: Error) -> dict[str, Any]:
    status = error.http_status
    said: dict[str, Any] = {
        "code": status if 400 <= status <= 599 else ERROR_STATUS[error.kind],
        "message": error.message,
        "status": error.code if error.code in ERROR_KINDS else ERROR_WORDS[error.kind],
    }
    data = error.data if isinstance(error.data, dict) else {}
    if data.get("status") == said["status"] and data.get("message") == error.message and "details" in data:
        return {**said, "details": data["details"]}
    if isinstance(field := data.get("param"), str):
        # What Google's own servers say about a wrong field.
        violation = {"field": field, "description": error.message}
        return {**said, "details": [{"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]}]}
    return said


def read_error(status: int, body: bytes) -> Error:
    """Return the error that a provider's HTTP answer says, whatever the form of its body."""
    try:
        value = decode_any(body[: marks.MAX_BODY])
    except JSON_ERRORS:
        value = None
    if isinstance(value, list) and value:
        # A call without ``alt=sse`` answers with an array, and so it says its errors.
        value = value[0]
    kind = marks.kind_of(status)
    message = f"the provider answered with status {status}"
    error = Error(kind, message, retryable=kind in marks.RETRYABLE, status=status)
    return _said(value, error) if isinstance(value, dict) else error


def stream_error(value: dict[str, Any]) -> Error:
    """Return the error that an object in a stream says; nothing in it is required, as it is bad news anyway."""
    return _said(value, Error("upstream", "the provider reported an error", retryable=True))


def _said(value: dict[str, Any], default: Error) -> Error:
    """Return ``default`` with what ``value`` knows better."""
    details = value.get("error")
    if isinstance(details, str) and details:
        return msgspec.structs.replace(default, message=details[: marks.MAX_MESSAGE], data=value)
    if not isinstance(details, dict):
        return default
    word, message = details.get("status"), details.get("message")
    code = word if isinstance(word, str) and word else None
    status = details.get("code")
    by_status = marks.kind_of(status) if isinstance(status, int) and 400 <= status <= 599 else default.kind
    kind = ERROR_KINDS.get(code or "", by_status)
    if _found(details, "ErrorInfo", "reason") == "API_KEY_INVALID":
        # Google says it with 400, as it says nearly everything that is wrong with a request.
        kind = "authentication"
    error = msgspec.structs.replace(
        default,
        kind=kind,
        message=message[: marks.MAX_MESSAGE] if isinstance(message, str) and message else default.message,
        retryable=kind in marks.RETRYABLE,
        code=code,
        retry_after=_seconds(_found(details, "RetryInfo", "retryDelay")),
        data=details,
    )
    return marks.read_error(error, value.get("tailrace"))


def _found(details: dict[str, Any], kind: str, name: str) -> Any:
    """Return a field of the first detail of a kind (``google.rpc``'s error details)."""
    listed = details.get("details")
    for detail in listed if isinstance(listed, list) else ():
        if isinstance(detail, dict) and detail.get("@type") == _TYPE + kind:
            return detail.get(name)
    return None


def _seconds(value: Any) -> float | None:
    """Return a duration as protobuf's JSON writes it (``"3.5s"``)."""
    try:
        seconds = float(value.removesuffix("s")) if isinstance(value, str) else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds <= marks.MAX_RETRY_AFTER else None
