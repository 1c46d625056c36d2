"""What went wrong on the way to a provider, as the event that tells the readers. Pure."""

from __future__ import annotations

import traceback

import msgspec

from tailrace.engine.deadlines import Expired
from tailrace.engine.taxonomy import Cause, asks_again, fate
from tailrace.errors import Overloaded, ProviderError, ProviderTimeout, RemoteProtocolError, StatusError
from tailrace.events import Error

DEADLINE_TEXT = {
    "first_content": "the provider sent nothing to read within {:g} s",
    "idle": "the provider went silent for {:g} s",
    "total": "the answer took longer than {:g} s",
    "floor": "the provider sent fewer than {:g} tokens a second",
}


def _told(
    cause: Cause, message: str, *, begun: bool, code: str | None = None, retry_after: float | None = None
) -> Error:
    kind, ending, retryable = fate(cause, begun=begun)
    return Error(
        kind or "upstream",
        message,
        ending=ending,
        retryable=bool(retryable),
        code=code,
        retry_after=retry_after,
    )


TRUNCATED = _told("closed", "the provider closed the answer before its end", begun=True)
CANCELLED = Error("cancelled", "the answer was stopped", ending="cancelled")
DESERTED = Error("cancelled", "every reader left and none came back", ending="cancelled")
SHUTTING_DOWN = Error("interrupted", "the relay is shutting down", ending="interrupted", retryable=True)
ORPHANED = Error("interrupted", "the relay that wrote this answer is gone", ending="interrupted", retryable=True)
LOG_LOST = Error("interrupted", "the stream's log cannot be written any more", ending="interrupted", retryable=True)

FAULT = Error("internal", "an unexpected fault in the relay")
"""What a reader is told of a bug here; the log has its traceback."""


def trace(error: BaseException) -> str:
    """Return the traceback of ``error`` for a log: without local variables, which hold keys and prompts.

    Given to structlog as ``exception``; left to itself it has rich print the variables as well.
    """
    return "".join(traceback.format_exception(error))


def timeout_event(expired: Expired) -> Error:
    """Return the event that tells of a deadline that has passed."""
    return _told(expired.kind, DEADLINE_TEXT[expired.kind].format(expired.seconds), begun=True, code=expired.kind)


def first_content_event(seconds: float) -> Error:
    """Return the event that tells of an attempt without content."""
    return timeout_event(Expired("first_content", seconds))


def resting(provider: str, seconds: float) -> Error:
    """Return the event for a provider that failed so often that it is left alone for ``seconds``."""
    text = f"{provider} has failed repeatedly and is not asked for {seconds:.0f} s"
    return _told("circuit_open", text, begun=False, code="circuit_open", retry_after=seconds)


def refused(error: Overloaded) -> Error:
    """Return the event for work that this side could not begin."""
    return Error("overloaded", error.message, retryable=True, code=error.code, retry_after=error.retry_after)


def error_event(error: ProviderError | RemoteProtocolError, *, begun: bool) -> Error:
    """Return ``error`` as the event that ends a stream; ``begun`` when the provider had already said yes."""
    if isinstance(error, RemoteProtocolError):
        return _told("garbled", str(error), begun=begun)
    if isinstance(error, StatusError):
        return Error(
            error.kind,  # type: ignore[arg-type]
            error.message,
            ending=fate("refused", begun=begun).ending,
            status=error.status,
            retryable=asks_again(error.status),
            retry_after=error.retry_after,
            data=error.body,
        )
    if isinstance(error, ProviderTimeout):
        return _told("connect", error.message, begun=begun, code=error.phase)
    told = _told("unreachable", error.message, begun=begun)
    # An upstream that is not HTTP may have another word for why it could not begin.
    return told if begun else msgspec.structs.replace(told, kind=error.kind)
