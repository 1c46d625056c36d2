"""Which release this is, looked up once: it is a file of the installation's, not the event loop's to read."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("tailrace")
    except PackageNotFoundError:
        # Run from a source tree that nobody has installed.
        return "0"


VERSION = _installed()
