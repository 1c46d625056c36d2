"""Errors of this dialect, both ways: exception frames in a stream, and HTTP error bodies.

An HTTP error names its exception in a header, which nobody passes here; the status says as much. What is written
carries beside the message a field ``tailrace`` with what the dialect has no word for.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects import marks
from tailrace.dialects.bedrock.frames import Frame
from tailrace.dialects.bedrock.names import EXCEPTIONS
from tailrace.dialects.bedrock.wire import JSON_ERRORS, decode_any
from tailrace.events import Error


def error_body(error: Error) -> dict[str, Any]:
    """Return the object that says ``error``: an HTTP error's body, and the payload of an exception frame."""
    return {"message": error.message, "tailrace": marks.write_error(error)}


def read_error(status: int, body: bytes) -> Error:
    """Return the error that the service's HTTP answer says."""
    kind = marks.kind_of(status)
    default = Error(
        kind, f"the provider answered with status {status}", retryable=kind in marks.RETRYABLE, status=status
    )
    return _said(_object(body[: marks.MAX_BODY]), default)


def frame_error(frame: Frame) -> Error:
    """Return the error that a frame says whose ``:message-type`` is ``exception`` or ``error``.

    The first has its words in the payload, the second in ``:error-code`` and ``:error-message``.
    """
    headers = frame.headers
    code = headers.get(":exception-type") or headers.get(":error-code")
    kind = EXCEPTIONS.get((code or "")[:1].lower() + (code or "")[1:], "upstream")
    message = headers.get(":error-message") or "the provider reported an error"
    error = Error(kind, message[: marks.MAX_MESSAGE], retryable=kind in marks.RETRYABLE, code=code, data={"code": code})
    return _said(_object(frame.payload), error)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = decode_any(data)
    except JSON_ERRORS:
        return {}
    return value if isinstance(value, dict) else {}


def _said(value: dict[str, Any], default: Error) -> Error:
    """Return ``default`` with what ``value`` knows better; the gateway before the service writes ``Message``."""
    found = value.get("message") or value.get("Message")
    message = found[: marks.MAX_MESSAGE] if isinstance(found, str) and found else default.message
    error = msgspec.structs.replace(default, message=message, data=value or default.data)
    return marks.read_error(error, value.get("tailrace"))
