"""What can be asked for.

``GET /v1/models`` is for OpenAI's, Anthropic's and Google's SDKs, ``GET /api/tags`` for Ollama's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tailrace.engine import ProviderSpec, Relay
from tailrace.errors import RequestError
from tailrace.server.access import Access
from tailrace.server.errors import NEUTRAL, event_of, send_error
from tailrace.server.http import Receive, Scope, Send, send_json
from tailrace.server.keys import Identity

_EPOCH = datetime.fromtimestamp(0, UTC).isoformat().replace("+00:00", "Z")
"""Nobody here knows when a model was made; both SDKs insist on a date."""


OLLAMA_API = "0.12.11"
"""Release of Ollama whose chat API the door speaks (the one with ``logprobs``): clients enable features by it."""


class Models:
    """The list of models."""

    def __init__(self, relay: Relay, access: Access) -> None:
        self._router = relay.router
        self._access = access

    async def list(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer with the routes and listed models that the caller may ask."""
        google = scope["path"].startswith("/v1beta/")
        identity = await self._allowed(scope, send, "gemini" if google else "", key_in_query=google)
        if identity is None:
            return
        data = list(self._entries(identity))
        names = [entry["id"] for entry in data]
        await send_json(
            send,
            200,
            {
                "object": "list",
                "data": data,
                "has_more": False,
                "first_id": names[0] if names else None,
                "last_id": names[-1] if names else None,
                # Google's clients ask at the same path, and look for this field.
                "models": [_generating(name) for name in names],
            },
        )

    async def tags(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer with the same in Ollama's form. It asks for a size, a digest and a date, which nobody here knows."""
        identity = await self._allowed(scope, send, "ollama")
        if identity is not None:
            await send_json(send, 200, {"models": [_tag(entry["id"]) for entry in self._entries(identity)]})

    async def version(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``GET /api/version``: what Ollama's clients look at before they ask for anything else."""
        if await self._allowed(scope, send, "ollama") is not None:
            await send_json(send, 200, {"version": OLLAMA_API})

    async def _allowed(self, scope: Scope, send: Send, door: str, *, key_in_query: bool = False) -> Identity | None:
        try:
            return self._access.who(scope, door, key_in_query=key_in_query)
        except RequestError as error:
            await send_error(send, event_of(error), door or NEUTRAL)
            return None

    def _entries(self, identity: Identity) -> Iterator[dict[str, Any]]:
        for route in self._router.routes.values():
            if identity.may_use(route.name):
                yield _entry(route.name, self._router.providers[route.targets[0].provider], owner="tailrace")
        for spec in self._router.providers.values():
            for model in spec.models:
                if identity.may_use(name := f"{spec.name}/{model}"):
                    yield _entry(name, spec, owner=spec.name)


def _entry(name: str, spec: ProviderSpec, *, owner: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "type": "model",
        "display_name": name,
        "created": 0,
        "created_at": _EPOCH,
        "owned_by": owner,
        "tailrace": {"dialect": spec.dialect, "local": spec.local, "simulated": spec.simulated},
    }


def _generating(name: str) -> dict[str, Any]:
    methods = ["generateContent", "streamGenerateContent"]
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods}


def _tag(name: str) -> dict[str, Any]:
    details = {"parent_model": "", "format": "", "family": "", "families": []}
    return {
        "name": name,
        "model": name,
        "modified_at": _EPOCH,
        "size": 0,
        "digest": "",
        "details": {**details, "parameter_size": "", "quantization_level": ""},
    }
