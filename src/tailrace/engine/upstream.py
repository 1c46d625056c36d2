"""What the engine asks of whoever brings an answer's bytes, and what it offers them.

Contract of `Upstream.run`:

U1. ``source.accepted()`` is called once, when the provider has said yes, before the first ``feed``.
U2. ``source.feed(data)`` is synchronous: when it returns, the bytes have gone all the way to every reader that can
    take them. Before reading on, ``await source.ready()``: it waits while nobody can take more.
U3. ``run`` returns at the end of input, raises `ProviderError` (or `RemoteProtocolError`) for every failure, and
    lets no foreign exception out.
U4. Cancelled, it closes its connection at once and releases everything: that is how a stop reaches the provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a provider, in the provider's own dialect.

    ``path`` is below the provider's base URL; ``client_headers`` are the client's own, where both sides speak the
    same dialect; ``connect`` is how many seconds a connection may take.
    """

    model: str
    path: str
    body: dict[str, Any]
    client_headers: Mapping[str, str] = {}
    connect: float = 10.0


class Source(Protocol):
    """The engine's end of an upstream connection."""

    def accepted(self) -> None:
        """Say that the provider has accepted the request."""

    def feed(self, data: bytes) -> None:
        """Hand over the next bytes of the answer."""

    async def ready(self) -> None:
        """Wait until the next bytes are wanted."""


class Upstream(Protocol):
    """A way to one provider."""

    async def run(self, call: Call, source: Source) -> None:
        """Bring one answer; see the contract above."""

    async def aclose(self) -> None:
        """Close idle connections; nothing is running any more."""
