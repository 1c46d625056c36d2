"""A relay in front of a simulator, on real ports in this process, and what can be learnt of a stream afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chaos import raw
from chaos.asking import asked
from chaos.checker import Connection, Reader, Row, Stream
from chaos.raw import Body, Exchange
from chaos.truth import Truth
from chaos.wire import frames
from tailrace.engine import Limits, Policy, ProviderSpec, Relay, RouteSpec, Secret, Target
from tailrace.ledger import Ledger, SqliteLedger
from tailrace.ledger import Row as Attempted
from tailrace.log import StreamLog
from tailrace.server import ServerSpec
from tailrace.simulator import Record, Simulator
from tailrace.testing import serving

KEY = "sk-chaos-upstream-0815"
"""What the simulator is shown as the provider's key."""

PROVIDERS: dict[str, tuple[str, str]] = {
    "ant": ("anthropic", ""),
    "oai": ("openai_chat", "/v1"),
    "res": ("openai_responses", "/v1"),
    "gem": ("gemini", ""),
    "oll": ("ollama", ""),
    "aws": ("bedrock", ""),
}
"""``name → dialect, what its base URL has after the simulator's``."""

OWN = {"anthropic": "ant", "openai_chat": "oai", "openai_responses": "res", "gemini": "gem", "ollama": "oll"}
"""``client dialect → the provider that speaks it too``."""

_seeds = itertools.count(1)


def seed() -> int:
    """Return a seed that no other answer of this run has: no two streams say the same."""
    return next(_seeds)


def providers(url: str) -> dict[str, ProviderSpec]:
    """Return every dialect of the simulator at ``url`` as a provider."""
    return {
        name: ProviderSpec(name=name, dialect=dialect, base_url=url + path, api_key=Secret(KEY))
        for name, (dialect, path) in PROVIDERS.items()
    }


class House(NamedTuple):
    """What a cell goes in through, and what it looks at."""

    url: str
    sim: Simulator
    relay: Relay
    ledger: Ledger

    async def begin(self, model: str, dialect: str = "anthropic", **headers: str) -> Exchange:
        """Ask for an answer; the exchange has read nothing yet."""
        path, body = asked(dialect, model)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await raw.request(self.url, "POST", path, body, named)

    async def answer(self, model: str, dialect: str = "anthropic", **headers: str) -> Body:
        """Ask for an answer and read it to its end."""
        async with await self.begin(model, dialect, **headers) as exchange:
            return await exchange.to_the_end()

    async def follow(self, stream: str, after: int = 0, **headers: str) -> Body:
        """Read a stream after a cursor to its end."""
        return await raw.fetch(self.url, "GET", f"/streams/{stream}", headers={"last-event-id": str(after), **headers})

    async def stop(self, stream: str) -> Body:
        """Stop a stream."""
        return await raw.fetch(self.url, "POST", f"/streams/{stream}/stop")

    def asked(self, seeded: int) -> list[Record]:
        """Return the provider's records of the answer with that seed."""
        return [r for r in self.sim.requests if r.scenario is not None and r.scenario.seed == seeded]

    async def log(self, stream: str) -> StreamLog:
        """Return a stream's log from the relay's store."""
        log = await self.relay.store.find(stream)
        if log is None:
            raise LookupError(f"the store does not know the stream {stream[:8]}")
        return log

    async def ended(self, stream: str) -> StreamLog:
        """Return a stream's log once it has ended."""
        log = await self.log(stream)
        over = asyncio.Event()
        unwatch = log.watch(over.set)
        try:
            while log.ending is None:
                over.clear()
                await over.wait()
        finally:
            unwatch()
        return log

    async def evidence(
        self, stream: str, readers: list[Reader], *, seeded: int | None = None, truth: Truth | None = None, **more: Any
    ) -> Stream:
        """Return what the checker needs of a stream that has ended."""
        log = await self.ended(stream)
        dialect = log.info.dialect
        everything = frames(log.read(0, 1 << 40)[0], dialect)
        return Stream(
            id=stream,
            dialect=dialect,
            log=[frame.data for frame in everything],
            ending=log.ending,
            readers=readers,
            truth=truth,
            attempts=None if seeded is None else len(self.asked(seeded)),
            rows=await self.rows(stream),
            **more,
        )

    async def rows(self, stream: str) -> list[Row]:
        """Return the ledger's rows of a stream, once they are written."""
        rows = await self.ledger.rows(stream=stream)
        for _ in range(100):
            if all(row.outcome for row in rows):
                break
            await asyncio.sleep(0.02)  # closing never waits: it is another thread that writes
            rows = await self.ledger.rows(stream=stream)
        return [checked(row) for row in rows]


def checked(row: Attempted) -> Row:
    """Return a row of the ledger as the checker reads it."""
    told = row.outcome
    if told is None:
        return Row(row.attempt.stream, row.attempt.number, None, None, None)
    usage = told.usage.output_tokens
    return Row(row.attempt.stream, row.attempt.number, told.ending, usage, told.label, swept=told.seconds is None)


def connection(body: Body, dialect: str, after: int = 0) -> Connection:
    """Return what an answer brought to a reader that asked after ``after``; a 204 says that there is nothing more."""
    return Connection(after, frames(body.body, dialect, after), body.complete)


def reader(name: str, *bodies: tuple[int, Body], dialect: str = "anthropic", left: bool = False) -> Reader:
    """Return a reader out of its answers, each with the cursor it asked with."""
    return Reader(name, [connection(body, dialect, after) for after, body in bodies], left)


def last(body: Body, dialect: str, after: int = 0) -> int:
    """Return the number of the last whole frame of an answer."""
    found = frames(body.body, dialect, after)
    return max((frame.number for frame in found), default=after)


def route(name: str, target: str, policy: Policy) -> dict[str, RouteSpec]:
    """Return a route to ``provider/model`` under ``policy``."""
    provider, _, model = target.partition("/")
    return {name: RouteSpec(name=name, targets=(Target(provider, model),), policy=policy)}


PATIENT = Limits(breaker_failures=0, ttl=3600.0, logs=50_000, logs_bytes=2 << 30)
"""No breaker: these providers fail on purpose, each for one cell. And logs that stay until they have been looked at."""


@contextlib.asynccontextmanager
async def house(
    *,
    limits: Limits = PATIENT,
    routes: Mapping[str, RouteSpec] | None = None,
    spec: ServerSpec | None = None,
    replaced: Mapping[str, ProviderSpec] | None = None,
    **options: Any,
) -> AsyncIterator[House]:
    """Open a house; ``replaced`` are providers in the place of the simulator's, ``options`` go to the relay."""
    with tempfile.TemporaryDirectory(prefix="tailrace-chaos-") as folder:
        ledger = SqliteLedger(Path(folder) / "ledger.sqlite")
        async with Simulator() as sim:
            relay = Relay(replaced or providers(sim.url), routes, limits=limits, ledger=ledger, **options)
            async with serving(relay, spec) as url:
                yield House(url, sim, relay, ledger)
