"""The doors of a chat of the AI SDK's: find its live answer by the chat's own id, to follow it or to stop it.

``useChat`` knows no stream, only its chat. When a page comes back it asks for the chat's answer and wants all of it
from the beginning, since it puts the message together anew; 204 says that nothing is being written. Its ``stop()`` only
closes the connection, which is no stop here (a route's policy says what it is); the SDK leaves a real one to the
application, so there is a door for it.

A chat's id is chosen by its client: it is looked up among the caller's own streams only, which are as bounded as the
logs are.
"""

from __future__ import annotations

from tailrace.engine import Relay
from tailrace.errors import RequestError
from tailrace.log import StreamLog
from tailrace.server.access import Access
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Receive, Scope, Send, encode_headers, send_json
from tailrace.server.respond import answer_resume

DIALECT = "ai_sdk"


class Chats:
    """The endpoints below ``/ui/chat/{chat_id}``."""

    def __init__(self, relay: Relay, access: Access) -> None:
        self._relay = relay
        self._access = access

    async def follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET …/stream``: the live answer from its beginning, or 204."""
        try:
            log = await self._live(scope)
        except RequestError as error:
            await send_error(send, event_of(error), DIALECT)
            return
        if log is None:
            await _nothing(send)
        else:
            with self._access.visit(log.info.owner):
                await answer_resume(self._relay, log, 0, receive, send)

    async def stop(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``POST …/stop``: end the live answer now, or 204: what is not being written needs no stop."""
        try:
            log = await self._live(scope)
            if log is not None:
                await self._relay.stop(log)
        except RequestError as error:
            await send_error(send, event_of(error), DIALECT)
            return
        if log is None:
            await _nothing(send)
            return
        state = "stopping" if log.ending is None else "ended"
        await send_json(send, 200, {"id": log.info.id, "state": state, "ending": log.ending})

    async def _live(self, scope: Scope) -> StreamLog | None:
        """Return the newest log of the caller's chat while it is being written; raises `RequestError`."""
        owner = self._access.who(scope, DIALECT).owner
        chat = scope["path_params"]["chat_id"]
        if not chat:
            # Streams that belong to no chat have this for its name.
            return None
        newest = await self._relay.store.find_named(owner, f"chat:{chat}")
        return newest if newest is not None and newest.ending is None and newest.info.dialect == DIALECT else None


async def _nothing(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": encode_headers({"cache-control": "no-store"})})
    await send({"type": "http.response.body", "body": b""})
