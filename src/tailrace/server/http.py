"""The small change of HTTP: reading a body within its cap, headers as a mapping, JSON answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias

import msgspec

from tailrace.errors import BadRequest, TooLarge

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STREAM_HEADERS: tuple[tuple[str, str], ...] = (
    # no-transform keeps proxies from compressing, which buffers (RFC 9111 section 5.2.2.6).
    ("cache-control", "no-cache, no-transform"),
    # nginx and its kin deliver each write as it comes.
    ("x-accel-buffering", "no"),
)
"""What keeps the hops between here and the reader from holding events back."""

MAX_IGNORED = 1024
"""Most characters of names in ``tailrace-ignored``. A long conversation can have hundreds, and proxies refuse an
answer whose head is above 4 KiB."""

_UNSPEAKABLE = re.compile("[^ -~]")


class Disconnected(Exception):
    """The client has gone."""


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the request's headers by lower-case name; of repeated ones the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_json(receive: Receive, headers: Mapping[str, str], limit: int) -> dict[str, Any]:
    """Return the request's body as a JSON object; raises `TooLarge`, `BadRequest` or `Disconnected`."""
    body = await _read_body(receive, headers, limit)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadRequest(f"the body is not JSON: {error}", code="invalid_json") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object", code="invalid_json")
    return value


async def _read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes", code="body_too_large")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge(f"the body is larger than {limit} bytes", code="body_too_large")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone. Somebody must await this, or an ASGI server's hang-up is never noticed."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


def watch_disconnect(receive: Receive) -> asyncio.Task[None]:
    """Watch for the client's going in a task of its own."""
    return asyncio.create_task(disconnected(receive), name="tailrace disconnect watch")


def encode_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return ``headers`` as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]


def ignored_header(names: Sequence[str]) -> str:
    """Return the value of ``tailrace-ignored``: as many names as fit, with "?" for what no header may hold."""
    shown: list[str] = []
    room = MAX_IGNORED
    for name in names:
        room -= len(name) + len(", ")
        if room < 0:
            shown.append(f"and {len(names) - len(shown)} more")
            break
        shown.append(_UNSPEAKABLE.sub("?", name))
    return ", ".join(shown)


async def send_json(send: Send, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
    """Answer with a JSON document."""
    data = msgspec.json.encode(body)
    all_headers = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    await send({"type": "http.response.start", "status": status, "headers": encode_headers(all_headers)})
    await send({"type": "http.response.body", "body": data})
