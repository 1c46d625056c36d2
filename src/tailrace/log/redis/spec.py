"""What the logs on Redis are told, as plain frozen values."""

from __future__ import annotations

from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

Durability: TypeAlias = Literal["D0", "D1", "D2", "D3"]
"""When a frame counts as stored: D0 and D1 Redis has it, D2 its append-only file is synced, D3 a replica has it too.

D1 differs from D0 in what is asked of the server: an append-only file. Without one a warning says that it is D0.
"""


class RedisSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A Redis server, or a master that sentinels know, and how long to wait for it. Times are in seconds.

    ``url`` may hold a password and is shown nowhere. With ``sentinels`` (host, port) its host does not matter:
    ``master`` is asked for instead. ``lease``: a node that has not been heard of for so long is dead, and its streams
    are ended by another; within twice that. ``write_wait``: how old a frame that could not be stored may become before
    its stream ends, and how long a stream is followed here without contact. Keys begin with ``prefix``.
    ``linger``: how long a copy of another node's stream stays here when nobody reads it.
    """

    url: str
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    durability: Durability = "D1"
    lease: float = 5.0
    write_wait: float = 10.0
    prefix: str = "tailrace:"
    linger: float = 30.0

    @property
    def interval(self) -> float:
        """How often a lease is renewed, dead ones are looked for, and what is followed is asked for unasked."""
        return self.lease / 5

    @property
    def reply_wait(self) -> float:
        """How long to wait for Redis before the connection is given up: a new one may work."""
        return min(self.write_wait / 4, self.lease / 2)

    @property
    def request_wait(self) -> float:
        """How long a client's request may wait for Redis in all: it is answered with 503 then, never left hanging."""
        return min(1.5, self.write_wait)

    @property
    def lapse(self) -> float:
        """How long after its last renewal a stream may have been taken over by another node at the earliest."""
        return self.lease + self.interval / 2

    @property
    def where(self) -> str:
        """The server's address, for messages: never its password."""
        if self.sentinels:
            return f"the master {self.master!r} of the sentinels"
        parts = urlsplit(self.url)
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}" if parts.scheme != "unix" else parts.path

    def __repr__(self) -> str:
        return f"RedisSpec({self.where}, {self.durability})"
