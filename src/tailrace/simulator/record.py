"""What the simulator remembers of a request: who asked what, how far the answer got, and how it ended."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, TypeAlias

from tailrace.simulator.scenario import Scenario

State: TypeAlias = Literal["open", "completed", "fault", "closed_by_client", "stopped", "crashed"]
"""``completed``: everything that the scenario wanted to say was said, errors included. ``fault``: the simulator closed
early, as the scenario wanted. ``stopped``: the simulator itself was shut down. ``crashed``: it has a mistake."""

BODY_KEPT = 64 * 1024
"""Bytes of a request's body that are remembered: with `RECENT` records at most 16 MiB (and as much of heads)."""

RECENT = 256
"""Requests that are remembered: what a person can look through, and several times what one test makes."""


class Record:
    """One request and its answer.

    ``headers`` are the request's own, names in lower case; `summary` shows only their names, since they hold keys.
    ``body`` is the first `BODY_KEPT` bytes. ``since`` is when the request was complete, in seconds of the
    simulator's clock after its start. ``closed`` is set when the answer has ended, in whichever way ``state`` says.
    """

    __slots__ = (
        "blocked_seconds",
        "body",
        "bytes_sent",
        "cause",
        "closed",
        "dialect",
        "events_sent",
        "headers",
        "id",
        "paused",
        "scenario",
        "since",
        "state",
        "status",
    )

    def __init__(
        self,
        *,
        id: int,  # noqa: A002 (the field's own name)
        dialect: str,
        scenario: Scenario | None,
        headers: dict[str, str],
        body: bytes,
        since: float,
    ) -> None:
        self.id = id
        self.dialect = dialect
        self.scenario = scenario
        self.headers = headers
        self.body = body[:BODY_KEPT]
        self.since = since
        self.state: State = "open"
        self.cause: str | None = None
        self.status: int | None = None
        self.bytes_sent = 0
        self.events_sent = 0
        self.blocked_seconds = 0.0
        self.paused = False
        self.closed = asyncio.Event()

    def __repr__(self) -> str:
        name = self.scenario.name if self.scenario else "?"
        return f"<Record {self.id} {self.dialect} {name!r} {self.state}, {self.bytes_sent} bytes sent>"

    def close(self, state: State, cause: str) -> None:
        """Say how the answer ended."""
        self.state, self.cause = state, cause
        self.closed.set()

    def summary(self) -> dict[str, Any]:
        """Return what `GET /simulator/requests` shows: no header's value, because some are keys."""
        return {
            "id": self.id,
            "dialect": self.dialect,
            "scenario": self.scenario,
            "headers": sorted(self.headers),
            "body": self.body.decode("utf-8", "replace"),
            "status": self.status,
            "state": self.state,
            "cause": self.cause,
            "since": self.since,
            "bytes_sent": self.bytes_sent,
            "events_sent": self.events_sent,
            "blocked_seconds": self.blocked_seconds,
            "paused": self.paused,
        }
