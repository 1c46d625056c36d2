"""What the server is told: where to listen and whom to answer."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import msgspec

from tailrace.engine import Secret


class KeySpec(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a client may present, and what it opens.

    ``digest`` is the SHA-256 of the key in hex: the key itself is kept nowhere. ``name`` is for logs, and is no
    secret. ``models`` are glob patterns of what clients ask for (a route, ``provider/model``), ``doors`` dialects or
    ``*``; nothing in either of them opens nothing. ``admin``: operations such as ``/metrics``. ``streams`` run at once
    in one process, ``requests_per_minute`` and ``tokens_per_day`` (in and out) are counted over all nodes that share
    their counters; None is no limit.
    """

    name: str
    digest: str
    models: tuple[str, ...] = ("*",)
    doors: tuple[str, ...] = ("*",)
    admin: bool = False
    streams: int | None = None
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None


class KeySource(Protocol):
    """Where keys are read again from while the server runs. Both methods touch files, and are called in a thread."""

    @property
    def seen(self) -> object:
        """What `stamp` said when the keys were last read."""

    def stamp(self) -> object:
        """Return what changes when the files change."""

    def read(self) -> tuple[KeySpec, ...]:
        """Return the keys as the files have them now; raises `ConfigError`."""


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where and for whom.

    ``keys`` open everything; ``named_keys`` what they say. A client must present one of either; none, and no
    ``key_source`` to read some from: everybody on this machine is welcome, and only loopback is bound.
    ``token_key`` signs view tokens; None: a random one, so that tokens end with the process. ``counters`` is the URL
    of the Redis in which several nodes count together what keys have used; None: this process counts alone.
    ``allowed_hosts``: the names a request's ``Host`` may give; empty: loopback names when bound to loopback,
    else any. ``cors_origins``: web origins that may call from a browser. ``workers``: processes that share the
    address. ``shutdown_grace``: seconds that open streams get to finish after SIGTERM. ``ready_delay``: seconds of
    these in which the server goes on listening, not ready and refusing new work, so that a balancer which asks
    `/health/ready` stops sending before it meets a closed port.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    keys: tuple[Secret, ...] = ()
    named_keys: tuple[KeySpec, ...] = ()
    key_source: Any = None
    token_key: Secret | None = None
    counters: Secret | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    workers: int = 1
    shutdown_grace: float = 10.0
    ready_delay: float = 0.0

    @property
    def guarded(self) -> bool:
        """Whether a client needs a key."""
        return bool(self.keys or self.named_keys) or self.key_source is not None

    @property
    def every_key(self) -> tuple[KeySpec, ...]:
        """The keys of both kinds."""
        return (*full_keys(self.keys), *self.named_keys)


def full_keys(keys: tuple[Secret, ...]) -> tuple[KeySpec, ...]:
    """Return what a plain list of keys means: each opens everything."""
    return tuple(
        KeySpec(name=f"server.keys[{at}]", digest=digest(key.reveal()), admin=True) for at, key in enumerate(keys)
    )


def digest(key: str) -> str:
    """Return the SHA-256 of a key in hex: its identity, and the owner of the streams that are begun with it."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
