"""``tailrace usage``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tailrace.cli.exits import Exit
from tailrace.events import Usage
from tailrace.ledger import Outcome, SqliteLedger
from tailrace.testing.ledgers import COMPLETED, attempt
from tests.cli.commands import tailrace

ESTIMATED = Outcome(ending="cancelled", seconds=0.04, usage=Usage(output_tokens=9), label="estimated")


@pytest.fixture
def config(tmp_path: Path) -> str:
    async def fill() -> None:
        ledger = SqliteLedger(tmp_path / "l.db")
        await ledger.start()
        for number in (1, 2, 3):
            await ledger.open(attempt(number))
        ledger.close(attempt(1).id, COMPLETED)
        ledger.close(attempt(2).id, ESTIMATED)
        await ledger.aclose()

    asyncio.run(fill())
    file = tmp_path / "tailrace.toml"
    file.write_text('[ledger]\npath = "l.db"\n')
    return str(file)


def test_each_attempt_is_a_line_the_newest_first(config: str) -> None:
    code, out, _ = tailrace("usage", "-c", config)
    assert code == Exit.OK
    running, estimated, completed = (line.split(maxsplit=2)[2] for line in out.splitlines())
    assert running.split() == ["running", "anthropic/claude-haiku-4-5"]
    assert estimated.split() == ["cancelled", "0.0s", "-", "in", "~9", "out", "anthropic/claude-haiku-4-5"]
    assert completed.split() == ["completed", "2.5s", "11", "in", "7", "out", "anthropic/claude-haiku-4-5"]


def test_json_has_everything(config: str) -> None:
    _, out, _ = tailrace("usage", "-c", config, "--json", "--limit", "2")
    running, estimated = map(json.loads, out.splitlines())
    assert (running["attempt"]["id"], running["outcome"]) == ("stream.3", None)
    assert estimated["outcome"]["usage"] == {"output_tokens": 9}
    assert (estimated["outcome"]["label"], estimated["outcome"]["ending"]) == ("estimated", "cancelled")


def test_one_stream_s_attempts_only(config: str) -> None:
    code, out, err = tailrace("usage", "-c", config, "--stream", "other")
    assert (code, out, err.strip()) == (Exit.OK, "", "no attempts")


def test_without_a_ledger_it_says_where_it_looked(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.db")
    code, _, err = tailrace("usage", environ={"TAILRACE__LEDGER__PATH": missing})
    assert code != Exit.OK
    assert missing in err
    assert "there is no ledger yet" in err
    code, _, err = tailrace("usage", environ={"TAILRACE__LEDGER__BACKEND": "none"})
    assert code != Exit.OK
    assert "no ledger is kept" in err
