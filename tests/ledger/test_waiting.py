"""How long an attempt waits for its row, and what becomes of one that is not waited for: the test holds the disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from tailrace.errors import Overloaded
from tailrace.ledger import SqliteLedger
from tailrace.ledger.faults import Unwritable
from tailrace.ledger.owed import Batch
from tailrace.ledger.store import Store
from tailrace.testing.ledgers import COMPLETED, attempt, closed

pytestmark = pytest.mark.anyio


class HeldStore(Store):
    """A disk that takes a transaction when ``free`` is set, and none while ``broken``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.free = threading.Event()
        self.free.set()
        self.broken = False
        self.batches: list[int] = []

    def write(self, batch: Batch) -> None:
        self.free.wait(20)
        if self.broken:
            raise Unwritable("io_error", "planted")
        super().write(batch)
        self.batches.append(len(batch))


@asynccontextmanager
async def held(path: Path, *, strict: bool = False) -> AsyncIterator[tuple[SqliteLedger, HeldStore]]:
    ledger = SqliteLedger(path / "ledger.sqlite3", strict=strict, patience=0.1, retry=0.01)
    ledger._store = store = HeldStore(ledger.path)
    await ledger.start()
    try:
        yield ledger, store
    finally:
        store.free.set()
        await ledger.aclose()


async def test_a_slow_disk_is_waited_for_and_then_the_row_comes_later(tmp_path: Path) -> None:
    async with held(tmp_path) as (ledger, store):
        store.free.clear()
        await ledger.open(attempt())
        ledger.close(attempt().id, COMPLETED)
        assert (ledger.trouble, ledger.spilled) == (None, {"slow": 1})
        store.free.set()
        assert [row.outcome for row in await closed(ledger, 1)] == [COMPLETED]


async def test_a_strict_ledger_refuses_on_a_slow_disk_and_the_row_goes_again(tmp_path: Path) -> None:
    async with held(tmp_path, strict=True) as (ledger, store):
        store.free.clear()
        with pytest.raises(Overloaded) as caught:
            await ledger.open(attempt())
        assert (caught.value.code, caught.value.status) == ("ledger_unavailable", 503)
        store.free.set()
        assert await ledger.rows() == []


async def test_an_attempt_that_is_cancelled_while_it_waits_leaves_no_row(tmp_path: Path) -> None:
    async with held(tmp_path) as (ledger, store):
        store.free.clear()
        waiting = asyncio.ensure_future(ledger.open(attempt()))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        ledger.close(attempt().id, COMPLETED)
        store.free.set()
        assert waiting.cancelled()
        assert await ledger.rows() == []


async def test_whatever_gathers_meanwhile_is_one_transaction(tmp_path: Path) -> None:
    async with held(tmp_path) as (ledger, store):
        store.free.clear()
        opening = [asyncio.ensure_future(ledger.open(attempt(number))) for number in range(1, 101)]
        await asyncio.sleep(0)
        store.free.set()
        await asyncio.gather(*opening)
        assert store.batches == [1, 99]


async def test_rows_that_must_be_given_up_are_in_the_log(tmp_path: Path) -> None:
    with capture_logs() as logged:
        async with held(tmp_path) as (ledger, store):
            store.broken = True
            await ledger.open(attempt())
            ledger.close(attempt().id, COMPLETED)
    (lost,) = [line for line in logged if line["event"] == "a row could not be written"]
    assert lost["row"]["attempt"] == msgspec.to_builtins(attempt())
    assert lost["row"]["outcome"]["usage"]["output_tokens"] == 7
    assert lost["reason"] == "io_error"


async def test_before_its_start_and_after_its_end_nothing_is_taken(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    for _ in range(2):
        with pytest.raises(Overloaded, match="not open"):
            await ledger.open(attempt())
        ledger.close(attempt().id, COMPLETED)
        await ledger.start()
        await ledger.aclose()
    await ledger.aclose()
    async with asyncio.timeout(5):
        while any(thread.name.startswith("tailrace-ledger") for thread in threading.enumerate()):
            await asyncio.sleep(0.005)
