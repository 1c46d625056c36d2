"""What a client says about its request in headers of ours: how to treat its stream, never what to ask the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import msgspec

from tailrace.engine import Budget, OnDisconnect
from tailrace.errors import BadRequest
from tailrace.log import Claim

OPEN_EARLY = "tailrace-open-early"
"""Request header, any value: answer 200 with the stream's name at once, and tell every failure in the stream. For
clients that want to be able to stop before the first token."""

WHOLE_TOOLS = "tailrace-tools"
"""Request header: ``complete`` holds each tool call back until its arguments are complete and valid."""

ON_DISCONNECT = "tailrace-on-disconnect"
"""Request header, in place of the route's: ``cancel``, ``detach`` or ``drain``, with what limits it behind semicolons
(``cancel; seconds=5``, ``drain; seconds=30; tokens=500``)."""

RESTART = "tailrace-restart"
"""Request header: ``accept`` says that the client understands a reset, which voids what came before it."""

IDEMPOTENCY_KEY = "idempotency-key"
"""Request header: a repeated request with the same value joins the first one's stream (draft-ietf-httpapi-
idempotency-key-header; the SDKs of OpenAI and Anthropic send it with their retries)."""

MAX_KEY = 255
"""Most characters of an idempotency key, as at Stripe, whose header this was."""

MAX_SECONDS = 86_400.0
"""Longest time that a client may ask for: a day."""


class Wishes(NamedTuple):
    """The headers, read."""

    open_early: bool
    whole_tools: bool
    on_disconnect: OnDisconnect | None
    grace: float | None
    budget: Budget | None
    restart: bool
    key: str | None

    def claim(self, dialect: str, body: dict[str, Any]) -> Claim | None:
        """Return the claim of a request with ``body`` at a door of ``dialect``; None when it makes none."""
        if self.key is None:
            return None
        asked = msgspec.json.encode([dialect, self.whole_tools, self.restart, body], order="deterministic")
        return Claim(self.key, hashlib.sha256(asked).hexdigest())


def read_wishes(headers: Mapping[str, str]) -> Wishes:
    """Read ``headers`` (lower case); raises `BadRequest`."""
    tools = headers.get(WHOLE_TOOLS)
    if tools not in {None, "complete"}:
        raise BadRequest(f"{WHOLE_TOOLS} can only be 'complete', not {tools!r}", param=WHOLE_TOOLS)
    restart = headers.get(RESTART)
    if restart not in {None, "accept"}:
        raise BadRequest(f"{RESTART} can only be 'accept', not {restart!r}", param=RESTART)
    policy, grace, budget = _on_disconnect(headers.get(ON_DISCONNECT))
    key = headers.get(IDEMPOTENCY_KEY)
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable()):
        text = f"must be 1 to {MAX_KEY} printable characters"
        raise BadRequest(f"Idempotency-Key: {text}", code="bad_idempotency_key", param="Idempotency-Key")
    return Wishes(OPEN_EARLY in headers, tools is not None, policy, grace, budget, restart is not None, key)


def _on_disconnect(value: str | None) -> tuple[OnDisconnect | None, float | None, Budget | None]:
    if value is None:
        return None, None, None
    word, *rest = (part.strip() for part in value.split(";"))
    if word not in get_args(OnDisconnect):
        raise _refused(f"must begin with {', '.join(get_args(OnDisconnect))}")
    given: dict[str, float] = {}
    for part in rest:
        name, _, number = part.partition("=")
        if name not in _PARAMETERS[word] or name in given:
            raise _refused(f"{word} takes {' and '.join(_PARAMETERS[word]) or 'nothing else'}, each once")
        given[name] = _number(number)
    seconds, tokens = given.get("seconds"), given.get("tokens")
    if word == "drain":
        plain = Budget()
        budget = Budget(
            seconds=plain.seconds if seconds is None else seconds,
            tokens=plain.tokens if tokens is None else int(tokens),
        )
        return "drain", None, budget
    return ("cancel", seconds, None) if word == "cancel" else ("detach", None, None)


_PARAMETERS: dict[str, tuple[str, ...]] = {"cancel": ("seconds",), "detach": (), "drain": ("seconds", "tokens")}


def _number(text: str) -> float:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), MAX_SECONDS)
    raise _refused("numbers are whole and not negative")


def _refused(text: str) -> BadRequest:
    return BadRequest(f"Tailrace-On-Disconnect: {text}", code="bad_on_disconnect", param="Tailrace-On-Disconnect")
