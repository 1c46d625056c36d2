"""The ``tailrace`` field: what a relay knows and a dialect has no word for, written beside the dialect's own fields.

Clients skip fields that they do not know; a relay, or our own client, behind the first one reads them back. Nothing
here can make a success of an error: an ending of ``completed`` is not among those that are read.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.events import ERROR_STATUS, Ending, Error, ErrorKind, UsageLabel

MAX_BODY = 64 * 1024
"""Most bytes of an error body that are read: real ones are below 2 KiB, a proxy's HTML page below 64."""

MAX_MESSAGE = 2_000
"""Most characters of an error's message that are passed on; a longer one is no message but a page."""

MAX_RETRY_AFTER = 7 * 24 * 3600
"""Most seconds that a ``retry_after`` may ask for; a larger number is a mistake."""

ENDINGS: dict[str, Ending] = {
    "cancelled": "cancelled",
    "failed": "failed",
    "timed_out": "timed_out",
    "truncated": "truncated",
    "interrupted": "interrupted",
}
"""Endings that an error may have."""

KINDS: dict[str, ErrorKind] = {str(kind): kind for kind in ERROR_STATUS}  # type: ignore[misc]
"""Kinds by their word."""

USAGE_LABELS: dict[str, UsageLabel] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}
"""Values of ``tailrace.usage_label``."""

STATUS_KINDS: dict[int, ErrorKind] = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    424: "upstream",  # Bedrock: the model, not the request, failed
    429: "rate_limit",
    499: "cancelled",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
"""HTTP status → kind. Others: below 500 ``invalid_request``, from 500 on ``upstream``."""

RETRYABLE: frozenset[ErrorKind] = frozenset(
    {"rate_limit", "overloaded", "timeout", "unreachable", "upstream", "truncated", "interrupted", "conflict"}
)
"""The kinds of a provider's error after which the same request may work."""


def kind_of(status: int) -> ErrorKind:
    """Return the kind that an HTTP error status says."""
    return STATUS_KINDS.get(status, "upstream" if status >= 500 else "invalid_request")


def write_error(error: Error) -> dict[str, Any]:
    """Return the ``tailrace`` field of an error."""
    data = error.data
    optional = {
        "code": error.code,
        "status": error.status,
        "retry_after": error.retry_after,
        "param": data.get("param") if isinstance(data, dict) else None,
    }
    return {
        "ending": error.ending,
        "kind": error.kind,
        "retryable": error.retryable,
        **{name: value for name, value in optional.items() if value is not None},
    }


def read_error(error: Error, marks: Any) -> Error:
    """Return ``error`` with what ``marks``, the ``tailrace`` field beside it, knows better."""
    if not isinstance(marks, dict):
        return error
    kind, ending, retryable = marks.get("kind"), marks.get("ending"), marks.get("retryable")
    code, param = marks.get("code"), marks.get("param")
    return msgspec.structs.replace(
        error,
        kind=KINDS.get(kind, error.kind) if isinstance(kind, str) else error.kind,
        ending=ENDINGS.get(ending, error.ending) if isinstance(ending, str) else error.ending,
        retryable=retryable if isinstance(retryable, bool) else error.retryable,
        # Without a word of the provider's own, the one in the error object is ours.
        code=code if isinstance(code, str) else None,
        status=_number(marks.get("status"), 400, 599) or error.status,
        retry_after=_number(marks.get("retry_after"), 0, MAX_RETRY_AFTER),
        data={"param": param} if isinstance(param, str) else None,
    )


def write_label(label: UsageLabel) -> dict[str, Any]:
    """Return what to add to the ``tailrace`` field for figures that can be trusted so far; nothing when exact."""
    return {} if label == "exact" else {"usage_label": label}


def read_label(marks: Any) -> UsageLabel | None:
    """Return how far ``marks`` says that the figures can be trusted; None when it says nothing."""
    label = marks.get("usage_label") if isinstance(marks, dict) else None
    return USAGE_LABELS.get(label) if isinstance(label, str) else None


def count(value: Any) -> int | None:
    """Return a token count; what is none (a fraction, a negative number, a word) is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == value // 1 else None


def _number(value: Any, low: int, high: int) -> Any:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return value if ok else None


def foreign_signature(signature: str) -> bool:
    """Whether ``signature`` says itself that another provider made it, so that a third cannot read it.

    Providers' own are base64, in which there is no colon; what this project carries across dialects has a name in
    front, ``openai_responses:…``.
    """
    return ":" in signature
