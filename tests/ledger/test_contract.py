"""The SQLite ledger keeps the promises of every ledger, and is watched while it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from blockbuster import BlockingError
from structlog.testing import capture_logs

from tailrace.ledger import Ledger, NoLedger, SqliteLedger
from tailrace.testing.ledgers import COMPLETED, LedgerContract, attempt, started


class TestSqlite(LedgerContract):
    def make(self, place: Path) -> Ledger:
        return SqliteLedger(place / "state" / "ledger.sqlite3")


class TestSqliteFull(LedgerContract):
    def make(self, place: Path) -> Ledger:
        return SqliteLedger(place / "ledger.sqlite3", synchronous="full", strict=True)


@pytest.mark.anyio
async def test_no_ledger_takes_everything_and_has_nothing() -> None:
    async with started(NoLedger()) as ledger:
        await ledger.open(attempt())
        ledger.close(attempt().id, COMPLETED)
        assert await ledger.rows() == []


@pytest.mark.anyio
async def test_rows_are_said_to_be_closed_by_the_start_that_closes_them(tmp_path: Path) -> None:
    """Not by each that finds that nothing is known of them yet."""
    path = tmp_path / "ledger.sqlite3"
    async with started(SqliteLedger(path)) as ledger:
        await ledger.open(attempt())
    said: list[list[int]] = []
    for _ in range(2):
        with capture_logs() as lines:
            async with started(SqliteLedger(path)) as ledger:
                assert [orphan.id for orphan in ledger.orphans()] == [attempt().id]
        said.append([line["rows"] for line in lines if "had died" in line["event"]])
    assert said == [[1], []]


@pytest.mark.anyio
async def test_the_watch_for_blocking_calls_sees_one(tmp_path: Path) -> None:
    """The checker is checked: the thread's work, done in the event loop, is caught."""
    async with started(SqliteLedger(tmp_path / "ledger.sqlite3")):
        with pytest.raises(BlockingError):
            SqliteLedger(tmp_path / "ledger.sqlite3")._store.open()
