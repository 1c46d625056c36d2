"""View tokens: a stream shown to a browser that must not have the key.

``vt1.<scope>-<expiry>.<mac>``: what it is good for, until when (Unix seconds), and an HMAC-SHA-256 over these, the
stream's id and its owner. Stream and owner are not in the token: the one is in the URL it is used at, the other in the
stream's log, so a token says nothing about a key, and fits no other stream. It goes into URLs, where EventSource has
nothing else; so it is short-lived, opens one stream only, and reads or stops it, nothing more.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import msgspec

from tailrace.engine import Secret
from tailrace.errors import NotFound, Unauthenticated
from tailrace.log import StreamInfo

Scope: TypeAlias = Literal["read", "stop"]

PREFIX = "vt1."

MAX_SECONDS = 24 * 3600
"""Longest life of a token. Who may watch for longer than a day has a key."""

_FORM = re.compile(r"vt1\.(read|stop)-([0-9]{1,12})\.([A-Za-z0-9_-]{43})", re.ASCII)


class TokenAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for with ``POST /streams/{id}/tokens``. ``stop`` may read, too."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_SECONDS)] = 300
    scope: Scope = "read"


class Token(msgspec.Struct, frozen=True):
    """A token as its owner is told it; ``expires`` in Unix seconds."""

    token: str
    stream: str
    scope: Scope
    expires: int


class Mint:
    """Makes tokens and checks them. Without ``key`` they end with this process, and work in no other."""

    def __init__(self, key: Secret | None = None, *, clock: Callable[[], float] = time.time) -> None:
        # A key of its own for this purpose, so that the same secret elsewhere signs nothing that counts here.
        secret = key.reveal().encode() if key else secrets.token_bytes(32)
        self._key = hmac.digest(secret, b"tailrace view token 1", "sha256")
        self._clock = clock

    def make(self, info: StreamInfo, ask: TokenAsk) -> Token:
        """Return a token for the stream of ``info``."""
        expires = int(self._clock()) + ask.seconds
        said = f"{ask.scope}-{expires}"
        return Token(f"{PREFIX}{said}.{self._mac(info, said)}", info.id, ask.scope, expires)

    def check(self, token: str, info: StreamInfo, wanted: Scope) -> None:
        """Return if ``token`` allows ``wanted`` with the stream of ``info``.

        Raises `NotFound`, as for an unknown stream, for whatever was not made here for that stream and purpose, and
        `Unauthenticated` (``token_expired``) for what was and is over.
        """
        match = _FORM.fullmatch(token)
        if match is None:
            raise no_stream()
        scope, expires, mac = match.groups()
        right = hmac.compare_digest(mac, self._mac(info, f"{scope}-{expires}"))
        if not right or (wanted == "stop" and scope != "stop"):
            raise no_stream()
        if self._clock() >= int(expires):
            raise Unauthenticated("this view token has expired", code="token_expired")

    def _mac(self, info: StreamInfo, said: str) -> str:
        # NUL is in none of the three, so no two triples are written alike.
        mac = hmac.digest(self._key, f"{said}\x00{info.owner}\x00{info.id}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def no_stream() -> NotFound:
    """Return what is said of a stream that is unknown, expired or another's: always the same."""
    return NotFound("no stream of that id", code="stream_not_found")
