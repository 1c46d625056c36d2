"""The chat page: static files that the package was built with."""

from __future__ import annotations

import mimetypes
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

DIRECTORY = Path(__file__).parent / "page"

PAGE_HEADERS: dict[str, str] = {
    # Nothing from elsewhere: not the model's Markdown, not an injected script (docs/decisions/0006-the-page.md).
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


HASHED = {"cache-control": "public, max-age=31536000, immutable"}
"""For files whose name holds their content's hash."""

FRESH = {"cache-control": "no-cache"}
"""For files whose name stays: asked for again each time, answered by 304 while unchanged."""


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page, file by file; without built files, one that says how to get them.

    Not one mount at ``/``: that would take every path that no other route wants, and answer a GET at a POST door.
    """
    # Reads the system's lists of file types now; the first request for a file would read them in the event loop.
    mimetypes.init()
    if not (DIRECTORY / "index.html").is_file():
        return [Route("/", _not_built)]
    fresh = WithHeaders(StaticFiles(directory=DIRECTORY, html=True), FRESH)
    routes: list[BaseRoute] = [Route("/", fresh, methods=["GET"])]
    for path in sorted(DIRECTORY.iterdir()):
        if path.is_dir():
            routes.append(Mount(f"/{path.name}", app=WithHeaders(StaticFiles(directory=path), HASHED)))
        else:
            routes.append(Route(f"/{path.name}", fresh, methods=["GET"]))
    return routes


async def _not_built(_request: object) -> PlainTextResponse:
    return PlainTextResponse(
        "This installation was built without the chat page. From a clone, run `make page`; "
        "the API on this port works without it.\n",
        status_code=404,
    )


class WithHeaders:
    """Wraps an ASGI app so that its answers carry the page's headers."""

    def __init__(self, app: ASGIApp, more: dict[str, str]) -> None:
        self._app = app
        self._extra = [(name.encode(), value.encode()) for name, value in (PAGE_HEADERS | more).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, adding to the head of its answer."""

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._extra]
            await send(message)

        await self._app(scope, receive, sending)
