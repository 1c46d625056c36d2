"""What one writes by hand: a StreamingResponse over an HTTP client's stream. PROVIDER names the base URL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

CLIENT = httpx2.AsyncClient(
    base_url=os.environ.get("PROVIDER", "http://127.0.0.1:1"),
    timeout=None,
    limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
)


async def relay(request: Request) -> StreamingResponse:
    body = await request.body()
    headers = {"content-type": "application/json"}
    response = await CLIENT.send(
        CLIENT.build_request("POST", request.url.path, content=body, headers=headers), stream=True
    )

    async def events() -> AsyncIterator[bytes]:
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        finally:
            await response.aclose()

    return StreamingResponse(events(), response.status_code, media_type="text/event-stream")


app = Starlette(routes=[Route("/{path:path}", relay, methods=["POST"])])
"""The rival."""
