"""What can be wrong with a ledger's file: foreign exceptions become one of two here, at the room's border.

What an administrator must put right before a start is a `ConfigError`; what may pass by itself is `Unwritable`.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from tailrace.errors import ConfigError

_SQLITE: dict[int, str] = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_IOERR: "io_error",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_PERM: "read_only",
    sqlite3.SQLITE_CANTOPEN: "cannot_open",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
"""Primary result codes (sqlite.org/rescode.html) to the reasons that logs and metrics name."""

_SYSTEM: dict[int | None, str] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EIO: "io_error",
    errno.EFBIG: "io_error",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
}

ADVICE: dict[str, str] = {
    "read_only": "it cannot be written: give this user the right to, or name another place with ledger.path",
    "cannot_open": "it cannot be opened: name a file in a folder that this user may write with ledger.path",
    "damaged": "it is damaged: move it away and start again, a new one is begun; "
    "`sqlite3 FILE .recover` saves what can still be read of the old one",
    "other": "SQLite cannot work with it: start with the Tailrace that wrote it, or name another file with ledger.path",
}
"""What only somebody with hands can put right, and how."""


class Unwritable(Exception):
    """The file cannot be written or read now. ``reason`` is one word of a fixed set, for logs and metrics."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@contextmanager
def mapped() -> Iterator[None]:
    """Raise `Unwritable` for whatever SQLite, a lock file or the system complains about."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code, the rest says more about it.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise Unwritable(_SQLITE.get(code, "other"), str(error)) from error
    except filelock.Timeout as error:
        raise Unwritable("locked", "another process is starting with it") from error
    except OSError as error:
        raise Unwritable(_SYSTEM.get(error.errno, "cannot_open"), error.strerror or type(error).__name__) from error


def unusable(path: Path, fault: Unwritable) -> ConfigError | None:
    """Return the error that ends a start, where waiting will not help."""
    advice = ADVICE.get(fault.reason)
    return None if advice is None else ConfigError(f"the ledger cannot be used ({fault}): {advice}", where=str(path))
