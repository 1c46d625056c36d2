"""What is no request, whatever its bytes parse as: judged from its head alone, and told in one form."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from tailrace.dialects import DIALECTS
from tailrace.events import Error
from tailrace.server.errors import NEUTRAL

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are passed on, most of them to be answered 405; httptools knows thirty more, CONNECT among them."""


class Refused(Exception):
    """A request that is not answered by any application. Raised inside the parser's callbacks, which stops it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Head(NamedTuple):
    """A request's head as it was parsed; names of fields in lower case."""

    method: str
    version: str
    target: bytes
    fields: list[tuple[bytes, bytes]]


def judged(head: Head, *, upgrades: bool) -> tuple[bytes, int | None]:
    """Return the target as path and query, and the length of the body: None when it comes in chunks.

    Raises `Refused`. ``upgrades`` is whether the parser takes it for a change of protocol.
    """
    if head.version not in {"1.0", "1.1"}:
        raise Refused(505, "only HTTP/1.1 is spoken here")
    if head.method not in METHODS:
        raise Refused(501, "an unknown method")
    fields: dict[bytes, list[bytes]] = {}
    for name, value in head.fields:
        fields.setdefault(name, []).append(value)
    target = _target(head, fields.get(b"host", []))
    length = _length(head, fields)
    if upgrades and length != 0:
        # The parser would skip the body, and take it for the other protocol.
        raise Refused(400, "no upgrade of a request with a body")
    if any(value.lower() != b"100-continue" for value in fields.get(b"expect", [])):
        raise Refused(417, "only 100-continue can be expected")
    return target, length


def _target(head: Head, hosts: list[bytes]) -> bytes:
    """RFC 9112 section 3.2: exactly one Host; and a target that names a host must name the same."""
    if len(hosts) > 1 or (not hosts and head.version == "1.1"):
        raise Refused(400, "a request has one Host")
    if head.target.startswith(b"/"):
        return head.target
    scheme, separator, rest = head.target.partition(b"://")
    authority, slash, path = rest.partition(b"/")
    if not separator or scheme.lower() not in {b"http", b"https"} or authority.lower() != b"".join(hosts).lower():
        raise Refused(400, "a target that is not on this server")
    return slash + path if slash else b"/"


def _length(head: Head, fields: dict[bytes, list[bytes]]) -> int | None:
    """RFC 9112 section 6: what two readers of a request could read differently is no request."""
    lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
    if codings and (lengths or head.version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
        raise Refused(400, "a body has a length, or comes in chunks")
    if len(lengths) > 1:
        raise Refused(400, "a body has one length")
    return int(lengths[0]) if lengths else None if codings else 0


def told(status: int, reason: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the whole answer that refuses a request, with ``headers``; the connection closes behind it."""
    kind: Any = {408: "timeout", 431: "too_large", 503: "overloaded"}.get(status, "invalid_request")
    known = HTTPStatus(status)
    error = Error(kind, reason, code=known.name.lower(), status=status)
    body = msgspec.json.encode(DIALECTS[NEUTRAL].error_body(error))
    fields = [
        *headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if known is HTTPStatus.SERVICE_UNAVAILABLE:
        fields.append((b"retry-after", b"1"))
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, known.phrase.encode(), lines, body)
