"""Several relays on one Redis and one ledger: processes that can be killed, or in this one for many quick cells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.redis_servers import RedisServer

from chaos import raw
from chaos.checker import Reader, Row, Stream
from chaos.house import PATIENT, House, checked, providers
from chaos.nodes import Node, settings, started_with, toml
from chaos.truth import Truth
from chaos.wire import Frame, frames
from tailrace.engine import Limits, Relay, RouteSpec
from tailrace.ledger import SqliteLedger, read
from tailrace.log import RedisSpec, redis_store
from tailrace.server import ServerSpec
from tailrace.simulator import Record, Simulator
from tailrace.testing import serving

AOF = {"appendonly": "yes", "appendfsync": "everysec", "aof-load-truncated": "yes"}
"""What D1 asks of the server."""

LEASE = 2.0
"""Seconds after which a silent relay is dead: short, since every kill waits for it."""


class Fleet:
    """Relay processes on one Redis, one ledger file and one simulator in this process."""

    def __init__(self, sim: Simulator, redis: RedisServer | None, folder: Path, config: Mapping[str, Any]) -> None:
        self.sim = sim
        self.redis = redis
        self.folder = folder
        self._config = config
        self._number = 0
        self.nodes: list[Node] = []

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / "ledger.sqlite"

    @property
    def urls(self) -> list[str]:
        """Where the living relays answer."""
        return [node.url for node in self.nodes if node.code is None]

    def reaching(self, url: str) -> None:
        """Have the relays that are started from now on find Redis at ``url``."""
        self._config = {**self._config, "log": {**self._config["log"], "url": url}}

    async def start(self, *, launcher: tuple[str, ...] = ("-m", "tailrace"), **more: Any) -> Node:
        """Start one more relay."""
        self._number += 1
        path = self.folder / f"node{self._number}.toml"
        path.write_text(toml(self._config), encoding="utf-8")
        node = await started_with(path, launcher=launcher, **more)
        self.nodes.append(node)
        return node

    def asked(self, seeded: int) -> list[Record]:
        """Return the provider's records of the answer with that seed."""
        return [r for r in self.sim.requests if r.scenario is not None and r.scenario.seed == seeded]

    async def ended(self, url: str, stream: str, seconds: float = 20.0) -> str | None:
        """Return how a stream ended, once it has; None when it has not in time, "gone" when it is not there."""
        for _ in range(int(seconds / 0.1)):
            with contextlib.suppress(OSError, ValueError):
                told = await raw.fetch(url, "GET", f"/streams/{stream}/message")
                if told.status == 404:
                    return "gone"
                if told.status == 200 and (ending := json.loads(told.body)["ending"]):
                    return str(ending)
            await asyncio.sleep(0.1)
        return None

    async def rows(self, stream: str, seconds: float = 5.0) -> list[Row]:
        """Return the ledger's rows of a stream, read from its file, as soon as none of them is open."""
        over = time.monotonic() + seconds
        while True:
            rows = [checked(row) for row in await asyncio.to_thread(read, self.ledger, stream=stream)]
            if all(row.ending for row in rows) or time.monotonic() > over:
                return rows
            await asyncio.sleep(0.2)

    async def evidence(
        self,
        url: str,
        stream: str,
        readers: list[Reader],
        dialect: str = "anthropic",
        *,
        seeded: int | None = None,
        truth: Truth | None = None,
        swept: float = 5.0,
        **more: Any,
    ) -> Stream:
        """Return what the checker needs of a stream, as the relay at ``url`` tells it.

        ``swept`` is how many seconds its rows in the ledger may stay open.
        """
        ending = await self.ended(url, stream)
        log = await _replayed(url, stream, dialect)
        return Stream(
            id=stream,
            dialect=dialect,
            log=[frame.data for frame in log],
            ending=ending,
            readers=readers,
            truth=truth,
            attempts=None if seeded is None else len(self.asked(seeded)),
            rows=await self.rows(stream, swept),
            **more,
        )


async def _replayed(url: str, stream: str, dialect: str) -> list[Frame]:
    """Return all frames of a stream, in more than one go where this process is too slow a reader itself."""
    log: list[Frame] = []
    for _ in range(10):
        after = log[-1].number if log else 0
        part = await raw.fetch(url, "GET", f"/streams/{stream}", headers={"last-event-id": str(after)})
        if part.status == 200:
            log += frames(part.body, dialect, after)
        if part.status != 200 or part.complete:
            break
    return log


@contextlib.asynccontextmanager
async def fleet(
    count: int,
    *,
    redis: RedisServer | None = None,
    memory: bool = False,
    options: Mapping[str, str] | None = None,
    log: Mapping[str, Any] | None = None,
    **tables: Mapping[str, Any],
) -> AsyncIterator[Fleet]:
    """Start a Redis (``options`` are its own) unless one is given, ``count`` relays in front of it, and a simulator.

    With ``memory`` there is no Redis.
    """
    with tempfile.TemporaryDirectory(prefix="tailrace-chaos-") as name:
        folder = Path(name)
        mine = None
        if redis is None and not memory:
            mine = redis = RedisServer(folder / "redis", dict(AOF if options is None else options))
            await asyncio.to_thread(redis.start)
        async with Simulator() as sim:
            kept: dict[str, Any] = {"backend": "memory"}
            if redis is not None:
                kept = {"backend": "redis", "url": redis.url, "lease": LEASE, "write_wait": 5, **(log or {})}
            config = settings(
                sim.url,
                log=kept,
                ledger={"path": str(folder / "ledger.sqlite")},
                limits={"breaker_failures": 0, "ttl": 3600, "heartbeat": 1, **tables.pop("limits", {})},
                **tables,
            )
            this = Fleet(sim, redis, folder, config)
            try:
                await asyncio.gather(*(this.start() for _ in range(count)))
                yield this
            finally:
                await asyncio.gather(*(node.end() for node in this.nodes))
                if mine is not None:
                    await asyncio.to_thread(mine.stop)


class Street(NamedTuple):
    """Two relays in this process on one Redis: begun at one, resumed and stopped at the other."""

    one: House
    two: House
    redis: RedisServer


@contextlib.asynccontextmanager
async def street(
    *,
    limits: Limits = PATIENT,
    routes: Mapping[str, RouteSpec] | None = None,
    spec: ServerSpec | None = None,
    options: Mapping[str, str] | None = None,
    write_wait: float = 5.0,
) -> AsyncIterator[Street]:
    """Open a street."""
    with tempfile.TemporaryDirectory(prefix="tailrace-chaos-") as name:
        folder = Path(name)
        redis = RedisServer(folder / "redis", dict(options or {}))
        await asyncio.to_thread(redis.start)
        try:
            async with Simulator() as sim:

                @contextlib.asynccontextmanager
                async def home() -> AsyncIterator[House]:
                    ledger = SqliteLedger(folder / "ledger.sqlite")
                    store = redis_store(
                        RedisSpec(url=redis.url, lease=LEASE, write_wait=write_wait),
                        ttl=limits.ttl,
                        max_logs=limits.logs,
                        max_total=limits.logs_bytes,
                        max_bytes=limits.log_bytes,
                        max_frames=limits.log_frames,
                    )
                    relay = Relay(providers(sim.url), routes, limits=limits, ledger=ledger, store=store)
                    async with serving(relay, spec) as url:
                        yield House(url, sim, relay, ledger)

                async with home() as one, home() as two:
                    yield Street(one, two, redis)
        finally:
            await asyncio.to_thread(redis.stop)
