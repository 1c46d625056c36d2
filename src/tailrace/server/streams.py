"""The doors of a stream that exists: follow it, stop it, read it so far, list one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tailrace.engine import Relay
from tailrace.errors import RequestError
from tailrace.log import Entry, StreamLog, parse_cursor
from tailrace.server.access import Access
from tailrace.server.auth import presented_token
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Disconnected, Receive, Scope, Send, headers_of, read_struct, send_json
from tailrace.server.keys import Identity
from tailrace.server.respond import answer_fields, answer_resume, check_cursor
from tailrace.server.tokens import Scope as TokenScope
from tailrace.server.tokens import TokenAsk, no_stream

MAX_LISTED = 100
"""Most streams in one list; a caller with more live streams than this has other tools."""


class StopAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a stop: nothing, so far."""


class Streams:
    """The endpoints below ``/streams``."""

    def __init__(self, relay: Relay, access: Access) -> None:
        self._relay = relay
        self._access = access

    async def follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /streams/{id}``: all after the cursor (``Last-Event-ID``, else ``?after=``), then what follows."""

        async def answer(log: StreamLog) -> None:
            after = parse_cursor(headers_of(scope).get("last-event-id") or _query(scope, "after"))
            check_cursor(log, after)
            await answer_resume(self._relay, log, after, receive, send)

        await self._answer(scope, send, answer)

    async def fields(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /streams/{id}/fields``: the stream's JSON path by path, as it grows; with a cursor of its own."""

        async def answer(log: StreamLog) -> None:
            after = parse_cursor(headers_of(scope).get("last-event-id") or _query(scope, "after"))
            await answer_fields(self._relay, log, after, receive, send)

        await self._answer(scope, send, answer)

    async def stop(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /streams/{id}/stop``: end it now. Idempotent: an ended stream answers with the ending it has."""

        async def answer(log: StreamLog) -> None:
            await read_struct(receive, headers_of(scope), StopAsk)
            await self._relay.stop(log)
            state = "live" if log.ending is None else "ended"
            await send_json(send, 200, {**_described(Entry(log.info, log.tail, log.ending)), "state": STOPPING[state]})

        await self._answer(scope, send, answer, "stop")

    async def token(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /streams/{id}/tokens``: a view token for it, with the rights that the body asks for."""
        try:
            identity = self._access.who(scope)
            log = await self._relay.owned(scope["path_params"]["stream_id"], identity.owner)
            identity.enter(log.info.dialect)
            token = self._access.token(log.info, await read_struct(receive, headers_of(scope), TokenAsk))
        except Disconnected:
            return
        except RequestError as error:
            await send_error(send, event_of(error))
            return
        # In no cache: whoever has it has the stream.
        await send_json(send, 201, token, {"cache-control": "no-store"})

    async def message(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``GET /streams/{id}/message``: the message so far, in the vocabulary's own JSON."""

        async def answer(log: StreamLog) -> None:
            told = self._relay.told(log)
            body = _described(Entry(log.info, log.tail, log.ending))
            await send_json(send, 200, {**body, "message": told.message(), "error": told.error})

        await self._answer(scope, send, answer)

    async def list(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``GET /streams``: the caller's own, newest first."""
        try:
            owner = self._access.who(scope).owner
            mine = await self._relay.store.owned_by(owner, MAX_LISTED)
        except RequestError as error:
            await send_error(send, event_of(error))
            return
        await send_json(send, 200, {"object": "list", "data": [_described(entry) for entry in mine]})

    async def _answer(
        self, scope: Scope, send: Send, answer: Callable[[StreamLog], Awaitable[None]], wanted: TokenScope = "read"
    ) -> None:
        """Call ``answer`` for the stream in the path, if it is the caller's, or shown to them by a view token."""
        try:
            log, identity = await self._opened(scope, wanted)
            identity.enter(log.info.dialect)
            with self._access.visit(identity.owner):
                await answer(log)
        except Disconnected:
            return
        except RequestError as error:
            await send_error(send, event_of(error))

    async def _opened(self, scope: Scope, wanted: TokenScope) -> tuple[StreamLog, Identity]:
        stream_id = scope["path_params"]["stream_id"]
        token = presented_token(scope)
        if token is None:
            identity = self._access.who(scope)
            return await self._relay.owned(stream_id, identity.owner), identity
        log = await self._relay.store.find(stream_id)
        if log is None:
            raise no_stream()
        return log, self._access.by_token(token, log.info, wanted)


STOPPING = {"live": "stopping", "ended": "ended"}
"""State of a stream that was asked to stop: ``stopping`` where the node that writes it has not yet said that it did."""


def _described(entry: Entry) -> dict[str, Any]:
    info, tail, ending = entry
    return {
        "id": info.id,
        "model": info.model,
        "dialect": info.dialect,
        "created": info.created,
        "state": "live" if ending is None else "ended",
        "ending": ending,
        "frames": tail,
    }


def _query(scope: Scope, name: str) -> str | None:
    values = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(name)
    return values[-1] if values else None
