"""``[ledger]``: where the file lies, and what an administrator can decide about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.config import Ledger, load
from tests.config.reading import read


def test_by_default_it_is_a_file_among_the_user_s_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    ledger = read("").ledger
    assert ledger == Ledger(backend="sqlite", strict=False, synchronous="normal")
    assert ledger.file == Path("/state/tailrace/ledger.sqlite3")


def test_every_key_reaches_its_value() -> None:
    ledger = read('[ledger]\nbackend = "none"\npath = "/srv/l"\nstrict = true\nsynchronous = "full"').ledger
    assert ledger == Ledger(backend="none", path=Path("/srv/l"), strict=True, synchronous="full")
    assert ledger.file == Path("/srv/l")


def test_a_relative_path_begins_at_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "tailrace.toml"
    config.write_text('[ledger]\npath = "money/l.db"\n')
    assert load(config, {}).ledger.file == tmp_path / "money" / "l.db"
    assert load(config, {"TAILRACE__LEDGER__PATH": "other.db"}).ledger.file == tmp_path / "other.db"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(config, {"TAILRACE__LEDGER__PATH": "~/l.db"}).ledger.file == tmp_path / "home" / "l.db"
