"""Several processes on one file, killed at any moment: every attempt that began has its row, and a truthful ending."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from tests.ledger.writer import COMPLETED, Writer, eventually, outcomes, rows

pytestmark = pytest.mark.system


def locks(path: Path) -> set[str]:
    return {lock.name for lock in path.with_name(f"{path.name}.writers").iterdir()} - {"starting.lock"}


def test_a_killed_writer_s_rows_are_closed_by_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with Writer(path) as writer:
        writer.started()
        assert writer.ask("open", "open") == "ok"
        assert writer.ask("open", "closed") == "ok"
        writer.tell("close", "closed")
        writer.until(lambda state: state["owed"] == 0)
        writer.kill()
    assert outcomes(path) == {"open": None, "closed": "completed"}
    with Writer(path) as after:
        after.started()
        assert outcomes(path) == {"open": "interrupted", "closed": "completed"}
        lost = rows(path)["open"].outcome
        assert lost is not None
        assert (lost.label, lost.seconds, lost.usage.values) == ("unknown", None, (None,) * 5)
        assert len(locks(path)) == 1
        after.ask("leave")
    assert locks(path) == set()


def test_what_a_killed_writer_leaves_behind_is_cleaned_up_even_where_no_row_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    for _ in range(2):
        with Writer(path) as writer:
            writer.started().kill()
    assert len(locks(path)) == 1
    with Writer(path) as after:
        after.started().ask("leave")
    assert locks(path) == set()


def test_a_killed_sibling_is_noticed_by_those_that_live_on_and_they_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with Writer(path) as one, Writer(path) as two, Writer(path, sweep=1000) as dies:
        for writer, name in ((one, "one"), (two, "two"), (dies, "dies")):
            assert writer.started().ask("open", name) == "ok"
        dies.kill()
        eventually(lambda: outcomes(path), lambda seen: seen == {"one": None, "two": None, "dies": "interrupted"})
        one.tell("close", "one")
        one.until(lambda state: state["owed"] == 0)
        assert outcomes(path) == {"one": "completed", "two": None, "dies": "interrupted"}


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_no_row_is_lost_and_none_is_written_twice(tmp_path: Path, seed: int) -> None:
    """Two strict writers work as fast as they can; one is killed in the middle, the other goes on.

    Not strict, the one that is kept from the lock for too long would have rows in memory to lose.
    """
    rng = random.Random(seed)
    path = tmp_path / "ledger.sqlite3"
    how = {"strict": True, "synchronous": "full" if seed % 2 else "normal"}
    with Writer(path, **how) as victim, Writer(path, **how) as other:
        victim.started()
        other.started()
        victim.tell("spin", "v", "aloud")
        other.tell("spin", "o")
        told = [victim.hear()[1] for _ in range(rng.randrange(1, 400))]
        victim.kill()
        assert victim.process.stdout is not None
        for line in victim.process.stdout:
            with contextlib.suppress(ValueError, IndexError):  # the last line may be cut
                told.append(line.split('"')[3])
        eventually(lambda: outcomes(path), lambda seen: None not in [seen[name] for name in told])
        other.kill()
    with Writer(path) as after:
        after.started()
    found = outcomes(path)
    assert set(told) <= set(found)
    assert set(found.values()) <= {"completed", "interrupted"}
    # Four loops a process: what was neither told nor closed is what they were at.
    assert sum(ending == "interrupted" for name, ending in found.items()) <= 8 * 2
    assert len([name for name in found if name.startswith("v") and name not in told]) <= 4


def test_many_can_begin_a_new_ledger_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(Writer(path)) for _ in range(6)]
        for number, writer in enumerate(writers):
            writer.started().tell("open", f"of{number}")
        assert [writer.hear() for writer in writers] == ["ok"] * 6
        assert len(outcomes(path)) == 6


def test_a_writer_that_was_taken_for_dead_has_the_last_word(tmp_path: Path) -> None:
    """As on a file system whose locks do nothing: here somebody cleans up lock files by hand."""
    path = tmp_path / "ledger.sqlite3"
    with Writer(path) as alive:
        alive.started()
        for name in ("ends", "goes on"):
            assert alive.ask("open", name) == "ok"
        for lock in path.with_name(f"{path.name}.writers").iterdir():
            lock.unlink()
        with Writer(path) as other:
            other.started()
            assert outcomes(path) == {"ends": "interrupted", "goes on": "interrupted"}
            alive.ask("close", "ends")
            alive.until(lambda state: state["owed"] == 0)
            assert outcomes(path) == {"ends": "completed", "goes on": "interrupted"}
            assert rows(path)["ends"].outcome == COMPLETED
