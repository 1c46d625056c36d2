"""Which ``Host`` names are answered: the guard against DNS rebinding and Host-header tricks.

A page on any site can make a browser send requests to 127.0.0.1, but it cannot make it send ``Host: localhost``
from a name of its own; and nothing in a ``Host`` but a name and a port is let through to routing or logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from tailrace.events import Error
from tailrace.server.errors import send_error

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?", re.ASCII)
"""RFC 9110 section 7.2, without the exotic forms of RFC 3986 that no browser sends."""


class HostGuard:
    """Middleware that refuses other hosts with 421. ``allowed`` names; none means that any well-formed one is."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or self._welcome(scope):
            await self._app(scope, receive, send)
            return
        error = Error("invalid_request", "this server does not answer to that Host", code="bad_host", status=421)
        await send_error(send, error)

    def _welcome(self, scope: Scope) -> bool:
        values = [value for name, value in scope["headers"] if name.lower() == b"host"]
        if len(values) != 1:
            return False
        match = _HOST.fullmatch(values[0].decode("latin-1"))
        if match is None:
            return False
        return not self._allowed or (match[1] or match[2]).lower() in self._allowed


def allowed_hosts(host: str, configured: Iterable[str]) -> tuple[str, ...]:
    """Return the names to allow for a server bound to ``host``."""
    names = tuple(configured)
    if "*" in names:
        return ()
    if names:
        return names
    return (*sorted(LOOPBACK), host) if is_loopback(host) else ()


def is_loopback(host: str) -> bool:
    """Whether ``host`` can only be reached from this machine."""
    return host in LOOPBACK or host.startswith("127.")
