"""Errors of this dialect, both ways.

An HTTP error's body is that of Chat Completions. The ``error`` event exists in two forms: OpenAI's description has
``code``, ``message`` and ``param`` at its top, its servers send them in an object ``error``. Python's SDK raises only
for the second, and typed clients read the first, so both are written; either is read.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.openai_chat.failures import error_body, read_error, stream_error
from tailrace.dialects.openai_responses.wire import JSON_ERRORS, decode_any
from tailrace.events import Error

__all__ = ["error_body", "error_event", "error_fields", "failed_response", "in_both_forms", "read_error"]

_FLAT = ("code", "message", "param")


def error_fields(error: Error, marks: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the ``error`` event that says ``error``; ``marks`` go into its ``tailrace``."""
    body = error_body(error)
    flat = {name: body["error"][name] for name in _FLAT}
    return {**flat, "error": body["error"], "tailrace": {**body["tailrace"], **marks}}


def in_both_forms(data: bytes) -> dict[str, Any] | None:
    """Return an ``error`` event's object in both forms, None when it is already."""
    try:
        value = decode_any(data)
    except JSON_ERRORS:
        return {"type": "error"}
    inner = value.get("error")
    if isinstance(inner, dict) and isinstance(value.get("message"), str):
        return None
    if not isinstance(inner, dict):
        inner = {name: value.get(name) for name in _FLAT}
    inner = {"message": "the provider reported an error", **{k: v for k, v in inner.items() if v is not None}}
    return {
        **value,
        **{name: inner.get(name) for name in _FLAT},
        "error": {"type": None, "code": None, "param": None, **inner},
    }


def error_event(value: dict[str, Any]) -> Error:
    """Return the error that an ``error`` event says, in either form; it may say nothing at all."""
    inner = value.get("error")
    if not isinstance(inner, dict):
        # Its own type is no word for what went wrong.
        inner = {name: value[name] for name in _FLAT if name in value}
    return stream_error({"error": inner, "tailrace": value.get("tailrace")})


def failed_response(error: Any, tailrace: Any, *, cancelled: bool) -> Error:
    """Return the error of a response that failed or was cancelled with its provider; it may say nothing."""
    found = stream_error({"error": error if isinstance(error, dict) else {}, "tailrace": tailrace})
    if not cancelled:
        return found
    return msgspec.structs.replace(found, kind="cancelled", ending="cancelled", retryable=False)
