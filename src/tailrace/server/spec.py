"""What the server is told: where to listen and whom to answer."""

from __future__ import annotations

import msgspec

from tailrace.engine import Secret


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where and for whom.

    ``keys``: a client must present one of them; none: everybody on this machine is welcome, and only loopback is
    bound. ``allowed_hosts``: the names a request's ``Host`` may give; empty: loopback names when bound to loopback,
    else any. ``cors_origins``: web origins that may call from a browser. ``workers``: processes that share the
    address. ``shutdown_grace``: seconds that open streams get to finish after SIGTERM. ``ready_delay``: seconds of
    these in which the server goes on listening, not ready and refusing new work, so that a balancer which asks
    `/health/ready` stops sending before it meets a closed port.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    keys: tuple[Secret, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    workers: int = 1
    shutdown_grace: float = 10.0
    ready_delay: float = 0.0
