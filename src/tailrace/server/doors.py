"""The doors that begin an answer: one POST each, told apart by the dialect they speak."""

from __future__ import annotations

import secrets

from tailrace.engine import Ask, Relay
from tailrace.errors import RequestError
from tailrace.server.auth import CREDENTIAL_HEADERS, Keyring
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Disconnected, Receive, Scope, Send, headers_of, read_json
from tailrace.server.respond import answer_stream, answer_whole

DOORS: dict[str, str] = {
    "/v1/messages": "anthropic",
    "/v1/chat/completions": "openai_chat",
    "/stream": "plain",
}
"""Path → dialect."""

NOT_FORWARDED = frozenset({*CREDENTIAL_HEADERS, "cookie", "host", "content-length", "connection"})
"""Client headers that end here, whatever the dialect: credentials for us are not credentials for a provider."""


class Door:
    """An ASGI endpoint that takes a request in one dialect and answers in it, streaming or whole."""

    def __init__(self, relay: Relay, keyring: Keyring, dialect: str) -> None:
        self._relay = relay
        self._keyring = keyring
        self._dialect = dialect

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
                    body=body,
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
        else:
            await answer_whole(generation, receive, send, headers=headers)
