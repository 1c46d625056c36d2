"""Honest money through the door: the ledger has what the provider was asked, whatever became of it or of the disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tailrace.engine import Limits, ProviderSpec, Relay, RouteSpec, Target
from tailrace.ledger import Row, SqliteLedger
from tailrace.simulator import Simulator
from tailrace.testing import serving

pytestmark = pytest.mark.anyio


class House(NamedTuple):
    url: str
    http: aiohttp.ClientSession
    sim: Simulator
    ledger: SqliteLedger

    async def ask(self, model: str) -> tuple[int, bytes]:
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        async with self.http.post(f"{self.url}/v1/chat/completions", json=body) as answer:
            return answer.status, await answer.read()

    async def rows(self, count: int) -> list[Row]:
        """The rows, once ``count`` are closed."""
        async with asyncio.timeout(10):
            while True:
                rows = await self.ledger.rows()
                if sum(row.outcome is not None for row in rows) >= count:
                    return rows
                await asyncio.sleep(0.01)

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not wanted():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def house(path: Path, **options: Any) -> AsyncIterator[House]:
    async with Simulator() as sim:
        specs = {
            "oai": ProviderSpec(name="oai", dialect="openai_chat", base_url=f"{sim.url}/v1"),
            "ant": ProviderSpec(name="ant", dialect="anthropic", base_url=sim.url),
        }
        bad, good = Target("ant", "sim:fault=status@529"), Target("oai", "sim:tokens=3")
        routes = {"both": RouteSpec(name="both", targets=(bad, good))}
        ledger = SqliteLedger(path / "ledger.sqlite3", busy=0.05, retry=0.05, **options)
        relay = Relay(specs, routes, limits=Limits(breaker_failures=0), ledger=ledger)
        async with serving(relay) as url, aiohttp.ClientSession() as http:
            yield House(url, http, sim, ledger)


@contextmanager
def locked(here: House) -> Any:
    with closing(sqlite3.connect(here.ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_completed_answer_is_a_row_with_what_the_provider_said(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert (await here.ask("ant/sim:tokens=7"))[0] == 200
        ((attempt, outcome),) = [(row.attempt, row.outcome) for row in await here.rows(1)]
    assert outcome is not None
    assert (attempt.number, attempt.door, attempt.asked) == (1, "openai_chat", "ant/sim:tokens=7")
    assert (attempt.provider, attempt.model) == ("ant", "sim:tokens=7")
    assert (outcome.ending, outcome.label, outcome.error) == ("completed", "exact", None)
    assert outcome.usage.output_tokens is not None
    assert outcome.usage.output_tokens > 0
    assert outcome.first_content is not None
    assert outcome.seconds is not None
    assert 0 <= outcome.first_content <= outcome.seconds


async def test_every_attempt_of_a_stream_is_a_row_of_its_own(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert (await here.ask("both"))[0] == 200
        rows = await here.rows(2)
        assert len(here.sim.requests) == 2
    endings = [(row.attempt.provider, row.attempt.number, row.outcome and row.outcome.ending) for row in rows]
    assert endings == [("oai", 2, "completed"), ("ant", 1, "failed")]
    assert len({row.attempt.stream for row in rows}) == 1


@pytest.mark.parametrize("fault", ["cut_event@2", "cut_event@0", "error@4:rate_limit", "stall_event@3"])
async def test_the_ledger_has_as_many_rows_as_the_provider_was_asked(tmp_path: Path, fault: str) -> None:
    async with house(tmp_path) as here:
        for provider in ("ant", "oai"):
            asking = asyncio.ensure_future(here.ask(f"{provider}/sim:tokens=5,fault={fault}"))
            if fault.startswith("stall"):
                await here.until(lambda: any(record.events_sent >= 2 for record in here.sim.requests))
                asking.cancel()
            await asyncio.wait([asking])
    async with house(tmp_path) as after:  # leaving has closed what was still running
        rows = await after.ledger.rows()
    assert len(rows) == len(here.sim.requests)
    assert all(row.outcome and row.outcome.ending != "completed" for row in rows)


async def test_while_a_strict_ledger_cannot_be_written_new_work_is_refused_unasked(tmp_path: Path) -> None:
    async with house(tmp_path, strict=True) as here:
        with locked(here):
            for _ in range(3):
                status, data = await here.ask("oai/sim:tokens=3")
                assert status == 503
                assert b'"code":"ledger_unavailable"' in data.replace(b" ", b"")
            assert here.sim.requests == []
        await here.until(lambda: not here.ledger.trouble)
        assert (await here.ask("oai/sim:tokens=3"))[0] == 200
        assert len(await here.rows(1)) == len(here.sim.requests) == 1


async def test_a_stream_that_runs_when_the_disk_fails_is_delivered_and_its_row_is_written_later(tmp_path: Path) -> None:
    async with house(tmp_path, strict=True) as here:
        running = asyncio.ensure_future(here.ask("oai/sim:tokens=40,rate=200"))
        await here.until(lambda: bool(here.sim.requests))
        with locked(here):
            status, data = await running
            assert (status, data.endswith(b"data: [DONE]\n\n")) == (200, True)
            await here.until(lambda: here.ledger.trouble == "locked")
            assert here.ledger.owed == 1
        (row,) = await here.rows(1)
        assert row.outcome is not None
        assert (row.outcome.ending, row.outcome.label) == ("completed", "exact")


async def test_while_a_ledger_that_is_not_strict_cannot_be_written_work_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        with locked(here):
            for _ in range(5):
                assert (await here.ask("ant/sim:tokens=3"))[0] == 200
            assert here.ledger.owed == 5
        rows = await here.rows(5)
        assert len(rows) == len(here.sim.requests) == 5
        assert all(row.outcome and row.outcome.ending == "completed" for row in rows)
