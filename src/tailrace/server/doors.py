"""The doors that begin an answer: one POST each, told apart by the dialect they speak."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs

import msgspec

from tailrace.engine import Ask, Opened, Relay
from tailrace.errors import BadRequest, RateLimited, RequestError
from tailrace.events import Turn
from tailrace.server.access import Access, Carry
from tailrace.server.array import ArraySend
from tailrace.server.auth import CREDENTIAL_HEADERS
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Disconnected, Receive, Scope, Send, headers_of, ignored_header, read_json
from tailrace.server.keys import Identity, permit
from tailrace.server.respond import answer_stream, answer_whole
from tailrace.server.responses import answer_begun
from tailrace.server.wishes import read_wishes

Prepare: TypeAlias = Callable[[Scope, dict[str, Any]], dict[str, Any]]
Again: TypeAlias = Callable[[tuple[Turn, ...]], Awaitable[Opened]]


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

DOOR_NAMES = frozenset(door.dialect for door in DOORS)
"""What a key's ``doors`` may name: a dialect's doors are open or closed together."""

NOT_FORWARDED = frozenset({*CREDENTIAL_HEADERS, "cookie", "host", "content-length", "connection"})
"""Client headers that end here, whatever the dialect: credentials for us are not credentials for a provider."""


class Door:
    """An ASGI endpoint that takes a request in one dialect and answers in it, streaming or whole."""

    def __init__(self, relay: Relay, access: Access, spec: DoorSpec) -> None:
        self._relay = relay
        self._body = relay.limits.body
        self._access = access
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
            identity = self._access.who(scope, self._dialect, key_in_query=self._query_key)
            opened, early, again = await self._begin(scope, receive, identity)
            if opened.ignored:
                headers["tailrace-ignored"] = ignored_header(opened.ignored)
            if opened.joined:
                headers["idempotent-replayed"] = "true"
            if self._array and _form(scope) == "json":
                send = ArraySend(send)
            with self._access.visit(identity.owner):
                await self._answer(opened, again, (receive, send), headers, early=early)
        except Disconnected:
            return
        except RequestError as error:
            self._relay.observers.refused(error.code or error.kind)
            await send_error(send, event_of(error), self._dialect, headers)

    async def _begin(self, scope: Scope, receive: Receive, identity: Identity) -> tuple[Opened, bool, Again]:
        """Open what is asked for; return it, whether to answer before anything has been said, and how to ask again."""
        carry: Carry
        try:
            async with self._access.admitted(identity) as carry:
                ask, early = await self._read(scope, receive, identity)
                opened = await self._relay.open(ask)
                carry(self._relay, opened)
        except RateLimited:
            # Said before anything of the body was read: only `Access.admitted` says it.
            key = read_wishes(headers_of(scope)).key
            held = key and await self._relay.store.find_claimed(identity.owner, key)
            if not held:
                raise
            # A retry of what this key is being answered already asks for no more than that.
            ask, early = await self._read(scope, receive, identity)
            opened, carry = self._relay.join(ask, held), _counted_already

        async def again(more: tuple[Turn, ...]) -> Opened:
            # A second attempt is a request of its own: the first one's stream has the claim.
            another = await self._relay.open(msgspec.structs.replace(ask, more=more, claim=None))
            carry(self._relay, another)
            return another

        return opened, early, again

    async def _read(self, scope: Scope, receive: Receive, identity: Identity) -> tuple[Ask, bool]:
        """Return what is asked, and whether to answer before anything has been said."""
        headers = headers_of(scope)
        wishes = read_wishes(headers)
        body = self._prepare(scope, self._with_model(await read_json(receive, headers, self._body), identity))
        ask = Ask(
            dialect=self._dialect,
            body=body,
            owner=identity.owner,
            headers={k: v for k, v in headers.items() if k not in NOT_FORWARDED},
            whole_tools=wishes.whole_tools,
            claim=wishes.claim(self._dialect, body),
            on_disconnect=wishes.on_disconnect,
            grace=wishes.grace,
            budget=wishes.budget,
            restart=wishes.restart,
            permit=lambda model: permit(identity, self._relay.router, model, self._dialect),
        )
        return ask, wishes.open_early

    async def _answer(
        self, opened: Opened, again: Again, client: tuple[Receive, Send], headers: dict[str, str], *, early: bool
    ) -> None:
        relay, log = self._relay, opened.log
        receive, send = client
        if opened.request.stream:
            wait = 0.0 if early else opened.open_early_after
            if wait is None:
                wait = relay.limits.open_early_after
            await answer_stream(relay, log, receive, send, headers=headers, open_early_after=wait)
        elif opened.request.background:
            await answer_begun(relay, log, receive, send, headers)
        else:
            await answer_whole(relay, opened, receive, send, headers=headers, again=again)

    def _with_model(self, body: dict[str, Any], identity: Identity) -> dict[str, Any]:
        if not self._default_model or body.get("model") is not None:
            return body
        names = [name for name in self._relay.router.names() if identity.may_use(name)]
        return {**body, "model": names[0]} if names else body


def _counted_already(_relay: Relay, _opened: Opened) -> None:
    """What is joined was counted when it was begun."""
