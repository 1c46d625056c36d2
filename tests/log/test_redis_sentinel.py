"""Failovers by sentinel: the logs go on at the new master, the same for every reader."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.log import RedisSpec, StreamLog
from tailrace.testing.log_parts import Listener, everything, frames, grown, info, soon, stamped, until
from tests.log.conftest import opened
from tests.redis_servers import Cluster, needs_redis, redis_cluster

pytestmark = [pytest.mark.anyio, needs_redis, pytest.mark.system, pytest.mark.timeout(600)]

FAILOVERS = int(os.environ.get("TAILRACE_FAILOVERS", "3"))
"""Each takes a little more than a second; `make chaos` does fifty."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with redis_cluster(tmp_path, {"appendonly": "yes"}) as running:
        yield running


def spec_of(cluster: Cluster, **more: object) -> RedisSpec:
    return RedisSpec(url="redis://ignored/0", sentinels=cluster.addresses, master=cluster.name, **more)  # type: ignore[arg-type]


async def write(log: StreamLog, stop: asyncio.Event) -> int:
    number = 0
    while not stop.is_set():
        number += 1
        log.append(frames(1, number))
        await asyncio.sleep(0.005)
    return number


async def test_logs_go_on_at_the_new_master(cluster: Cluster) -> None:
    one, two = Listener(), Listener()
    spec = spec_of(cluster, write_wait=20.0)
    async with opened(spec, one) as here, opened(spec, two) as there:
        log = await here.create(info(), ids=True)
        stop = asyncio.Event()
        writing = asyncio.create_task(write(log, stop))
        await until(lambda: log.tail > 5)
        copy = await there.find(log.info.id)
        assert copy is not None
        unwatch = copy.watch(lambda: None)
        for _ in range(FAILOVERS):
            await asyncio.to_thread(cluster.fail_over)
            await until(grown(log, log.tail + 5), "frames at the new master")
            await until(grown(copy, log.tail), "the copy's frames")
        stop.set()
        count = await writing
        log.close("completed")
        await until(lambda: log.ending is not None and copy.ending is not None, "the end")
        assert (log.ending, copy.ending, one.cut, one.ended, two.ended) == ("completed", "completed", [], [], [])
        assert everything(copy) == everything(log) == stamped(frames(count))
        # The end may have been acknowledged by the master that was just being replaced: then it is told again.
        async with opened(spec, Listener()) as third:

            async def settled() -> bool:
                again = await third.find(log.info.id)
                return again is not None and again.ending == "completed" and everything(again) == stamped(frames(count))

            await soon(settled, "the whole log elsewhere")
        unwatch()


async def test_logs_survive_a_master_that_is_killed(cluster: Cluster) -> None:
    listener = Listener()
    async with opened(spec_of(cluster, write_wait=20.0), listener) as store:
        log = await store.create(info(), ids=True)
        stop = asyncio.Event()
        writing = asyncio.create_task(write(log, stop))
        await until(lambda: log.tail > 5)
        dead, tail = cluster.master(), log.tail
        dead.kill()
        await until(lambda: log.tail > tail + 20, "frames at the new master")
        dead.start()
        stop.set()
        count = await writing
        log.close("completed")
        await until(lambda: log.ending is not None, "the end")
        assert (log.ending, listener.cut) == ("completed", [])
    async with opened(spec_of(cluster), Listener()) as other:
        again = await other.find(log.info.id)
        assert again is not None
        assert everything(again) == stamped(frames(count))
