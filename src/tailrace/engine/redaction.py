"""What a provider's error may not bring along: the key that it was asked with. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tailrace.events import Error

MIN_SECRET = 8
"""Fewest characters of a secret: a shorter value would be found in ordinary words, and is no key."""


def redact(error: Error, secrets: Iterable[str]) -> Error:
    """Return ``error`` with "…" for each of ``secrets``, wherever in it they stand."""
    written = clean = msgspec.json.encode(error)
    for secret in secrets:
        if len(secret) >= MIN_SECRET:
            clean = clean.replace(msgspec.json.encode(secret)[1:-1], "…".encode())
    return error if clean == written else msgspec.json.decode(clean, type=Error)


def holds(data: bytes, secrets: Iterable[str]) -> bool:
    """Whether one of ``secrets`` stands in ``data``."""
    return any(secret.encode() in data for secret in secrets if len(secret) >= MIN_SECRET)
