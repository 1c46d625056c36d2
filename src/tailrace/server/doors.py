"""The doors that begin an answer: one POST each, told apart by the dialect they speak."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs

import msgspec

from tailrace.engine import Ask, Opened, Relay
from tailrace.errors import BadRequest, RequestError
from tailrace.server.array import ArraySend
from tailrace.server.auth import CREDENTIAL_HEADERS, Keyring
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Disconnected, Receive, Scope, Send, headers_of, ignored_header, read_json
from tailrace.server.respond import answer_stream, answer_whole
from tailrace.server.responses import answer_begun
from tailrace.server.wishes import read_wishes

Prepare: TypeAlias = Callable[[Scope, dict[str, Any]], dict[str, Any]]


def as_sent(_scope: Scope, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body unchanged: the dialect's JSON says everything."""
    return body


def in_the_url(*, stream: bool) -> Prepare:
    """Return what takes the model's name from a door's path; what such a door does is in its path too."""

    def prepare(scope: Scope, body: dict[str, Any]) -> dict[str, Any]:
        if _form(scope) not in FORMS:
            raise BadRequest(f"answers can be had as {', '.join(sorted(FORMS))}", param="alt")
        return {**body, "model": scope["path_params"]["model"], "stream": stream}

    return prepare


FORMS = frozenset({"sse", "json"})
"""What the ``alt`` of a Gemini URL may ask for; without one it is ``json``, a stream as one array."""


def _form(scope: Scope) -> str:
    asked: list[str] = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("alt", ["json"])
    return asked[-1]


class DoorSpec(NamedTuple):
    """One way in: its path, its dialect, and what its URL adds to the body.

    ``prepare`` puts what a dialect keeps in the URL or leaves to a default into the body, under ``model`` and
    ``stream``, where `Dialect.parse` reads them. ``query_key`` is whether its clients may give their key in the URL.
    ``default_model`` is whether they need not name a model: the first that is listed answers then. Only front ends may,
    whose protocols know no models; an SDK's request without one is a mistake. ``array`` is whether its streams can be
    had as one JSON array.
    """

    path: str
    dialect: str
    prepare: Prepare = as_sent
    query_key: bool = False
    default_model: bool = False
    array: bool = False


DOORS: tuple[DoorSpec, ...] = (
    DoorSpec("/v1/messages", "anthropic"),
    DoorSpec("/v1/chat/completions", "openai_chat"),
    DoorSpec("/v1/responses", "openai_responses"),
    DoorSpec("/api/chat", "ollama"),
    *(
        # A model's name may have slashes and colons: the verb is what follows the last colon.
        DoorSpec(
            f"/{version}/models/{{model:path}}:{verb}",
            "gemini",
            in_the_url(stream=stream),
            query_key=True,
            array=stream,
        )
        for version in ("v1", "v1beta")
        for verb, stream in (("streamGenerateContent", True), ("generateContent", False))
    ),
    DoorSpec("/ui/chat", "ai_sdk", default_model=True),
    DoorSpec("/ag-ui", "ag_ui", default_model=True),
    DoorSpec("/stream", "plain", default_model=True),
)
"""Every door that begins an answer."""

NOT_FORWARDED = frozenset({*CREDENTIAL_HEADERS, "cookie", "host", "content-length", "connection"})
"""Client headers that end here, whatever the dialect: credentials for us are not credentials for a provider."""


class Door:
    """An ASGI endpoint that takes a request in one dialect and answers in it, streaming or whole."""

    def __init__(self, relay: Relay, keyring: Keyring, spec: DoorSpec) -> None:
        self._relay = relay
        self._body = relay.limits.body
        self._keyring = keyring
        self._dialect = spec.dialect
        self._prepare = spec.prepare
        self._default_model = spec.default_model
        self._query_key = spec.query_key
        self._array = spec.array

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = f"req_{secrets.token_hex(12)}"
        # Both spellings: the Anthropic SDKs show `request-id`, the OpenAI ones `x-request-id`.
        headers = {"request-id": request_id, "x-request-id": request_id}
        try:
            client_headers = headers_of(scope)
            query = scope.get("query_string", b"") if self._query_key else b""
            owner = self._keyring.identify(client_headers, query)
            wishes = read_wishes(client_headers)
            body = self._prepare(scope, self._with_model(await read_json(receive, client_headers, self._body)))
            ask = Ask(
                dialect=self._dialect,
                body=body,
                owner=owner,
                headers={k: v for k, v in client_headers.items() if k not in NOT_FORWARDED},
                whole_tools=wishes.whole_tools,
                claim=wishes.claim(self._dialect, body),
                on_disconnect=wishes.on_disconnect,
                grace=wishes.grace,
                budget=wishes.budget,
                restart=wishes.restart,
            )
            opened = await self._relay.open(ask)
            if opened.ignored:
                headers["tailrace-ignored"] = ignored_header(opened.ignored)
            if opened.joined:
                headers["idempotent-replayed"] = "true"
            if self._array and _form(scope) == "json":
                send = ArraySend(send)
            await self._answer(ask, opened, (receive, send), headers, early=wishes.open_early)
        except Disconnected:
            return
        except RequestError as error:
            self._relay.observers.refused(error.code or error.kind)
            await send_error(send, event_of(error), self._dialect, headers)

    async def _answer(
        self, ask: Ask, opened: Opened, client: tuple[Receive, Send], headers: dict[str, str], *, early: bool
    ) -> None:
        relay, log = self._relay, opened.log
        receive, send = client
        if opened.request.stream:
            limits, wait = relay.limits, 0.0 if early else opened.open_early_after
            if wait is not None:
                limits = msgspec.structs.replace(limits, open_early_after=wait)
            await answer_stream(relay, log, receive, send, limits=limits, headers=headers)
        elif opened.request.background:
            await answer_begun(relay, log, receive, send, headers)
        else:
            # A second attempt is a request of its own: the first one's stream has the claim.
            await answer_whole(
                relay,
                opened,
                receive,
                send,
                headers=headers,
                again=lambda more: relay.open(msgspec.structs.replace(ask, more=more, claim=None)),
            )

    def _with_model(self, body: dict[str, Any]) -> dict[str, Any]:
        if not self._default_model or body.get("model") is not None:
            return body
        names = self._relay.router.names()
        return {**body, "model": names[0]} if names else body
