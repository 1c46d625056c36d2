"""The ASGI application: every route of the server in one list."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tailrace.dialects import DIALECTS
from tailrace.engine import FAULT, Relay, trace
from tailrace.events import Error
from tailrace.server.access import Access
from tailrace.server.chats import Chats
from tailrace.server.doors import DOORS, Door
from tailrace.server.errors import NEUTRAL
from tailrace.server.hosts import HostGuard, allowed_hosts
from tailrace.server.http import Receive, Scope, Send, send_json
from tailrace.server.metrics import Metrics
from tailrace.server.models import Models
from tailrace.server.openapi import OpenApi
from tailrace.server.page import page_routes
from tailrace.server.reload import KeyWatch
from tailrace.server.responses import Responses
from tailrace.server.spec import ServerSpec
from tailrace.server.streams import Streams

_log = structlog.get_logger("tailrace.server")

Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]

EXPOSED = ("tailrace-stream-id", "tailrace-dialect", "tailrace-ignored", "request-id", "retry-after")
"""Response headers that a page of another origin may read."""


class _Asgi:
    """An endpoint as an object: Starlette wraps functions in a request/response pair, which cannot stream our way."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)


def create_app(relay: Relay, spec: ServerSpec | None = None, *, worker: int = 0) -> Starlette:
    """Return the server as an ASGI app; to be mounted in another one, enter ``relay`` in that one's lifespan.

    ``worker`` is this process's number among several on one address, from 1 on, or 0 where it is alone.
    """
    spec = spec or ServerSpec()
    access = Access(spec)
    watch = KeyWatch(access, spec.key_source) if spec.key_source is not None else None
    metrics = Metrics(relay, access, worker)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with relay, access, _running(watch):
            metrics.lag.start()
            yield
            metrics.lag.stop()

    names = allowed_hosts(spec.host, spec.allowed_hosts)
    # A page of another site cannot know a key; where none is needed, where it comes from must do.
    middleware = [Middleware(HostGuard, allowed=names, origins=None if spec.guarded else spec.cors_origins)]
    if spec.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(spec.cors_origins),
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=EXPOSED,
            )
        )
    app = Starlette(
        routes=_routes(relay, access, metrics, keyed=spec.guarded),
        middleware=middleware,
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error, Exception: _bug},  # type: ignore[dict-item]
    )
    app.state.key_watch = watch
    return app


@contextlib.asynccontextmanager
async def _running(watch: KeyWatch | None) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run(), name="tailrace key watch") if watch else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _routes(relay: Relay, access: Access, metrics: Metrics, *, keyed: bool) -> list[BaseRoute]:
    streams = Streams(relay, access)
    models = Models(relay, access)
    responses = Responses(relay, access)
    chats = Chats(relay, access)
    endpoints: list[tuple[str, str, Endpoint]] = [
        *(("POST", door.path, Door(relay, access, door)) for door in DOORS),
        ("GET", "/v1/responses/{response_id}", responses.retrieve),
        ("POST", "/v1/responses/{response_id}/cancel", responses.cancel),
        # A chat's id may hold a slash, which the client encodes and the server decodes before it looks for a route.
        ("GET", "/ui/chat/{chat_id:path}/stream", chats.follow),
        ("POST", "/ui/chat/{chat_id:path}/stop", chats.stop),
        ("GET", "/v1/models", models.list),
        ("GET", "/v1beta/models", models.list),
        ("GET", "/api/tags", models.tags),
        ("GET", "/api/version", models.version),
        ("GET", "/streams", streams.list),
        ("GET", "/streams/{stream_id}", streams.follow),
        ("GET", "/streams/{stream_id}/fields", streams.fields),
        ("POST", "/streams/{stream_id}/stop", streams.stop),
        ("POST", "/streams/{stream_id}/tokens", streams.token),
        ("GET", "/streams/{stream_id}/message", streams.message),
        ("GET", "/metrics", metrics),
        ("GET", "/health/live", _live),
        ("GET", "/health/ready", _ready_of(relay)),
    ]
    told = ("GET", "/openapi.json")
    routes = [*((method, path) for method, path, _ in endpoints), told]
    endpoints.append((*told, OpenApi(routes, keyed=keyed)))
    return [
        *(Route(path, _Asgi(endpoint), methods=[method]) for method, path, endpoint in endpoints),
        *page_routes(),
    ]


async def _live(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send_json(send, 200, {"status": "live"})


def _ready_of(relay: Relay) -> Endpoint:
    async def ready(_scope: Scope, _receive: Receive, send: Send) -> None:
        status: tuple[int, str] = (503, "draining") if relay.draining else (200, "ready")
        await send_json(send, status[0], {"status": status[1], "streams": relay.live})

    return ready


async def _http_error(request: Request, error: HTTPException) -> Response:
    kind: Any = {404: "not_found", 405: "invalid_request"}.get(error.status_code, "invalid_request")
    said = Error(kind, f"{error.detail}: {request.method} {request.scope['path']}", status=error.status_code)
    dialect = _dialect_at(request.method, request.scope["path"])
    return JSONResponse(DIALECTS[dialect].error_body(said), error.status_code, dict(error.headers or {}))


def _dialect_at(method: str, path: str) -> str:
    """Return the dialect in which a client that meant the door at ``path`` expects its error."""
    meant = [door for door in DOORS if "{" in door.path and path.startswith(door.path.partition("{")[0])]
    return meant[0].dialect if meant and method == "POST" else NEUTRAL


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("server_bug", path=request.scope["path"], exception=trace(error))
    return JSONResponse(DIALECTS[NEUTRAL].error_body(FAULT), 500)
