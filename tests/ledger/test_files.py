"""The file itself: versions, damage, other programs' files, and what a person sees in it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tailrace.errors import ConfigError
from tailrace.ledger import Row, SqliteLedger, read, schema
from tailrace.testing.ledgers import COMPLETED, attempt, closed, started


def sql(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [row for statement in statements for row in connection.execute(statement)]


async def filled(path: Path, count: int = 1) -> None:
    async with started(SqliteLedger(path)) as ledger:
        for number in range(1, count + 1):
            await ledger.open(attempt(number))
            ledger.close(attempt(number).id, COMPLETED)
        await closed(ledger, count)


async def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        await SqliteLedger(path).start()
    assert caught.value.where == str(path)
    return str(caught.value)


@pytest.mark.anyio
async def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    await filled(path)
    sql(path, "PRAGMA user_version = 999")
    assert "written by a newer Tailrace (its schema is 999, this one knows 1)" in await refusal(path)
    with pytest.raises(ConfigError, match="newer"):
        await asyncio.to_thread(read, path)
    assert sql(path, "SELECT count(*) FROM attempts", "PRAGMA user_version") == [(1,), (999,)]


@pytest.mark.anyio
async def test_a_file_of_an_older_version_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.sqlite3"
    await filled(path)
    more = ("ALTER TABLE attempts ADD COLUMN cost REAL", "PRAGMA user_version = 2")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))
    async with started(SqliteLedger(path)) as ledger:
        assert await ledger.rows() == [Row(attempt=attempt(), outcome=COMPLETED)]
        await ledger.open(attempt(2))
    assert sql(path, "PRAGMA user_version", "SELECT count(cost) FROM attempts") == [(2,), (0,)]


@pytest.mark.anyio
async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.sqlite3"
    await filled(path)
    before = sql(path, "SELECT sql FROM sqlite_master")
    more = ("CREATE TABLE half (n INTEGER)", "PRAGMA user_version = 2", "CREATE TABLE half (n INTEGER)")
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))
        with pytest.raises(ConfigError, match="table half already exists"):
            await SqliteLedger(path).start()
    assert sql(path, "SELECT sql FROM sqlite_master", "PRAGMA user_version") == [*before, (1,)]
    await filled(path)


@pytest.mark.anyio
async def test_every_migration_says_its_own_version() -> None:
    for version, statements in enumerate(schema.MIGRATIONS, 1):
        assert statements[-1] == f"PRAGMA user_version = {version}"


@pytest.mark.anyio
@pytest.mark.parametrize("content", [b"# Notes\n" * 200, b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_file_that_is_no_database_is_refused_with_advice(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(content)
    assert "move it away and start again" in await refusal(path)
    assert path.read_bytes() == content


@pytest.mark.anyio
async def test_a_ledger_that_was_damaged_in_the_middle_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    await filled(path, 200)
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 3 * 4096)
    assert "move it away and start again" in await refusal(path)


@pytest.mark.anyio
async def test_another_program_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "places.sqlite"
    sql(path, "CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    assert "is another program's database" in await refusal(path)
    assert path.read_bytes() == before


@pytest.mark.anyio
async def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    assert "name a file in a folder" in await refusal(tmp_path)


@pytest.mark.anyio
async def test_a_place_below_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "ledger.path" in await refusal(tmp_path / "file" / "ledger.sqlite3")


@pytest.mark.anyio
async def test_after_a_refused_start_the_same_ledger_can_start_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"# Notes\n" * 200)
    ledger = SqliteLedger(path)
    with pytest.raises(ConfigError):
        await ledger.start()
    async with asyncio.timeout(5):
        while [lock.name for lock in path.with_name(f"{path.name}.writers").iterdir()] != ["starting.lock"]:
            await asyncio.sleep(0.005)
    path.unlink()
    async with started(ledger):
        await ledger.open(attempt())
        assert len(await ledger.rows()) == 1


@pytest.mark.anyio
async def test_a_person_with_the_shell_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    await filled(path)
    query = "SELECT datetime(started, 'unixepoch'), provider, model, output_tokens, label, ending FROM attempts"
    assert sql(path, query) == [
        ("2026-05-28 20:26:41", "anthropic", "claude-haiku-4-5", 7, "exact", "completed"),
    ]
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.anyio
@pytest.mark.parametrize(("synchronous", "level"), [("normal", 1), ("full", 2)])
async def test_it_is_as_durable_as_it_was_told(tmp_path: Path, synchronous: Any, level: int) -> None:
    async with started(SqliteLedger(tmp_path / "ledger.sqlite3", synchronous=synchronous)) as ledger:
        store = ledger._store  # type: ignore[attr-defined]
        ask = lambda: store._connection.execute("PRAGMA synchronous").fetchone()  # noqa: E731
        assert await ledger._run(ask) == (level,)  # type: ignore[attr-defined]


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no ledger yet"):
        read(tmp_path / "ledger.sqlite3")
    (tmp_path / "empty").touch()
    assert read(tmp_path / "empty") == []
    assert [file.name for file in tmp_path.iterdir()] == ["empty"]


@pytest.mark.anyio
async def test_one_can_look_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    async with started(SqliteLedger(path)) as ledger:
        await ledger.open(attempt())
        assert await asyncio.to_thread(read, path) == [Row(attempt=attempt(), outcome=None)]
        assert await asyncio.to_thread(read, path, stream="other") == []


def test_the_statements_are_literals() -> None:
    """No value ever becomes part of a statement."""
    folder = Path(schema.__file__).parent
    found = subprocess.run(
        [
            "grep",
            "-nE",
            r"execute(many|script)?\(f?[\"'].*[{%]|execute(many|script)?\(f",
            *map(str, folder.glob("*.py")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
