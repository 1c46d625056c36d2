"""How many files, and so connections, this process may have."""

from __future__ import annotations

import sys

if sys.platform != "win32":
    import resource

SPARE_FILES = 64
"""File descriptors kept for what is no connection: logs, the ledger, the store, the listening socket."""


def max_connections() -> int:
    """Return how many clients this process can hold: each may need a second descriptor, for its provider."""
    if sys.platform == "win32":
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(1, (soft - SPARE_FILES) // 2)


def raise_file_limit() -> None:
    """Take as many file descriptors as this process may have: 1,024, the usual default, is 480 streams."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
