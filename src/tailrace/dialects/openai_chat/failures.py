"""Errors of this dialect, both ways: HTTP error bodies and error objects in a stream.

What is written carries, beside the ``error`` that every client reads, a field ``tailrace`` with what the dialect has
no word for; clients ignore fields they do not know, and our own reads it back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.openai_chat.chunks import JSON_ERRORS, decode_any
from tailrace.dialects.openai_chat.names import ENDINGS, ERROR_KINDS, ERROR_WORDS, RETRYABLE, STATUS_KINDS
from tailrace.events import ERROR_STATUS, Error, ErrorKind

MAX_BODY = 64 * 1024
"""Most bytes of an error body that are read: real ones are below 2 KiB, an HTML error page below 64."""

MAX_MESSAGE = 2_000
"""Most characters of a message that is passed on; what a person reads is shorter."""

MAX_RETRY_AFTER = 7 * 24 * 3600
"""Most seconds that a ``retry_after`` may ask for; a larger number is a mistake."""

MAX_PLAIN = 200
"""Most bytes of a body without JSON that are taken for a message: "no healthy upstream" is one, a page is none."""

_KINDS: dict[str, ErrorKind] = {str(kind): kind for kind in ERROR_STATUS}  # type: ignore[misc]


def error_body(error: Error) -> dict[str, Any]:
    """Return the object that says ``error``: the data of a stream's error event, and an HTTP error's body."""
    kind, default = ERROR_WORDS[error.kind]
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
    except JSON_ERRORS:
        value = {"message": _plain(body)}
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
    """Return the words of a message, which may be an object with ``detail``, or FastAPI's list of what is wrong."""
    if isinstance(value, dict):
        value = value.get("detail")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        place, text = value[0].get("loc"), value[0].get("msg")
        steps = [str(step) for step in place if step != "body"] if isinstance(place, list) else []
        return f"{'.'.join(steps)}: {text}" if steps else str(text)
    return value if isinstance(value, str) else None


def _plain(body: bytes) -> str:
    """Return a body that is one line of text, as load balancers send it; "" for anything else."""
    try:
        text = body[:MAX_PLAIN].decode().strip()
    except UnicodeDecodeError:
        return ""
    return text if len(body) <= MAX_PLAIN and text.isprintable() and not text.startswith(("<", "{", "[")) else ""


def _kind(details: dict[str, Any], status: int | None) -> tuple[str | None, ErrorKind]:
    """Return the error's own word, and its kind: by its words, or by the HTTP status outside or inside."""
    values = [details.get(name) for name in ("code", "type", "status")]
    words = [value for value in values if isinstance(value, str) and value and _status(value) is None]
    word = next(iter(words), None)
    status = status or next(filter(None, map(_status, values)), None)
    kind = next((ERROR_KINDS[w.lower()] for w in words if w.lower() in ERROR_KINDS), None)
    if status is None:
        return word, kind or "upstream"
    if kind is None or kind in {"invalid_request", "upstream"}:
        # A status is more exact than the generic words: OpenAI itself says "invalid_request_error" with 401.
        return word, STATUS_KINDS.get(status, "upstream" if status >= 500 else "invalid_request")
    return word, kind


def _status(value: Any) -> int | None:
    """Return ``value`` as an HTTP error status where it is one: several servers put it in ``code``."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599 else None
