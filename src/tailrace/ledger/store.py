"""The ledger's file, synchronously: everything here runs in the ledger's one thread.

Every method but `Store.open` may find the file not open, because it could not be before, and opens it first.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from tailrace.errors import ConfigError
from tailrace.ledger import schema
from tailrace.ledger.base import Orphan, Outcome, Row
from tailrace.ledger.faults import Unwritable, mapped, unusable
from tailrace.ledger.owed import Batch
from tailrace.ledger.writers import Writers

Synchronous: TypeAlias = Literal["normal", "full"]
"""``normal``: what was stored outlives this process. ``full``: a power cut too, at one fsync for each commit."""

BUSY = 2.0
"""Seconds to wait for another process's transaction. A relay's takes milliseconds; past this it is a person with a
shell or a backup, and nobody's first word should wait for them."""

CHECKED = 64 * 1024 * 1024
"""Bytes up to which a file is checked whole at the start, which takes about a second for so much; a larger one shows
its damage when it gets there."""


class Store:
    """One writer's connection to the file at ``path``."""

    def __init__(self, path: Path, *, synchronous: Synchronous = "normal", busy: float = BUSY) -> None:
        self._path = path
        self._synchronous = synchronous
        self._busy = busy
        self._writers = Writers(path)
        self._entered = False
        self._checked = False
        self._orphans: list[Orphan] = []
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] = (0, 0)

    def open(self) -> sqlite3.Connection:
        """Open the file, made or migrated where needed; return the connection. Raises `ConfigError` or `Unwritable`."""
        try:
            with mapped(), self._writers.starting(self._busy):
                if not self._entered:
                    self._writers.enter()
                    self._entered = True
                return self._connect()
        except Unwritable as fault:
            self._disconnect()
            if error := unusable(self._path, fault):
                raise error from fault
            raise

    def write(self, batch: Batch) -> None:
        """Store all of ``batch`` or nothing; harmless when repeated. Raises `Unwritable`."""
        writer = self._writers.own
        entries = batch.values()
        with self._transaction() as connection:
            kept = [entry for entry in entries if not entry.withdrawn]
            connection.executemany(schema.OPEN, [schema.opening(entry.attempt, writer) for entry in kept])
            closed = [schema.closing(entry.attempt.id, entry.outcome) for entry in kept if entry.outcome]
            connection.executemany(schema.CLOSE, closed)
            connection.executemany(schema.WITHDRAW, [(entry.attempt.id,) for entry in entries if entry.withdrawn])

    def recover(self) -> list[Orphan]:
        """Close the rows that dead writers left open, and return them.

        Raises `Unwritable`; what was closed before that is returned by the next call.
        """
        with self._usable() as connection:
            found = {writer for (writer,) in connection.execute(schema.UNFINISHED, (self._writers.own,))}
            found |= self._writers.others()
        for writer in sorted(found):
            self._orphans += self._recover(writer)
        orphans, self._orphans = self._orphans, []
        return orphans

    def unknown(self) -> list[Orphan]:
        """Return the rows that were closed for dead writers and of which nothing is known yet. Raises `Unwritable`."""
        with self._usable() as connection:
            return [Orphan(*values) for values in connection.execute(schema.UNKNOWN)]

    def amend(self, outcomes: Mapping[str, Outcome]) -> None:
        """Say more of orphans. Raises `Unwritable`."""
        with self._transaction() as connection:
            connection.executemany(schema.AMEND, [schema.closing(*one) for one in outcomes.items()])

    def rows(self, stream: str | None, limit: int) -> list[Row]:
        """Return the newest rows, newest first. Raises `Unwritable`."""
        with self._usable() as connection:
            return _rows(connection, stream, limit)

    def close(self) -> None:
        """Close the file and give up our place among its writers."""
        with contextlib.suppress(Unwritable), mapped():
            self._disconnect()
            self._entered = False
            self._writers.leave()

    def _recover(self, writer: str) -> list[Orphan]:
        with mapped():
            claim = self._writers.claim(writer)
        if claim is None:
            return []
        closed = False
        try:
            with self._transaction() as connection:
                orphans = [Orphan(*values) for values in connection.execute(schema.ORPHANS, (writer,))]
                connection.execute(schema.RECOVER, (writer,))
            closed = True
        finally:
            with mapped():
                claim.done(closed=closed)
        return orphans

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._usable() as connection:
            # At once for writing: a transaction that begins by reading cannot wait for its turn later.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _usable(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection, opened where it is not, and dropped when it turns out to be of no use."""
        if self._connection is not None and not self._is_ours():
            # Somebody removed or replaced the file: SQLite would go on writing where nobody can read.
            self._disconnect()
        connection = self._connection or self._open_late()
        try:
            with mapped():
                yield connection
        except Unwritable as fault:
            if fault.reason != "locked":
                self._disconnect()
            raise

    def _open_late(self) -> sqlite3.Connection:
        try:
            return self.open()
        except ConfigError as error:
            # The relay runs: what would have ended its start is one more reason to wait now.
            reason = error.__cause__.reason if isinstance(error.__cause__, Unwritable) else "cannot_open"
            raise Unwritable(reason, str(error)) from error

    def _is_ours(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._inode

    def _connect(self) -> sqlite3.Connection:
        # Made here, not by SQLite, so that only this user can read it; the files beside it get the same mode.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = os.fstat(descriptor)
        os.close(descriptor)
        self._inode = (found.st_dev, found.st_ino)
        # Autocommit: transactions are ours to begin.
        self._connection = connection = sqlite3.connect(self._path, timeout=self._busy, isolation_level=None)
        _check(connection, self._path, whole=not self._checked and found.st_size <= CHECKED)
        self._checked = True
        if _version(connection) < len(schema.MIGRATIONS):
            _migrate(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "PRAGMA synchronous = FULL" if self._synchronous == "full" else "PRAGMA synchronous = NORMAL"
        )
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def read(path: Path, *, stream: str | None = None, limit: int = 100) -> list[Row]:
    """Return the newest rows of the ledger at ``path``, for one who only looks. Blocks. Raises `ConfigError`."""
    try:
        with mapped(), contextlib.closing(_readable(path)) as connection:
            _check(connection, path, whole=False)
            if not _version(connection):
                return []
            return _rows(connection, stream, limit)
    except Unwritable as fault:
        raise unusable(path, fault) or ConfigError(
            f"the ledger cannot be read now: {fault}", where=str(path)
        ) from fault


def _readable(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise ConfigError("there is no ledger yet", where=str(path))
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=BUSY, isolation_level=None, uri=True)


def _rows(connection: sqlite3.Connection, stream: str | None, limit: int) -> list[Row]:
    found = (
        connection.execute(schema.NEWEST, (limit,))
        if stream is None
        else connection.execute(schema.NEWEST_OF_STREAM, (stream, limit))
    )
    return [schema.row(values) for values in found]


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check(connection: sqlite3.Connection, path: Path, *, whole: bool) -> None:
    """Refuse a file that is not a ledger, is damaged, or is from the future."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (things,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if things and application != schema.APPLICATION:
        raise ConfigError("is another program's database: name another file with ledger.path", where=str(path))
    version, known = _version(connection), len(schema.MIGRATIONS)
    if version > known:
        raise ConfigError(
            f"was written by a newer Tailrace (its schema is {version}, this one knows {known}): use that one, or "
            "name another file with ledger.path",
            where=str(path),
        )
    if whole:
        (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if result != "ok":
            raise Unwritable("damaged", str(result))


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in schema.MIGRATIONS[_version(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
