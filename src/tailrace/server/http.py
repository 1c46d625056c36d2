"""The small change of HTTP: reading a body within its cap, headers as a mapping, JSON answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

from tailrace.errors import BadRequest, Overloaded, TooLarge

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

MAX_BODIES = 256 * 1024 * 1024
"""Bytes of all requests' bodies that are being received or parsed in this process: eight of the largest at once."""

MAX_VALUES = 2_000_000
"""Values in a body. One costs at most 64 bytes beyond its text (an empty list is 56, and 8 in its parent's), so that
a body of 32 MiB that holds nothing but ``[]`` becomes 128 MiB and not 700. A million tokens hold a tenth of it."""

SMALL = 1024 * 1024
"""A body below this cannot hold enough values to be worth counting."""

OWN = 4 * 1024
"""Most bytes of a body of our own endpoints: a handful of fields."""

T = TypeVar("T")

_UNSPEAKABLE = re.compile("[^ -~]")


class Disconnected(Exception):
    """The client has gone."""


class Bodies:
    """What the bodies in flight may cost together; a door takes from it before it reads, and gives back."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    def take(self, size: int) -> None:
        """Take ``size`` bytes. Raises `Overloaded` when they are not there."""
        if self.taken + size > self.limit:
            raise Overloaded("too many large requests are being received", retry_after=2.0)
        self.taken += size

    def give(self, size: int) -> None:
        """Give ``size`` bytes back."""
        self.taken -= size


BODIES = Bodies(MAX_BODIES)
"""This process's."""


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the request's headers by lower-case name; of repeated ones the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_json(receive: Receive, headers: Mapping[str, str], limit: int) -> dict[str, Any]:
    """Return the request's body as a JSON object.

    Raises `TooLarge`, `BadRequest`, `Disconnected`, or `Overloaded` when all bodies together are too much: before
    any of it is read, where its length was announced.
    """
    return await _read(receive, headers, limit, _parse)


async def read_struct(receive: Receive, headers: Mapping[str, str], kind: type[T]) -> T:
    """Return the request's body as a ``kind``; an empty body is ``{}``. Raises as `read_json`.

    For bodies of our own endpoints: what they do not know is refused, so that nobody believes to have been understood.
    """

    def parse(body: bytearray) -> T:
        try:
            return msgspec.json.decode(body or b"{}", type=kind)
        except msgspec.ValidationError as error:
            raise BadRequest(f"the body is not what this takes: {error}", code="invalid_body") from error
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise BadRequest(f"the body is not JSON: {error}", code="invalid_json") from error

    return await _read(receive, headers, OWN, parse)


async def _read(receive: Receive, headers: Mapping[str, str], limit: int, parse: Callable[[bytearray], T]) -> T:
    announced = headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() else 0
    if size > limit:
        raise TooLarge(f"the body is larger than {limit} bytes", code="body_too_large")
    BODIES.take(size)
    body = bytearray()
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            body += message.get("body", b"")
            if len(body) > limit:
                raise TooLarge(f"the body is larger than {limit} bytes", code="body_too_large")
            if len(body) > size:
                BODIES.take(len(body) - size)
                size = len(body)
            if not message.get("more_body", False):
                return parse(body)
    finally:
        BODIES.give(size)


def _parse(body: bytearray) -> dict[str, Any]:
    if len(body) > SMALL and body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_VALUES:
        raise TooLarge(f"the body may hold more than {MAX_VALUES} values", code="too_many_values")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadRequest(f"the body is not JSON: {error}", code="invalid_json") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object", code="invalid_json")
    return value


def head_only(send: Send) -> Send:
    """Return a ``send`` that ends the answer behind its head, as HEAD wants: a stream would hold the connection."""

    async def only_head(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})

    return only_head


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
