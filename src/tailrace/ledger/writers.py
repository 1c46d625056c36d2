"""Who writes in a ledger, and who has died: a lock of the kernel's for each writer, gone with its process.

The locks lie in a folder beside the file. A writer's id is never used again, so a lock file that is missing belongs to
one that has left.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import filelock

TAKING = 1.0
"""Seconds for taking our own lock: one that cleans up may hold a file it found before we locked it, for a moment."""

STARTING = "starting"
"""The lock that starts go through one after the other: turning a new file to WAL must not be raced."""


class Writers:
    """The locks of the writers of the ledger at ``path``; used in one thread."""

    def __init__(self, path: Path) -> None:
        self.own = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._folder = path.with_name(f"{path.name}.writers")
        self._lock = self._at(self.own)

    def enter(self) -> None:
        """Take our own lock, before our first row."""
        self._lock.acquire(timeout=TAKING)

    def leave(self) -> None:
        """Give it back: rows of ours that are still open belong to nobody from here on."""
        if self._lock.is_locked:
            self._path(self.own).unlink(missing_ok=True)
            self._lock.release()

    def starting(self, seconds: float) -> filelock.BaseFileLock:
        """Return the lock to hold while opening the file; taking it waits at most ``seconds``."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return filelock.FileLock(self._path(STARTING), timeout=seconds, thread_local=False)

    def others(self) -> set[str]:
        """Return all whose lock files are there: those that live, and those that died before they could clean up."""
        return {path.stem for path in self._folder.glob("*.lock")} - {STARTING, self.own}

    def claim(self, writer: str) -> Claim | None:
        """Return the hold on a dead writer's rows, or None when ``writer`` lives or another process cleans up."""
        if not self._path(writer).exists():
            return Claim(None, self._path(writer))
        lock = self._at(writer)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return None
        return Claim(lock, self._path(writer))

    def _path(self, writer: str) -> Path:
        return self._folder / f"{writer}.lock"

    def _at(self, writer: str) -> filelock.BaseFileLock:
        return filelock.FileLock(self._path(writer), thread_local=False)


class Claim:
    """A dead writer's lock, held by us until its rows are closed."""

    def __init__(self, lock: filelock.BaseFileLock | None, path: Path) -> None:
        self._lock = lock
        self._path = path

    def done(self, *, closed: bool) -> None:
        """Let go; where its rows are ``closed`` nobody needs its lock file any more."""
        if self._lock is not None:
            if closed:
                self._path.unlink(missing_ok=True)
            self._lock.release()
