"""What a request meets when the server is about to go away."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp

from tailrace.engine import Relay
from tailrace.server.http import Receive, Scope, Send


class DrainingApp:
    """The app, with connections closed after their answer once the relay drains: the next request goes elsewhere.

    ``failure`` is what kept its lifespan from starting, which uvicorn would only log.
    """

    def __init__(self, app: ASGIApp, relay: Relay) -> None:
        self.failure: Exception | None = None
        self._app = app
        self._relay = relay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Asked only when it begins, so that a stream's writes pay nothing for it."""
        try:
            await self._app(scope, receive, _closing(send) if self._relay.draining else send)
        except Exception as error:
            if scope["type"] == "lifespan":
                self.failure = error
            raise


def _closing(send: Send) -> Send:
    async def closing(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return closing
