"""``serve --workers 2``: real processes on one socket, ended, killed, replaced and orphaned while clients look on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from tailrace.simulator import Simulator
from tests.cli.processes import SECONDS, TAILRACE, AtTerminal, environ
from tests.cluster.load import Reading, kept, read, watch
from tests.cluster.nodes import START, Node, settings
from tests.redis_servers import needs_redis, redis_server

pytestmark = [pytest.mark.anyio, pytest.mark.system, needs_redis, pytest.mark.timeout(600)]

BUSY = 2.5
"""Seconds past the grace: the promise is one, the rest is for a machine that has other things to do."""

SECRET = "sk-canary-worker-4711"


class Pair(NamedTuple):
    node: Node
    sim: Simulator
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return self.node.url

    def workers(self) -> set[int]:
        return children(self.node.pid)

    async def until_workers(self, count: int, without: set[int] = frozenset()) -> set[int]:  # type: ignore[assignment]
        async with asyncio.timeout(START):
            while len(self.workers() - without) < count:
                await asyncio.sleep(0.05)
        return self.workers()

    async def said(self, *words: str) -> None:
        async with asyncio.timeout(START):
            while not any(all(word in line for word in words) for line in self.node.said):
                await asyncio.sleep(0.05)

    async def verify(self, reading: Reading) -> None:
        assert reading.completed
        assert reading.violations(await kept(self.http, self.url, reading.stream)) == []


def children(pid: int) -> set[int]:
    """The workers of a supervisor; beside them it has Python's own resource tracker."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return {int(one) for one in found if b"spawn_main" in cmdline(int(one))}


def cmdline(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@contextlib.asynccontextmanager
async def pair(folder: Path, *, grace: float = 20.0) -> AsyncIterator[Pair]:
    with redis_server(folder) as redis:
        async with Simulator() as sim, aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            more = {"TAILRACE__PROVIDERS__ANT__API_KEY": "env:ANT_KEY", "ANT_KEY": SECRET}
            node = Node("pair", settings(sim.url, redis.url, grace=grace, **more), "--workers", "2")
            try:
                await node.start()
                yield Pair(node, sim, http)
            finally:
                await node.stop()


async def test_a_stream_of_one_worker_is_read_through_the_other_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    async with pair(tmp_path) as made:
        before = await made.until_workers(2)
        first = await read(made.http, made.url, "ant/sim:tokens=20")
        await made.verify(first)
        # One socket, and the kernel gives a connection to whoever is awake: of so many each worker gets some.
        for reading in await asyncio.gather(*(watch(made.http, made.url, first.stream) for _ in range(40))):
            await made.verify(reading)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        for _ in range(20):
            async with made.http.get(f"{made.url}/health/live") as response:
                assert response.status == 200
        await made.said("worker_died", str(victim))
        after = await made.until_workers(2, without={victim})
        assert len(after & before) == 1
        await made.verify(await read(made.http, made.url, "ant/sim:tokens=20,seed=2"))


async def test_sighup_replaces_every_worker_and_nobody_notices(tmp_path: Path) -> None:
    async with pair(tmp_path) as made:
        before = await made.until_workers(2)
        over = asyncio.Event()

        async def hammering() -> int:
            count = 0
            while not over.is_set():
                async with made.http.get(f"{made.url}/health/live") as response:
                    assert response.status == 200
                count += 1
                await asyncio.sleep(0.01)
            return count

        hammer = asyncio.create_task(hammering())
        streams = [
            asyncio.create_task(read(made.http, made.url, f"ant/sim:tokens=40,rate=10,seed={n}")) for n in range(8)
        ]
        await made.sim.until(lambda sim: len(sim.requests) == 8)
        made.node.signal(signal.SIGHUP)
        await made.said("restart_done")
        over.set()
        assert await hammer > 0
        for stream in streams:
            await made.verify(await stream)
        assert made.workers().isdisjoint(before)
        assert len(made.workers()) == 2


async def test_the_end_is_orderly_and_a_second_signal_forces_it(tmp_path: Path) -> None:
    async with pair(tmp_path) as made:
        workers = await made.until_workers(2)
        # What a worker was started with shows to every user of the machine.
        assert not any(SECRET.encode() in cmdline(pid) for pid in workers)
        finishing = [
            asyncio.create_task(read(made.http, made.url, f"ant/sim:tokens=20,rate=10,seed={n}")) for n in (1, 2)
        ]
        await made.sim.until(lambda sim: len(sim.requests) == 2)
        code, seconds = await made.node.end()
        assert code == 0
        assert seconds < 2 + BUSY * 2
        for task in finishing:
            assert (await asyncio.wait_for(task, SECONDS)).completed

        made.node.said.clear()
        await made.node.start()
        endless = asyncio.create_task(read(made.http, made.url, "ant/sim:tokens=100000,rate=10"))
        await made.sim.until(lambda sim: len(sim.requests) == 3)
        made.node.signal()
        await made.said('"draining"')
        started = time.monotonic()
        made.node.signal()
        assert await made.node.ended() == 128 + signal.SIGTERM
        assert time.monotonic() - started < BUSY
        endless.cancel()


async def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    async with pair(tmp_path, grace=0.5) as made:
        workers = await made.until_workers(2)
        made.node.signal(signal.SIGKILL)
        await made.node.ended()
        async with asyncio.timeout(START):
            while any(b"spawn_main" in cmdline(pid) for pid in workers):
                await asyncio.sleep(0.05)


def test_workers_without_a_shared_log_are_refused() -> None:
    done = subprocess.run(
        [*TAILRACE, "serve", "--workers", "2", "--port", "0"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environ(OPENAI_API_KEY="sk-x"), timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert 'set [log] backend = "redis" and url' in done.stderr


def test_what_keeps_workers_from_starting_is_said_once() -> None:
    nobody = {
        "TAILRACE__LOG__BACKEND": "redis",
        "TAILRACE__LOG__URL": "redis://127.0.0.1:1/0",
        "OPENAI_API_KEY": "sk-x",
    }
    done = subprocess.run(
        [*TAILRACE, "serve", "--workers", "2", "--port", "0"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environ(**nobody), timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr


def test_ctrl_c_at_a_terminal_ends_all_of_it_quietly(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        shared = {"TAILRACE__LOG__BACKEND": "redis", "TAILRACE__LOG__URL": redis.url, "OPENAI_API_KEY": "sk-x"}
        with AtTerminal("serve", "--workers", "2", "--port", "0", variables=shared) as at:
            at.until("2 workers")
            at.until("Ctrl-C ends")
            at.type("\x03")
            assert at.ended() == 0
            assert "Traceback" not in at.screen
            # The terminal told the workers, too; had they listened, the parent's word would have been their second.
            assert len(re.findall(r"draining\b", at.screen)) == 2


def test_closing_the_terminal_ends_the_workers_instead_of_replacing_them(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        shared = {"TAILRACE__LOG__BACKEND": "redis", "TAILRACE__LOG__URL": redis.url, "OPENAI_API_KEY": "sk-x"}
        with AtTerminal("serve", "--workers", "2", "--port", "0", variables=shared) as at:
            at.until("Ctrl-C ends")
            at.hang_up()
            assert at.process.wait(SECONDS) == 0
