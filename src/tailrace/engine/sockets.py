"""Sockets to providers: what the kernel takes in for us is bounded too."""

from __future__ import annotations

import socket
from typing import Any

RECEIVE_BUFFER = 256 * 1024
"""Bytes of an answer that the kernel takes in before the relay reads them; Linux counts as much again for itself.

Left alone it grows to megabytes a connection (tcp(7), ``tcp_rmem``), and a provider that is held back would learn of it
only then. A window of this size still carries 1.2 MB/s over a round trip of 200 ms, far more than a model writes.
"""


def upstream_socket(address: tuple[Any, ...]) -> socket.socket:
    """Return a socket for an entry of ``getaddrinfo``; it is bounded before it connects, when windows are agreed."""
    family, kind, protocol = address[:3]
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return sock
