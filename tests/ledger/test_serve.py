"""`tailrace serve`, killed in the middle of an answer: what was asked has its row, which the next start closes."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import httpx2
import pytest

from tailrace.simulator import in_thread
from tests.cli.commands import tailrace
from tests.cli.processes import running
from tests.ledger.writer import eventually, outcomes

pytestmark = pytest.mark.system


def ask(url: str, model: str) -> None:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with contextlib.suppress(httpx2.HTTPError):  # the server may be killed meanwhile
        httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=30)


def test_a_killed_server_s_attempt_is_there_and_closed_by_the_next_one(tmp_path: Path) -> None:
    with in_thread() as sim:
        config = tmp_path / "tailrace.toml"
        config.write_text(
            f'[providers.oai]\ndialect = "openai_chat"\nbase_url = "{sim.url}/v1"\n'
            '[ledger]\npath = "ledger.sqlite3"\nstrict = true\n'
        )
        path = tmp_path / "ledger.sqlite3"
        with running("serve", "--config", str(config), "--port", "0") as server:
            ask(server.url, "oai/sim:tokens=3")
            asking = threading.Thread(target=ask, args=(server.url, "oai/sim:tokens=1000,rate=20"))
            asking.start()
            sim.wait(lambda sim: len(sim.requests) == 2 and sim.requests[1].events_sent > 3, 30)
            server.process.kill()
            server.process.wait()
            asking.join()
        assert sorted(map(str, outcomes(path).values())) == ["None", "completed"]
        with running("serve", "--config", str(config), "--port", "0") as server:
            eventually(
                lambda: sorted(map(str, outcomes(path).values())), lambda seen: seen == ["completed", "interrupted"]
            )
            _, out, _ = tailrace("usage", "--config", str(config), "--json")
    newest = json.loads(out.splitlines()[0])
    assert (newest["attempt"]["provider"], newest["outcome"]["ending"]) == ("oai", "interrupted")
    assert newest["outcome"]["label"] == "unknown"
    assert len(outcomes(path)) == len(sim.requests)
