"""Errors of the dialects that are no provider's: one flat object, in a stream and in an HTTP body."""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.wire_json import JSON_ERRORS, decode_any
from tailrace.events import ERROR_STATUS, Ending, Error, ErrorKind

ENDINGS: dict[str, Ending] = {
    "cancelled": "cancelled",
    "failed": "failed",
    "timed_out": "timed_out",
    "truncated": "truncated",
    "interrupted": "interrupted",
}
"""Endings that an error may have: ``completed`` is not among them, whatever the other side says."""

KINDS: dict[str, ErrorKind] = {kind: kind for kind in ERROR_STATUS}  # type: ignore[misc]
"""Kinds by their word."""

MAX_BODY = 64 * 1024
"""Most bytes of an error body that are read: ours are below 2 KiB, a proxy's HTML page below 64."""

MAX_MESSAGE = 2_000
"""Most characters of a message that is passed on; a longer one is no message but a page."""

MAX_RETRY_AFTER = 7 * 24 * 3600
"""Most seconds that a ``retry_after`` may ask for; a larger number is a mistake."""


def error_body(error: Error) -> dict[str, Any]:
    """Return the object that says ``error``; ``code``, ``param`` and ``retry_after`` where there is one."""
    optional = {
        "code": error.code,
        "param": error.data.get("param") if isinstance(error.data, dict) else None,
        "retry_after": error.retry_after,
    }
    return {
        "message": error.message,
        "kind": error.kind,
        "ending": error.ending,
        "retryable": error.retryable,
        **{name: value for name, value in optional.items() if value is not None},
    }


def read_error(status: int, body: bytes) -> Error:
    """Return the error that a relay's HTTP answer says."""
    try:
        value = decode_any(body[:MAX_BODY])
    except JSON_ERRORS:
        value = None
    error = error_from(value, f"the relay answered with status {status}")
    return msgspec.structs.replace(error, status=status)


def error_from(value: Any, otherwise: str) -> Error:
    """Return the error that ``value`` says, with the message ``otherwise`` where it has none."""
    said = value if isinstance(value, dict) else {}
    message, kind, ending = said.get("message"), said.get("kind"), said.get("ending")
    code, param, after = said.get("code"), said.get("param"), said.get("retry_after")
    return Error(
        kind=KINDS.get(kind, "upstream") if isinstance(kind, str) else "upstream",
        message=message[:MAX_MESSAGE] if isinstance(message, str) and message else otherwise,
        ending=ENDINGS.get(ending, "failed") if isinstance(ending, str) else "failed",
        retryable=said.get("retryable") is True,
        code=code if isinstance(code, str) else None,
        retry_after=after if isinstance(after, int | float) and 0 <= after <= MAX_RETRY_AFTER else None,
        data={"param": param} if isinstance(param, str) else None,
    )
