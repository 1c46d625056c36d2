"""The chat page: static files that the package was built with."""

from __future__ import annotations

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


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page; without built files, one that says how to get them."""
    if not (DIRECTORY / "index.html").is_file():
        return [Route("/", _not_built)]
    files = StaticFiles(directory=DIRECTORY, html=True)
    return [Mount("/", app=_with_headers(files))]


async def _not_built(_request: object) -> PlainTextResponse:
    return PlainTextResponse(
        "This installation was built without the chat page. From a clone, run `make page`; "
        "the API on this port works without it.\n",
        status_code=404,
    )


def _with_headers(app: ASGIApp) -> ASGIApp:
    extra = [(name.encode(), value.encode()) for name, value in PAGE_HEADERS.items()]

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await app(scope, receive, sending)

    return wrapped
