"""``GET /v1/models``: what can be asked for, in a form that both OpenAI's and Anthropic's SDKs read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tailrace.engine import ProviderSpec, Relay
from tailrace.errors import RequestError
from tailrace.server.auth import Keyring
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Receive, Scope, Send, headers_of, send_json

_EPOCH = datetime.fromtimestamp(0, UTC).isoformat().replace("+00:00", "Z")
"""Nobody here knows when a model was made; both SDKs insist on a date."""


class Models:
    """The list of models."""

    def __init__(self, relay: Relay, keyring: Keyring) -> None:
        self._router = relay.router
        self._keyring = keyring

    async def list(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer with all routes and all listed models."""
        try:
            self._keyring.identify(headers_of(scope))
        except RequestError as error:
            await send_error(send, event_of(error))
            return
        data = list(self._entries())
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
            },
        )

    def _entries(self) -> Iterator[dict[str, Any]]:
        for route in self._router.routes.values():
            yield _entry(route.name, self._router.providers[route.targets[0].provider], owner="tailrace")
        for spec in self._router.providers.values():
            for model in spec.models:
                yield _entry(f"{spec.name}/{model}", spec, owner=spec.name)


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
