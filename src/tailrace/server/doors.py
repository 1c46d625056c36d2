"""The doors that begin an answer: one POST each, told apart by the dialect they speak."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from tailrace.engine import Ask, Relay
from tailrace.errors import RequestError
from tailrace.server.auth import CREDENTIAL_HEADERS, Keyring
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Disconnected, Receive, Scope, Send, headers_of, read_json
from tailrace.server.respond import answer_stream, answer_whole
from tailrace.server.responses import answer_begun

Prepare: TypeAlias = Callable[[Scope, dict[str, Any]], dict[str, Any]]


def as_sent(_scope: Scope, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body unchanged: the dialect's JSON says everything."""
    return body


class DoorSpec(NamedTuple):
    """One way in: its path, its dialect, and what its URL adds to the body.

    ``prepare`` puts what a dialect keeps in the URL or leaves to a default into the body, under ``model`` and
    ``stream``, where `Dialect.parse` reads them.
    """

    path: str
    dialect: str
    prepare: Prepare = as_sent


DOORS: tuple[DoorSpec, ...] = (
    DoorSpec("/v1/messages", "anthropic"),
    DoorSpec("/v1/chat/completions", "openai_chat"),
    DoorSpec("/v1/responses", "openai_responses"),
    DoorSpec("/api/chat", "ollama"),
    DoorSpec("/stream", "plain"),
)
"""Every door that begins an answer."""

NOT_FORWARDED = frozenset({*CREDENTIAL_HEADERS, "cookie", "host", "content-length", "connection"})
"""Client headers that end here, whatever the dialect: credentials for us are not credentials for a provider."""


class Door:
    """An ASGI endpoint that takes a request in one dialect and answers in it, streaming or whole."""

    def __init__(self, relay: Relay, keyring: Keyring, spec: DoorSpec) -> None:
        self._relay = relay
        self._keyring = keyring
        self._dialect = spec.dialect
        self._prepare = spec.prepare

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = f"req_{secrets.token_hex(12)}"
        # Both spellings: the Anthropic SDKs show `request-id`, the OpenAI ones `x-request-id`.
        headers = {"request-id": request_id, "x-request-id": request_id}
        try:
            client_headers = headers_of(scope)
            owner = self._keyring.identify(client_headers)
            body = await read_json(receive, client_headers, self._relay.limits.body)
            opened = self._relay.open(
                Ask(
                    dialect=self._dialect,
                    body=self._prepare(scope, body),
                    owner=owner,
                    headers={k: v for k, v in client_headers.items() if k not in NOT_FORWARDED},
                )
            )
        except Disconnected:
            return
        except RequestError as error:
            await send_error(send, event_of(error), self._dialect, headers)
            return
        if opened.ignored:
            headers["tailrace-ignored"] = ", ".join(opened.ignored)
        generation = opened.generation
        if opened.request.stream:
            await answer_stream(generation, receive, send, limits=self._relay.limits, headers=headers)
        elif opened.request.background:
            await answer_begun(self._relay, generation, receive, send, headers)
        else:
            await answer_whole(generation, receive, send, headers=headers)
