"""The listening socket: where, for whom, and how much the kernel may hold for each client."""

from __future__ import annotations

import math
import socket

from tailrace.engine import Limits
from tailrace.errors import ConfigError
from tailrace.server.hosts import is_loopback
from tailrace.server.spec import ServerSpec

SEND_BUFFER = 128 * 1024
"""Kernel memory for one client that does not read. Left alone, Linux grows it to about 2.8 MB on loopback, which
ten thousand stuck readers turn into 28 GB; 128 KiB still fills a 100 ms path with 1.3 MB/s, far above any model."""

NOTSENT = 32 * 1024
"""Bytes that the kernel takes beyond what it has sent: a client that does not read then costs it 45 KB instead of
260 (measured with ``SO_MEMINFO``), and what is written last, an error or a stop, waits behind 32 KiB, not 128."""

BACKLOG = 4096
"""Connections the kernel holds while the loop is busy; Linux caps it at net.core.somaxconn, 4096 by default."""


def bind(spec: ServerSpec, reader_stall: float = Limits().reader_stall) -> socket.socket:
    """Return a listening socket. Raises `ConfigError` for an address that cannot be had, or is open to all.

    A client that takes nothing for ``reader_stall`` seconds loses its connection, whatever is still to be sent.
    """
    if not spec.guarded and not is_loopback(spec.host):
        raise ConfigError(
            f"refusing to listen on {spec.host} without keys: anybody who reaches it could spend your money. "
            "Set server.keys, or bind 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in spec.host else socket.AF_INET
    # With the protocol named: asyncio switches Nagle's algorithm off only for sockets that say they are TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Closing is not enough: a transport with unsent bytes waits for its client, which may never read.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, math.ceil(reader_stall * 1000))
    try:
        sock.bind((spec.host, spec.port))
    except OSError as error:
        sock.close()
        raise ConfigError(f"cannot listen on {spec.host}:{spec.port}: {error.strerror}") from error
    sock.listen(BACKLOG)
    return sock


def url_of(sock: socket.socket) -> str:
    """Return the URL at which ``sock`` answers."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
