"""F16, in a process of its own: libfaketime steps the wall clock under a whole server, SQLite and OpenSSL included."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.cli.processes import Running, running

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(LIBRARY is None and os.environ.get("CI") != "true", reason="needs Debian's faketime"),
]

IDLE = 1.0
HOURS = 2 * 3600

CONFIG = """
[providers.sim]
dialect = "anthropic"
base_url = "{url}"

[routes.silent]
targets = ["sim/sim:tokens=9,fault=stall_event@5"]
deadlines = {{ idle = {idle} }}
"""


class Clock:
    """The server's wall clock."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step(0)

    def step(self, seconds: int) -> None:
        """Have it differ from ours by so many seconds from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def server(tmp_path: Path, clock: Clock) -> Iterator[Running]:
    with running("simulate", "--port", "0") as sim:
        config = tmp_path / "tailrace.toml"
        config.write_text(CONFIG.format(url=sim.url, idle=IDLE))
        variables = {
            "XDG_STATE_HOME": str(tmp_path),
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with running("serve", "--config", str(config), "--port", "0", variables=variables) as served:
            yield served


@pytest.mark.parametrize("step", [HOURS, -HOURS], ids=["+2 h", "-2 h"])
def test_a_step_in_the_middle_of_an_answer_moves_no_deadline(server: Running, clock: Clock, step: int) -> None:
    body = {"model": "silent", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    with httpx2.Client(base_url=server.url, timeout=30, trust_env=False) as http:
        with http.stream("POST", "/v1/messages", json=body) as response:
            chunks = response.iter_bytes()
            next(chunks)
            begun = time.monotonic()
            clock.step(step)
            told = b"".join(chunks)
            took = time.monotonic() - begun
        assert b'"ending":"timed_out"' in told
        assert 0.9 * IDLE <= took <= IDLE + 1.5
        # Readable all the same, and the next one says the time that the wall now shows: the step was real.
        assert http.get(f"/streams/{response.headers['tailrace-stream-id']}").status_code == 200
        http.post("/v1/messages", json=body | {"stream": False})
        newest, older = http.get("/streams").json()["data"]
    assert abs(newest["created"] - older["created"] - step) < 30
    assert abs(newest["created"] - time.time() - step) < 30
