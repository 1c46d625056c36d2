"""Errors of this dialect, both ways: a text, in an HTTP error body and in a line of the stream.

What is written carries beside it a field ``tailrace`` with what the dialect has no word for.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects import marks
from tailrace.dialects.ollama.wire import JSON_ERRORS, decode_any
from tailrace.events import Error


def error_body(error: Error) -> dict[str, Any]:
    """Return the object that says ``error``: an HTTP error's body, and a line of the stream.

    Clients take an empty text for no error at all.
    """
    return {"error": error.message or error.kind, "tailrace": marks.write_error(error)}


def read_error(status: int, body: bytes) -> Error:
    """Return the error that a provider's HTTP answer says, whatever the form of its body."""
    try:
        value = decode_any(body[: marks.MAX_BODY])
    except JSON_ERRORS:
        value = None
    kind = marks.kind_of(status)
    default = Error(
        kind, f"the provider answered with status {status}", retryable=kind in marks.RETRYABLE, status=status
    )
    return _said(value, default) if isinstance(value, dict) else default


def stream_error(value: dict[str, Any]) -> Error:
    """Return the error that a line says."""
    return _said(value, Error("upstream", "the provider reported an error", retryable=True))


def _said(value: dict[str, Any], default: Error) -> Error:
    """Return ``default`` with what ``value`` knows better: ``{"error": "text"}``, or, from others, an object."""
    inner = value.get("error")
    if isinstance(inner, dict):
        inner = inner.get("message")
    message = inner[: marks.MAX_MESSAGE] if isinstance(inner, str) and inner else default.message
    error = msgspec.structs.replace(default, message=message, data=value)
    return marks.read_error(error, value.get("tailrace"))
