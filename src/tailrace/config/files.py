"""The files of a configuration: read within their caps, and remembered, so that a change of them is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tailrace.config.secrets import MAX_FILE
from tailrace.errors import ConfigError
from tailrace.server import KeySpec

MAX_CONFIG = 1024 * 1024
"""Most bytes of a configuration file: a thousand routes, or ten thousand keys, are 100 KiB to a megabyte."""

Stamp = tuple[int, int, int] | None
"""Time of change, size and inode of a file; None where there is none."""


class Files:
    """Reads files, and keeps what each looked like just before it was read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[Path, Stamp] = {}

    def config(self, path: Path) -> str:
        """Return the text of a configuration file; raises `ConfigError`."""
        try:
            return self._read(path, MAX_CONFIG).decode()
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror or type(error).__name__}", where=str(path)) from error
        except UnicodeDecodeError as error:
            raise ConfigError("is not UTF-8 text", where=str(path)) from error
        except ValueError as error:
            raise ConfigError(f"is {error}", where=str(path)) from error

    def secret(self, name: str) -> str:
        """Return the text of a secret's file, by its path from the configuration's folder; see `secrets.Read`."""
        return self._read((self.folder / name).expanduser(), MAX_FILE).decode()

    def stamps(self) -> dict[Path, Stamp]:
        """Return what the files that were read look like now."""
        return {path: stamp(path) for path in self.seen}

    def _read(self, path: Path, most: int) -> bytes:
        self.seen[path] = stamp(path)
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise ValueError(f"larger than {most} bytes")
        return data


def stamp(path: Path) -> Stamp:
    """Return what changes when the file at ``path`` does."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class KeyFiles:
    """The `tailrace.server.KeySource` of a configuration: everything is read again, of which the keys are taken."""

    def __init__(self, files: Files, keys: Callable[[Files], tuple[KeySpec, ...]]) -> None:
        self._files = files
        self._keys = keys

    @property
    def seen(self) -> object:
        """What the files looked like when they were last read."""
        return self._files.seen

    def stamp(self) -> object:
        """Return what the files look like now."""
        return self._files.stamps()

    def read(self) -> tuple[KeySpec, ...]:
        """Return the keys as the files have them now; raises `ConfigError`."""
        files = Files(self._files.folder)
        before = self._files.stamps()
        try:
            return self._keys(files)
        finally:
            # Also when it failed half-way: what was wrong is read again when it has changed, not each time.
            files.seen = before | files.seen
            self._files = files
