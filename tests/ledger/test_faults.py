"""Fault F17, with real faults: a full disk, failing writes, a locked file, a file system that became read-only.

Whatever happens meanwhile, in the end the ledger has each attempt that took place, once, and no other.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.ledger.writer import Writer, outcomes

pytestmark = pytest.mark.system

SIZE = 256 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "-o", f"size={SIZE},mode=0777", "tmpfs"):
        yield place


@contextlib.contextmanager
def mounted(place: Path, *what: str) -> Iterator[None]:
    done = subprocess.run(["mount", *what, str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def full(writer: Writer) -> Iterator[None]:
    ballast = writer.path.parent / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    # Rows still go in now and then: a connection that is dropped and opened again gives its WAL's pages back.
    yield
    ballast.unlink()


@contextlib.contextmanager
def failing(writer: Writer) -> Iterator[None]:
    with writer.failing_disk():
        yield


@contextlib.contextmanager
def locked(writer: Writer) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(writer.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def read_only(writer: Writer) -> Iterator[None]:
    """Have the folder vanish behind a read-only one, as when a volume comes back in a sorry state."""
    place = writer.path.parent
    other = place.parent / "other"
    other.mkdir(exist_ok=True)
    (other / writer.path.name).touch()
    with mounted(place, "--bind", "-o", "ro", str(other)):
        yield


Fault = Callable[[Writer], AbstractContextManager[None]]

CELLS: dict[str, Fault] = {"disk_full": full, "io_error": failing, "locked": locked, "read_only": read_only}


REFUSED = [503, "ledger_unavailable"]


def begin_until_noticed(writer: Writer, reason: str) -> list[str]:
    """Begin attempts until the writer is in trouble; return those that were let begin."""
    begun = []
    for number in range(2000):
        if writer.ask("open", name := f"noticed{number}") == "ok":
            begun.append(name)
        if trouble := writer.ask("state")["trouble"]:
            assert trouble == reason
            return begun
    raise AssertionError("no trouble")


@pytest.mark.parametrize("reason", CELLS)
def test_work_goes_on_and_every_row_is_written_once_when_the_fault_is_over(small_disk: Path, reason: str) -> None:
    with Writer(small_disk / "ledger.sqlite3") as writer:
        writer.started()
        begun = ["before", "runs on"]
        assert [writer.ask("open", name) for name in begun] == ["ok"] * 2
        with CELLS[reason](writer):
            begun += begin_until_noticed(writer, reason)
            for number in range(50):
                assert writer.ask("open", f"kept{number}") == "ok"
                begun.append(f"kept{number}")
            for name in begun:
                if name != "runs on":
                    writer.ask("close", name)
            state = writer.ask("state")
            if reason == "disk_full":
                assert state["spilled"][reason] >= 1
            else:
                assert (state["trouble"], state["owed"] >= 51, state["spilled"][reason] >= 51) == (reason, True, True)
        writer.until(lambda state: state["owed"] == 0 and not state["trouble"])
        assert outcomes(writer.path) == {name: None if name == "runs on" else "completed" for name in begun}
        assert writer.ask("open", "after") == "ok"
        assert "after" in outcomes(writer.path)


@pytest.mark.parametrize("reason", CELLS)
def test_a_strict_ledger_refuses_new_work_and_has_no_row_of_it(small_disk: Path, reason: str) -> None:
    with Writer(small_disk / "ledger.sqlite3", strict=True) as writer:
        writer.started()
        begun = ["before", "runs on"]
        assert [writer.ask("open", name) for name in begun] == ["ok"] * 2
        with CELLS[reason](writer):
            begun += begin_until_noticed(writer, reason)
            for number in range(20):
                said = writer.ask("open", f"refused{number}")
                if reason == "disk_full" and said == "ok":
                    begun.append(f"refused{number}")
                else:
                    assert said == REFUSED
            writer.ask("close", "before")
        writer.until(lambda state: state["owed"] == 0 and not state["trouble"])
        endings = outcomes(writer.path)
        assert set(endings) == set(begun)
        assert (endings["before"], endings["runs on"]) == ("completed", None)
        assert writer.ask("open", "after") == "ok"


def test_a_full_spill_refuses_work_even_where_nobody_is_strict(small_disk: Path) -> None:
    with Writer(small_disk / "ledger.sqlite3", spill=10) as writer:
        writer.started()
        assert writer.ask("open", "before") == "ok"
        with writer.failing_disk():
            said = [writer.ask("open", f"{number}") for number in range(12)]
            assert said == ["ok"] * 10 + [REFUSED] * 2
            # Whoever runs can always end.
            state = writer.ask("close", "before")
            assert state["owed"] == 11
        writer.until(lambda state: state["owed"] == 0)
        assert set(outcomes(writer.path)) == {"before", *map(str, range(10))}


@pytest.mark.parametrize("strict", [False, True])
def test_a_disk_that_is_full_from_the_start_is_waited_for(small_disk: Path, strict: bool) -> None:
    (small_disk / "ballast").write_bytes(bytes(SIZE - 4096))
    with contextlib.suppress(OSError):
        (small_disk / "more").write_bytes(bytes(4096))
    with Writer(small_disk / "ledger.sqlite3", strict=strict) as writer:
        writer.started()
        assert writer.ask("state")["trouble"] == "disk_full"
        assert writer.ask("open", "one") == (REFUSED if strict else "ok")
        (small_disk / "ballast").unlink()
        writer.until(lambda state: state["owed"] == 0 and not state["trouble"])
        assert writer.ask("open", "two") == "ok"
        assert outcomes(writer.path) == ({"two": None} if strict else {"one": None, "two": None})


def test_a_read_only_file_system_ends_the_start_with_advice(tmp_path: Path) -> None:
    place, disk = tmp_path / "place", tmp_path / "disk"
    place.mkdir()
    disk.mkdir()
    with mounted(place, "--bind", "-o", "ro", str(disk)), Writer(place / "ledger.sqlite3") as writer:
        word, message = writer.hear()
        assert word == "refused"
        assert "name another place with ledger.path" in message


def test_a_ledger_that_was_removed_is_begun_anew_with_what_still_runs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with Writer(path) as writer:
        writer.started()
        for name in ("ended", "runs"):
            writer.ask("open", name)
        writer.ask("close", "ended")
        writer.until(lambda state: state["owed"] == 0)
        path.unlink()
        writer.ask("close", "runs")
        writer.until(lambda state: state["owed"] == 0)
        assert outcomes(path) == {"runs": "completed"}


def test_what_cannot_be_written_at_the_end_is_not_waited_for(small_disk: Path) -> None:
    with Writer(small_disk / "ledger.sqlite3") as writer:
        writer.started()
        with writer.failing_disk():
            assert writer.ask("open", "lost") == "ok"
            assert writer.ask("leave") == "left"
        assert writer.process.wait(timeout=20) == 0
    assert outcomes(small_disk / "ledger.sqlite3") == {}


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.sqlite3"
    with Writer(path) as writer:
        writer.started().ask("open", "one")
        assert {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir() if file.is_file()} == {
            "ledger.sqlite3": 0,
            "ledger.sqlite3-wal": 0,
            "ledger.sqlite3-shm": 0,
        }
