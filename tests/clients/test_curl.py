"""The plain feed for a person with curl: lines that arrive one by one, and a last one that says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator

import pytest

from tailrace.simulator import expected, parse
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]


@contextlib.asynccontextmanager
async def curl(url: str, model: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``curl -N`` as the documentation writes it."""
    path = shutil.which("curl")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("curl is not installed")
        pytest.skip("curl is not installed")
    body = json.dumps({"model": model, "prompt": "Hello"})
    process = await asyncio.create_subprocess_exec(
        *(path, "-sN", "--noproxy", "*", f"{url}/stream", "-d", body), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def data_line(process: asyncio.subprocess.Process) -> str:
    """Return what the next ``data:`` line says; the others are ids and the blank lines between events."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if line.startswith(b"data: "):
            return line.removeprefix(b"data: ").decode().rstrip("\n")
        assert line == b"\n" or line.startswith(b"id: "), line
    return ""


async def test_lines_arrive_before_the_provider_has_finished(house: House) -> None:
    # The provider falls silent for ever after its fifth event: what it has said by then is readable, or never is.
    async with asyncio.timeout(20), curl(house.url, "ant/sim:tokens=40,fault=stall_event@5") as process:
        said = [json.loads(await data_line(process)) for _ in range(3)]
        assert house.sim.requests[0].state == "open"
        assert expected(parse("sim")).text.startswith("".join(said))


async def test_the_whole_feed(house: House) -> None:
    async with asyncio.timeout(20), curl(house.url, "oai/sim-unicode") as process:
        lines = []
        while line := await data_line(process):
            lines.append(line)
        assert await process.wait() == 0
    assert lines[-1] == "[DONE]"
    assert len(lines) > 30
    assert "".join(map(json.loads, lines[:-1])) == expected(parse("sim-unicode")).text


async def test_an_answer_that_breaks_off_is_not_done(house: House) -> None:
    async with asyncio.timeout(20), curl(house.url, "ant/sim:tokens=40,fault=cut_event@9") as process:
        assert process.stdout is not None
        output = await process.stdout.read()
    assert b'data: "' in output
    assert b"event: error\n" in output
    assert b"[DONE]" not in output
