"""The server without sockets: requests go into the ASGI app by hand, thousands while sockets would carry a few."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp

from chaos.raw import Body


async def call(
    app: ASGIApp, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Body:
    """Send one request and return its whole answer."""
    target, _, query = path.partition("?")
    named = {"host": "127.0.0.1", "content-type": "application/json", **(headers or {})}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    asked = [{"type": "http.request", "body": body, "more_body": False}]
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answer: dict[str, Any] = {}
    came: list[bytes] = []
    complete = False

    async def receive() -> dict[str, Any]:
        if asked:
            return asked.pop()
        await over
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal complete
        if message["type"] == "http.response.start":
            answer.update(message)
        else:
            came.append(message.get("body", b""))
            complete = not message.get("more_body", False)

    try:
        await app(scope, receive, send)
    finally:
        over.cancel()
    named = {name.decode().lower(): value.decode() for name, value in answer.get("headers", ())}
    return Body(answer.get("status"), named, b"".join(came), complete)
