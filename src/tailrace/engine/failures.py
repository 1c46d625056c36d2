"""What went wrong on the way to a provider, as the event that tells the readers. Pure."""

from __future__ import annotations

import traceback

from tailrace.engine.deadlines import Expired
from tailrace.errors import ProviderError, ProviderTimeout, RemoteProtocolError, StatusError
from tailrace.events import Error

DEADLINE_TEXT = {
    "first_content": "the provider sent nothing to read within {:g} s",
    "idle": "the provider went silent for {:g} s",
    "total": "the answer took longer than {:g} s",
}


FAULT = Error("internal", "an unexpected fault in the relay")
"""What a reader is told of a bug here; the log has its traceback."""


def trace(error: BaseException) -> str:
    """Return the traceback of ``error`` for a log: without local variables, which hold keys and prompts.

    Given to structlog as ``exception``; left to itself it has rich print the variables as well.
    """
    return "".join(traceback.format_exception(error))


def timeout_event(expired: Expired) -> Error:
    """Return the event that tells of a deadline that has passed."""
    text = DEADLINE_TEXT[expired.kind].format(expired.seconds)
    return Error("timeout", text, ending="timed_out", retryable=True, code=expired.kind)


def error_event(error: ProviderError | RemoteProtocolError, *, begun: bool) -> Error:
    """Return ``error`` as the event that ends a stream; ``begun`` when the provider had already said yes."""
    if isinstance(error, RemoteProtocolError):
        return Error("protocol", str(error), retryable=False)
    if isinstance(error, StatusError):
        kind, status = error.kind, error.status
        return Error(
            kind,  # type: ignore[arg-type]
            error.message,
            status=status,
            retryable=status in {408, 409, 429} or status >= 500,
            retry_after=error.retry_after,
            data=error.body,
        )
    if isinstance(error, ProviderTimeout):
        return Error("timeout", error.message, ending="timed_out", retryable=True, code=error.phase)
    if begun:
        return Error("truncated", error.message, ending="truncated", retryable=True)
    return Error(error.kind, error.message, retryable=True)  # type: ignore[arg-type]
