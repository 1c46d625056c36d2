"""Which ``Host`` names are answered, and whose pages: the guard against DNS rebinding and cross-site requests.

A page on any site can make a browser send requests to 127.0.0.1, but it cannot make it send ``Host: localhost``
from a name of its own; and nothing in a ``Host`` but a name and a port is let through to routing or logs. It can
send a POST there without reading the answer, which costs money all the same; but its ``Origin`` then tells on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from tailrace.events import Error
from tailrace.server.errors import send_error
from tailrace.server.http import head_only

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?", re.ASCII)
"""RFC 9110 section 7.2, without the exotic forms of RFC 3986 that no browser sends."""


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that begin nothing (RFC 9110 section 9.2.1)."""

BAD_HOST = Error("invalid_request", "this server does not answer to that Host", code="bad_host", status=421)
BAD_ORIGIN = Error(
    "permission",
    "pages of that origin may not ask here: list it in server.cors_origins, or set server.keys",
    code="bad_origin",
    status=403,
)


class HostGuard:
    """Middleware that refuses other hosts with 421, and pages of other sites with 403.

    ``allowed`` names hosts; none means that any well-formed one is. ``origins`` are further origins whose pages may
    ask; None, for servers where a key is needed anyway, means that any may.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str], origins: Iterable[str] | None = None) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed)
        self._origins = None if origins is None else frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            send = head_only(send)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not self._welcome(scope):
            await send_error(send, BAD_HOST)
        elif not self._may_ask(scope):
            await send_error(send, BAD_ORIGIN)
        else:
            await self._app(scope, receive, send)

    def _may_ask(self, scope: Scope) -> bool:
        if self._origins is None or not self._allowed or scope["method"] in SAFE_METHODS:
            return True
        values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"origin"]
        return "*" in self._origins or all(value in self._origins or self._is_ours(value) for value in values)

    def _is_ours(self, origin: str) -> bool:
        _, _, host = origin.partition("://")
        match = _HOST.fullmatch(host)
        return match is not None and (match[1] or match[2]).lower() in self._allowed

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
    """Whether only this machine can reach ``host``. A name counts only if it is ``localhost``: ``127.example.org`` is
    somebody's.
    """
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
