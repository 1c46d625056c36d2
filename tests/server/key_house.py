"""A relay with keys of every kind, in front of a simulator; and its routes, one by one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import aiohttp
from starlette.routing import Mount, Route

from tailrace.engine import Limits, Relay
from tailrace.server import KeySpec, ServerSpec, create_app, key_digest
from tailrace.server.page import page_routes
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.server.conftest import House, providers

ALICE, BOB = "key-of-alice-0001", "key-of-bob-0002"
READER = "key-for-anthropic-only-0003"
CLOSED = "key-that-opens-nothing-0004"
ADMIN = "key-for-operations-0005"

SPECS: dict[str, dict[str, Any]] = {
    ALICE: {},
    BOB: {},
    READER: {"doors": ("anthropic",), "models": ("ant/*",)},
    CLOSED: {"doors": (), "models": ()},
    ADMIN: {"doors": (), "models": (), "admin": True},
}

FORMS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")


def key_spec(key: str, **more: Any) -> KeySpec:
    return KeySpec(name=key, digest=key_digest(key), **more)


def server_spec(**more: Any) -> ServerSpec:
    named = tuple(key_spec(key, **opens) for key, opens in SPECS.items())
    return ServerSpec(**{"port": 0, "shutdown_grace": 0, "named_keys": named, **more})


@contextlib.asynccontextmanager
async def key_house(spec: ServerSpec | None = None, *, limits: Limits | None = None) -> AsyncIterator[House]:
    async with Simulator() as sim:
        relay = Relay(providers(sim), limits=limits)
        async with serving(relay, spec or server_spec()) as url, aiohttp.ClientSession() as http:
            yield House(url, sim, relay, http)


def headers(key: str, form: str = "authorization") -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if form == "authorization" else {form: key}


class Door(NamedTuple):
    """A route, with something in its path."""

    method: str
    path: str

    @property
    def id(self) -> str:
        return f"{self.method} {self.path}"


FREE = {"/health/live", "/health/ready", "/openapi.json"}
"""What anybody may ask: nothing in it is anybody's."""


def _files() -> set[str]:
    return {route.path for route in page_routes() if isinstance(route, Route | Mount)}


def routes() -> list[Door]:
    """Return every route of the server but those that are free, as the application has them."""
    found = [route for route in create_app(Relay({}), server_spec()).routes if isinstance(route, Route)]
    return [
        Door(method, filled(route.path))
        for route in found
        if route.path not in FREE | _files()
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


def filled(path: str, name: str = "unknown") -> str:
    return re.sub(r"\{\w+(:\w+)?\}", name, path)


async def begin(house: House, key: str, path: str = "/v1/messages", model: str = "ant/sim", **more: Any) -> str:
    """Have an answer written to its end; return its stream's id."""
    body = {"model": model, "max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "Hi"}], **more}
    async with house.http.post(house.url + path, json=body, headers=headers(key)) as response:
        assert response.status == 200, await response.text()
        await response.read()
        return str(response.headers["tailrace-stream-id"])


async def status(
    house: House, method: str, path: str, head: dict[str, str] | Iterable[tuple[str, str]], body: Any = None
) -> int:
    async with house.http.request(method, house.url + path, headers=head, json=body) as response:
        await response.read()
        return response.status
