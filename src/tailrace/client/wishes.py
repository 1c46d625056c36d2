"""What a caller wishes for its stream, besides the answer: the headers that a relay reads, and no provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tailrace.errors import BadRequest

MAX_KEY = 255
"""Most characters of an idempotency key: what a relay takes."""

MAX_NUMBER = 999_999_999
"""Largest number in a wish: what a relay takes. It holds seconds to a day itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """When the last reader has left, the answer is ended unless one comes back within ``seconds``."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """When the last reader has left, the answer goes on for its exact usage, within this budget.

    None leaves a part of the budget to the relay.
    """

    seconds: int | None = None
    tokens: int | None = None


OnDisconnect: TypeAlias = Literal["cancel", "detach", "drain"] | Cancel | Drain
"""What a disconnect does. ``detach`` finishes the answer into the relay's log, whoever reads."""


def wish_headers(on_disconnect: OnDisconnect | None, *, restarts: bool) -> dict[str, str]:
    """Return the headers for what was wished for; raises `BadRequest` for what a relay would refuse."""
    headers: dict[str, str] = {}
    if on_disconnect is not None:
        headers["tailrace-on-disconnect"] = _written(on_disconnect)
    if restarts:
        headers["tailrace-restart"] = "accept"
    return headers


def usable_key(key: str) -> str:
    """Return ``key``; raises `BadRequest` when it cannot be an ``Idempotency-Key``."""
    if 0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable() and key == key.strip():
        return key
    text = f"idempotency_key must be 1 to {MAX_KEY} printable ASCII characters, with no space round them"
    raise BadRequest(text, param="idempotency_key")


def _written(wish: OnDisconnect) -> str:
    if isinstance(wish, Cancel):
        return f"cancel; seconds={_number(wish.seconds)}"
    if isinstance(wish, Drain):
        given = {"seconds": wish.seconds, "tokens": wish.tokens}
        return "; ".join(["drain", *(f"{name}={_number(n)}" for name, n in given.items() if n is not None)])
    if wish not in ("cancel", "detach", "drain"):
        raise BadRequest(f"on_disconnect is cancel, detach or drain, not {wish!r}", param="on_disconnect")
    return wish


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER:
        return value
    raise BadRequest(f"on_disconnect takes whole numbers that are not negative, not {value!r}", param="on_disconnect")
