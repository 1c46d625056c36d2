"""The same bytes in other pieces: whatever reads a stream must not care how it was cut."""

from __future__ import annotations

from collections.abc import Iterator


def bytewise(data: bytes) -> list[bytes]:
    """Return ``data`` one byte at a time."""
    return [data[i : i + 1] for i in range(len(data))]


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Yield ``data`` in two pieces, for every place to cut."""
    for at in range(len(data) + 1):
        yield [data[:at], data[at:]]


def with_tail(data: bytes, tail: bytes) -> list[bytes]:
    """Return ``data`` and what comes after it in one piece."""
    return [data + tail]
