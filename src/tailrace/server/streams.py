"""The doors of a stream that exists: follow it, stop it, read it so far, list one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from tailrace.engine import Relay
from tailrace.errors import BadRequest, RequestError
from tailrace.log import StreamLog, parse_cursor
from tailrace.server.auth import Keyring
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Receive, Scope, Send, headers_of, send_json
from tailrace.server.respond import answer_fields, answer_resume

MAX_LISTED = 100
"""Most streams in one list; a caller with more live streams than this has other tools."""


class Streams:
    """The endpoints below ``/streams``."""

    def __init__(self, relay: Relay, keyring: Keyring) -> None:
        self._relay = relay
        self._keyring = keyring

    async def follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /streams/{id}``: all after the cursor (``Last-Event-ID``, else ``?after=``), then what follows."""

        async def answer(log: StreamLog) -> None:
            after = parse_cursor(headers_of(scope).get("last-event-id") or _query(scope, "after"))
            if after > log.tail:
                raise BadRequest(f"the cursor {after} is ahead of the stream", code="cursor_ahead", param="after")
            await answer_resume(self._relay, log, after, receive, send)

        await self._for_owner(scope, send, answer)

    async def fields(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /streams/{id}/fields``: the stream's JSON path by path, as it grows; with a cursor of its own."""

        async def answer(log: StreamLog) -> None:
            after = parse_cursor(headers_of(scope).get("last-event-id") or _query(scope, "after"))
            await answer_fields(self._relay, log, after, receive, send)

        await self._for_owner(scope, send, answer)

    async def stop(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``POST /streams/{id}/stop``: end it now. Idempotent: an ended stream answers with the ending it has."""

        async def answer(log: StreamLog) -> None:
            generation = self._relay.generation(log.info.id)
            if generation is not None:
                generation.stop()
            await send_json(send, 200, self._described(log))

        await self._for_owner(scope, send, answer)

    async def message(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``GET /streams/{id}/message``: the message so far, in the vocabulary's own JSON."""

        async def answer(log: StreamLog) -> None:
            generation = self._relay.generation(log.info.id)
            body = self._described(log)
            if generation is not None:
                body["message"] = generation.message()
                body["error"] = generation.error
            await send_json(send, 200, body)

        await self._for_owner(scope, send, answer)

    async def list(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``GET /streams``: the caller's own, newest first."""
        try:
            owner = self._keyring.identify(headers_of(scope))
        except RequestError as error:
            await send_error(send, event_of(error))
            return
        mine = [log for log, _ in zip(self._relay.store.owned_by(owner), range(MAX_LISTED), strict=False)]
        await send_json(send, 200, {"object": "list", "data": [self._described(log) for log in mine]})

    async def _for_owner(self, scope: Scope, send: Send, answer: Callable[[StreamLog], Awaitable[None]]) -> None:
        try:
            owner = self._keyring.identify(headers_of(scope))
            await answer(self._relay.owned(scope["path_params"]["stream_id"], owner))
        except RequestError as error:
            await send_error(send, event_of(error))

    def _described(self, log: StreamLog) -> dict[str, Any]:
        info = log.info
        return {
            "id": info.id,
            "model": info.model,
            "dialect": info.dialect,
            "created": info.created,
            "state": "live" if log.ending is None else "ended",
            "ending": log.ending,
            "frames": log.tail,
        }


def _query(scope: Scope, name: str) -> str | None:
    values = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(name)
    return values[-1] if values else None
