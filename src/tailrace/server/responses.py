"""The doors of a response that exists: OpenAI's clients follow, read and cancel one by the id that they were given.

The id is the provider's where its stream is passed on as it came, ours otherwise; it stands in the first frame of the
log, which its owner, and nobody else, finds by it; when a provider gives an id twice, the newest stream has it. The
cursor of these clients, ``starting_after``, is the ``sequence_number`` of the last event that they have: the number of
its frame, less one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tailrace.dialects import DIALECTS
from tailrace.engine import Relay
from tailrace.errors import BadRequest, NotFound, RequestError
from tailrace.log import StreamLog, begun, parse_cursor, when
from tailrace.server.access import Access
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Receive, Scope, Send, send_json, watch_disconnect
from tailrace.server.respond import answer_resume, check_cursor, refuse

DIALECT = "openai_responses"

STATUSES: dict[str | None, str] = {
    None: "in_progress",
    "cancelled": "cancelled",
    "failed": "failed",
    "timed_out": "failed",
    "truncated": "failed",
    "interrupted": "failed",
}
"""Ending → status of the response; one that is ``completed`` says its own."""


class Responses:
    """The endpoints below ``/v1/responses``."""

    def __init__(self, relay: Relay, access: Access) -> None:
        self._relay = relay
        self._access = access

    async def retrieve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /v1/responses/{id}``: the response so far, or, with ``stream=true``, its events.

        With ``starting_after=N`` those whose ``sequence_number`` is greater; without, all from the first.
        """

        async def answer(log: StreamLog) -> None:
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            if query.get("stream", [""])[-1].lower() not in {"true", "1"}:
                await send_json(send, 200, response_so_far(self._relay, log), {"tailrace-stream-id": log.info.id})
                return
            after = _frames_before(query.get("starting_after"))
            check_cursor(log, after, "starting_after")
            await answer_resume(self._relay, log, after, receive, send)

        await self._for_owner(scope, send, answer)

    async def cancel(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``POST /v1/responses/{id}/cancel``: end it now. Idempotent; any response of the caller's can be cancelled."""

        async def answer(log: StreamLog) -> None:
            await self._relay.stop(log)
            await send_json(send, 200, response_so_far(self._relay, log), {"tailrace-stream-id": log.info.id})

        await self._for_owner(scope, send, answer)

    async def _for_owner(self, scope: Scope, send: Send, answer: Callable[[StreamLog], Awaitable[None]]) -> None:
        try:
            owner = self._access.who(scope, DIALECT).owner
            log = await self._find(scope["path_params"]["response_id"], owner)
            with self._access.visit(owner):
                await answer(log)
        except RequestError as error:
            await send_error(send, event_of(error), DIALECT)

    async def _find(self, response_id: str, owner: str) -> StreamLog:
        """Return the log; raises `NotFound`, the same whether unknown or another's."""
        log = await self._relay.store.find_named(owner, f"response:{response_id}")
        if log is None or log.info.owner != owner or log.info.dialect != DIALECT:
            raise NotFound(f"no response of the id {response_id[:100]!r}", code="response_not_found")
        return log


async def answer_begun(relay: Relay, log: StreamLog, receive: Receive, send: Send, headers: dict[str, str]) -> None:
    """Answer a POST with ``background`` that does not stream: with the response as soon as it has an id."""
    gone = watch_disconnect(receive)
    try:
        with when(log, begun) as ready:
            await asyncio.wait({gone, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not begun(log):
            return
        if begun_response(log) is None:
            await refuse(relay.told(log), send, headers)
            return
        await send_json(send, 200, response_so_far(relay, log), {"tailrace-stream-id": log.info.id, **headers})
    finally:
        gone.cancel()


def begun_response(log: StreamLog) -> dict[str, Any] | None:
    """Return the response that the first frame of ``log`` announces; None while it has none, or is an error."""
    if not log.tail:
        return None
    first, _ = log.read(0, 1)
    value = _event(first)
    found = value.get("response") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else None


def response_so_far(relay: Relay, log: StreamLog) -> dict[str, Any]:
    """Return the response as it stands: as its own last event says, else as the events before add up."""
    dialect = DIALECTS[DIALECT]
    if log.ending is not None and log.tail:
        last, _ = log.read(log.tail - 1, 1)
        if (whole := dialect.whole_body(last)) is not None:
            return whole
    told = relay.told(log)
    folded = dialect.message_body(told.message(), told.reply)
    body = {**folded, **(begun_response(log) or {}), "output": folded["output"], "usage": folded["usage"]}
    if (error := told.error) is not None and error.kind != "cancelled":
        said = dialect.error_body(error)["error"]
        body["error"] = {"code": said["code"], "message": said["message"]}
    return {**body, "status": STATUSES.get(log.ending, "completed")}


def _event(frame: bytes) -> Any:
    for line in frame.split(b"\n"):
        if line.startswith(b"data: "):
            try:
                return msgspec.json.decode(line.removeprefix(b"data: "))
            except (msgspec.DecodeError, RecursionError, ValueError):
                return None
    return None


def _frames_before(values: list[str] | None) -> int:
    """Return how many frames a client with this ``starting_after`` has."""
    if not values or not values[-1]:
        return 0
    try:
        return parse_cursor(values[-1]) + 1
    except BadRequest as error:
        raise BadRequest(str(error), code="bad_cursor", param="starting_after") from error
