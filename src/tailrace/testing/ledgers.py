"""The contract of a ledger, as tests: subclass `LedgerContract`, say how yours is made, and pytest runs them.

::

    class TestMine(LedgerContract):
        def make(self, place: Path) -> Ledger:
            return MyLedger(place / "rows.db")

The promises, as `tailrace.ledger.base` numbers them; the tests of each begin with its number:

M1. One row for each attempt, opened before, closed once.
M2. ``open`` returns when the row is stored: other writers see it. ``close`` never raises; what was noted before
    ``aclose`` is stored after it.
M3. What a writer left open is closed as ``interrupted`` by the next one that starts, named once by each that starts
    while nothing is known of it, and can be amended; a living writer's is left alone.
M4. What is not known is null.
M5. Nothing blocks the event loop: run them under a detector of your choice (this project's own uses blockbuster).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tailrace.events import Usage
from tailrace.ledger import Attempt, Ledger, Outcome, Row

NOTED_WITHIN = 10.0
"""Seconds in which a ledger has to have written what was noted, on a machine that is busy with other things."""


def attempt(number: int = 1, stream: str = "stream") -> Attempt:
    """Return an attempt; its id is made of the two."""
    return Attempt(
        id=f"{stream}.{number}",
        stream=stream,
        number=number,
        owner="owner",
        door="openai_chat",
        asked="fast",
        provider="anthropic",
        model="claude-haiku-4-5",
        started=1_780_000_000.25 + number,
    )


COMPLETED = Outcome(
    ending="completed",
    seconds=2.5,
    first_content=0.5,
    status=200,
    usage=Usage(input_tokens=11, output_tokens=7, cache_read_tokens=5, cache_write_tokens=3, reasoning_tokens=2),
    label="exact",
)
FAILED = Outcome(ending="failed", seconds=0.25, error="rate_limit", status=429)
INTERRUPTED = Outcome(ending="interrupted", seconds=None, error="interrupted")


async def closed(ledger: Ledger, count: int) -> list[Row]:
    """Return the newest rows once ``count`` of them are closed."""
    async with asyncio.timeout(NOTED_WITHIN):
        while True:
            rows = await ledger.rows(limit=1000)
            if sum(row.outcome is not None for row in rows) >= count:
                return rows
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def started(ledger: Ledger) -> AsyncIterator[Ledger]:
    """Start ``ledger`` and yield it; leaving closes it."""
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.aclose()


@pytest.mark.anyio
class LedgerContract:
    """The tests. ``make`` may be called several times for one place: these are the writers that share it."""

    def make(self, place: Path) -> Ledger:
        """Return a writer, not yet started, of the ledger in the folder ``place``."""
        raise NotImplementedError

    async def test_m1_a_row_is_there_from_the_opening_and_says_all_at_the_close(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger:
            await ledger.open(attempt())
            assert await ledger.rows() == [Row(attempt=attempt(), outcome=None)]
            ledger.close(attempt().id, COMPLETED)
            assert await closed(ledger, 1) == [Row(attempt=attempt(), outcome=COMPLETED)]

    async def test_m1_a_second_close_changes_nothing(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger:
            await ledger.open(attempt())
            ledger.close(attempt().id, FAILED)
            ledger.close(attempt().id, COMPLETED)
            await closed(ledger, 1)
            ledger.close(attempt().id, COMPLETED)
        async with started(self.make(tmp_path)) as ledger:
            assert await ledger.rows() == [Row(attempt=attempt(), outcome=FAILED)]

    async def test_m1_closing_what_was_never_opened_makes_no_row(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger:
            ledger.close("nobody", COMPLETED)
        async with started(self.make(tmp_path)) as ledger:
            assert await ledger.rows() == []

    async def test_m1_many_attempts_at_once_have_a_row_each(self, tmp_path: Path) -> None:
        async def one(number: int) -> None:
            await ledger.open(attempt(number))
            ledger.close(attempt(number).id, COMPLETED if number % 2 else FAILED)

        async with started(self.make(tmp_path)) as ledger:
            await asyncio.gather(*map(one, range(1, 201)))
            rows = await closed(ledger, 200)
        assert sorted(row.attempt.number for row in rows) == list(range(1, 201))
        assert all(row.outcome == (COMPLETED if row.attempt.number % 2 else FAILED) for row in rows)

    async def test_m2_an_opened_row_is_seen_by_other_writers(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger, started(self.make(tmp_path)) as other:
            await ledger.open(attempt())
            assert await other.rows() == [Row(attempt=attempt(), outcome=None)]

    async def test_m2_what_was_noted_before_the_end_is_stored_after_it(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger:
            for number in range(1, 51):
                await ledger.open(attempt(number))
            for number in range(1, 51):
                ledger.close(attempt(number).id, COMPLETED)
        ledger.close(attempt(1).id, FAILED)
        async with started(self.make(tmp_path)) as ledger:
            rows = await ledger.rows()
        assert [row.outcome for row in rows] == [COMPLETED] * 50

    async def test_m3_the_next_writer_closes_what_one_left_open(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger:
            await ledger.open(attempt(1))
            await ledger.open(attempt(2))
            ledger.close(attempt(1).id, COMPLETED)
        async with started(self.make(tmp_path)) as ledger:
            rows = await ledger.rows()
        assert [(row.attempt.number, row.outcome) for row in rows] == [(2, INTERRUPTED), (1, COMPLETED)]

    async def test_m3_an_orphan_is_named_once_and_can_be_amended(self, tmp_path: Path) -> None:
        known = msgspec.structs.replace(INTERRUPTED, usage=Usage(output_tokens=9), label="estimated")
        async with started(self.make(tmp_path)) as ledger:
            for number in (1, 2, 3):
                await ledger.open(attempt(number))
            ledger.close(attempt(1).id, COMPLETED)
            assert ledger.orphans() == []
        async with started(self.make(tmp_path)) as ledger:
            orphans = ledger.orphans()
            assert [orphan.id for orphan in orphans] == [attempt(2).id, attempt(3).id]
            assert {orphan.stream for orphan in orphans} == {"stream"}
            assert ledger.orphans() == []
            ledger.amend({attempt(1).id: known, attempt(2).id: known, "nobody": known})
        async with started(self.make(tmp_path)) as ledger:
            assert [row.outcome for row in await ledger.rows()] == [INTERRUPTED, known, COMPLETED]
            assert [orphan.id for orphan in ledger.orphans()] == [attempt(3).id], "nothing is known of it yet"
            assert ledger.orphans() == []

    async def test_m3_a_living_writer_is_left_alone(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger:
            await ledger.open(attempt())
            async with started(self.make(tmp_path)) as other:
                assert await other.rows() == [Row(attempt=attempt(), outcome=None)]
            ledger.close(attempt().id, COMPLETED)
            assert [row.outcome for row in await closed(ledger, 1)] == [COMPLETED]

    async def test_m4_what_nobody_said_is_null(self, tmp_path: Path) -> None:
        said = Outcome(ending="cancelled", seconds=1.0, usage=Usage(output_tokens=0), label="estimated")
        async with started(self.make(tmp_path)) as ledger:
            await ledger.open(attempt())
            ledger.close(attempt().id, said)
            ((_, outcome),) = [(row.attempt, row.outcome) for row in await closed(ledger, 1)]
        assert outcome == said
        assert outcome.usage.values == (None, 0, None, None, None)
        assert (outcome.first_content, outcome.error, outcome.status) == (None, None, None)

    async def test_rows_are_the_newest_first_of_one_stream_where_asked(self, tmp_path: Path) -> None:
        async with started(self.make(tmp_path)) as ledger:
            for number in (1, 2, 3):
                # A clock that steps back does not change the order.
                for stream in ("a", "b"):
                    await ledger.open(msgspec.structs.replace(attempt(number, stream), started=-float(number)))
            assert [row.attempt.id for row in await ledger.rows(limit=3)] == ["b.3", "a.3", "b.2"]
            assert [row.attempt.id for row in await ledger.rows(stream="a", limit=2)] == ["a.3", "a.2"]
            assert await ledger.rows(stream="c") == []

    @pytest.mark.parametrize("name", ["", "x" * 1_000_000, "\ud800", "a\x00b", "'; DROP TABLE attempts; --", "日本語"])
    async def test_no_name_that_a_client_can_choose_costs_a_row(self, tmp_path: Path, name: str) -> None:
        async with started(self.make(tmp_path)) as ledger:
            await ledger.open(msgspec.structs.replace(attempt(), asked=name))
            (row,) = await ledger.rows()
        assert row.attempt.asked.startswith(name[:100].encode("utf-8", "replace").decode())

    async def test_no_figure_that_a_provider_can_say_costs_a_row(self, tmp_path: Path) -> None:
        usage = Usage(input_tokens=2**63, output_tokens=-1, cache_read_tokens=2**63 - 1, reasoning_tokens=10**400)
        async with started(self.make(tmp_path)) as ledger:
            await ledger.open(attempt())
            ledger.close(attempt().id, Outcome(ending="completed", seconds=1.0, usage=usage, label="exact"))
            ((_, outcome),) = [(row.attempt, row.outcome) for row in await closed(ledger, 1)]
        assert outcome is not None
        assert outcome.usage == Usage(cache_read_tokens=2**63 - 1)
