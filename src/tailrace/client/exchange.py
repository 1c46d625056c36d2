"""One request until its answer begins: sent again where that is harmless, refusals turned into exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tailrace.client.commands import Close, Failure, Head, Send, Signal, Steps, Wait, read, send
from tailrace.client.endpoint import Endpoint
from tailrace.client.opening import shown
from tailrace.client.retry import Retry
from tailrace.errors import LimitExceeded, ProviderTimeout, RemoteProtocolError, StatusError, TailraceError

MAX_ERROR_BODY = 64 * 1024
"""Most of an error answer that is read. Real ones are below 4 KiB; more would only be an HTML page."""

MAX_JSON_BODY = 64 * 1024 * 1024
"""Most of a JSON answer: the longest message that `tailrace.events.Fold` adds up."""

CALL_SECONDS = 30.0
"""Longest silence in a call that generates nothing: the server only looks something up."""


def open_answer(
    make: Callable[[], Send], endpoint: Endpoint, retry: Retry, *, given_up: Callable[[], bool] = lambda: False
) -> Steps[Head]:
    """Send until an answer begins; return its head, of a status below 300.

    ``make`` is called for each attempt, since its timeouts may shrink. Raises `StatusError`, `ConnectError` or
    `ProviderTimeout` when it may not be tried (again), or ``given_up`` says so.
    """
    attempt = 0
    while True:
        outcome = yield from send(make())
        if isinstance(outcome, Head):
            if outcome.status < 300:
                return outcome
            error: TailraceError = yield from refusal(outcome, endpoint)
            delay = retry.request(attempt, head=(outcome.status, outcome.headers))
        else:
            error = failure(outcome, endpoint, "first_content")
            delay = retry.request(attempt, error=error)
        if delay is None or given_up():
            raise error
        attempt += 1
        yield Wait(delay)
        if given_up():
            raise error


def failure(outcome: Failure | Signal, endpoint: Endpoint, phase: str) -> TailraceError:
    """Return the exception for a command that brought nothing."""
    if isinstance(outcome, Failure):
        return outcome.error
    if outcome is Signal.TIMED_OUT:
        return ProviderTimeout(f"{endpoint.name}: timed out ({phase.replace('_', ' ')})", phase=phase)
    return RemoteProtocolError(f"{endpoint.name}: the answer ended before it began")


def refusal(head: Head, endpoint: Endpoint) -> Steps[StatusError]:
    """Read an error answer as far as it goes and return the exception that says it."""
    body = b""
    while len(body) < MAX_ERROR_BODY:
        outcome = yield from read(CALL_SECONDS)
        if not isinstance(outcome, bytes):
            break
        body += outcome
    yield Close()
    return endpoint.refusal(head.status, head.headers, body[:MAX_ERROR_BODY])


def call(
    endpoint: Endpoint, retry: Retry, method: str, path: str, *, token: str | None = None, body: Any = None
) -> Steps[Any]:
    """Return the JSON that ``path`` answers with, None for an empty answer.

    ``token`` is shown in place of the key; ``body`` is sent as JSON.
    """
    more = {"accept": "application/json", **shown(token)}
    content = b"" if method == "POST" else None
    if body is not None:
        more["content_type"] = "application/json"
        content = msgspec.json.encode(body)

    def make() -> Send:
        return Send(
            method=method,
            url=endpoint.url(path),
            headers=endpoint.headers(**more),
            connect=CALL_SECONDS,
            read=CALL_SECONDS,
            content=content,
        )

    yield from open_answer(make, endpoint, retry)
    pieces: list[bytes] = []
    size = 0
    while (outcome := (yield from read(CALL_SECONDS))) is not Signal.END:
        if not isinstance(outcome, bytes):
            raise failure(outcome, endpoint, "idle")
        pieces.append(outcome)
        size += len(outcome)
        if size > MAX_JSON_BODY:
            raise LimitExceeded(f"{endpoint.name}: more than {MAX_JSON_BODY} bytes of JSON", limit=MAX_JSON_BODY)
    yield Close()
    try:
        return msgspec.json.decode(b"".join(pieces)) if size else None
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise RemoteProtocolError(f"{endpoint.name}: the answer is not JSON") from error
