"""Two nodes behind nginx: a stream of one is resumed and stopped at the other, and deploys lose nothing."""

from __future__ import annotations

import asyncio
import signal
import time

import aiohttp
import pytest

from tailrace.client import AsyncClient
from tests.cli.processes import SECONDS
from tests.cluster.deploys import deploys
from tests.cluster.house import House, cluster
from tests.cluster.load import Frame, Reading, frames_of, kept, read
from tests.cluster.nodes import needs_nginx
from tests.redis_servers import needs_redis

pytestmark = [pytest.mark.anyio, pytest.mark.system, needs_redis, needs_nginx, pytest.mark.timeout(600)]

BUSY = 3.0
"""Seconds for a machine that has other things to do, on top of what is promised."""


async def begun(house: House, url: str, model: str) -> tuple[Reading, asyncio.Task[Reading]]:
    """Ask ``url`` for an answer; return as soon as the stream has a name."""
    named: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(read(house.http, url, model, named.set_result))
    await asyncio.wait({named, task}, return_when=asyncio.FIRST_COMPLETED)
    return named.result(), task


async def test_a_stream_of_one_node_is_followed_and_stopped_at_the_other() -> None:
    async with cluster(grace=5) as house:
        one, two = house.nodes
        reading, task = await begun(house, one.url, "ant/sim:tokens=100000,rate=20")
        # As a browser's EventSource does it, and in the middle.
        async with house.http.get(f"{two.url}/streams/{reading.stream}", headers={"last-event-id": "3"}) as response:
            other: list[Frame] = []
            async for frame in frames_of(response):
                other.append(frame)
                if len(other) == 10:
                    async with house.http.post(f"{two.url}/streams/{reading.stream}/stop") as stopped:
                        assert (await stopped.json())["ending"] == "cancelled"
        async with asyncio.timeout(SECONDS):
            await house.sim.until(lambda sim: sim.requests[0].state == "closed_by_client")
        assert (await task).frames[3:] == other
        assert "cancelled" in other[-1].data
        assert await kept(house.http, two.url, reading.stream) == (await task).frames


async def test_our_own_client_survives_the_end_of_the_node_it_reads_from() -> None:
    async with cluster(grace=20) as house:
        one, two = house.nodes
        reading, task = await begun(house, one.url, "ant/sim:tokens=120,rate=20")
        async with AsyncClient(two.url) as at_two, AsyncClient(house.url) as balanced:
            # Cut off by the node that goes away, at once, with its cursor intact.
            seen = 0
            async with at_two.resume(reading.stream) as stream:
                async for _ in stream.text_stream:
                    seen += 1
                    if seen == 5:
                        break
            two.signal()
            async with balanced.resume(reading.stream) as stream:
                message = await stream.get_final_message()
            assert message.stop_reason == "end_turn"
            assert await two.ended() == 0
        assert (await task).completed


async def test_readers_of_another_nodes_stream_go_on_elsewhere_at_once() -> None:
    async with cluster(grace=30) as house:
        one, two = house.nodes
        reading, task = await begun(house, one.url, "ant/sim:tokens=100,rate=20")
        async with house.http.get(f"{two.url}/streams/{reading.stream}") as response:
            frames = frames_of(response)
            first = [await anext(frames) for _ in range(5)]
            started = time.monotonic()
            two.signal()
            first += [frame async for frame in frames]
            assert time.monotonic() - started < BUSY
        assert first[-1].event != "message_stop"
        async with house.http.get(
            f"{house.url}/streams/{reading.stream}", headers={"last-event-id": first[-1].id}
        ) as rest:
            assert rest.status == 200
            whole = first + [frame async for frame in frames_of(rest)]
        assert whole == (await task).frames
        assert await two.ended() == 0


async def test_what_outlives_the_grace_ends_as_interrupted_for_everybody() -> None:
    async with cluster(grace=1) as house:
        one, two = house.nodes
        reading, task = await begun(house, one.url, "ant/sim:tokens=100000,rate=20")
        async with house.http.get(f"{two.url}/streams/{reading.stream}") as response:
            code, seconds = await one.end()
            assert code == 0
            assert seconds < 1 + 1 + BUSY
            elsewhere = [frame async for frame in frames_of(response)]
        assert (await task).frames == elsewhere
        assert '"ending":"interrupted"' in elsewhere[-1].data.replace(" ", "")
        assert '"retryable":true' in elsewhere[-1].data.replace(" ", "")


async def test_deploys_under_load_lose_nothing_and_repeat_nothing() -> None:
    async with cluster(grace=15) as house:
        model = "ant/sim:tokens=20,rate=8,seed={seed}"
        figures = await deploys(house, times=2, streams=20, grace=15, model=model, watched=0.5, busy=BUSY)
        assert figures.violations == []
        assert figures.passed == figures.cells
        assert figures.streams > 20


async def test_a_post_that_meets_a_node_going_away_is_answered_by_the_other_one() -> None:
    async with cluster(grace=20, TAILRACE__SERVER__READY_DELAY="20") as house:
        one, _ = house.nodes
        one.signal()
        async with asyncio.timeout(SECONDS):
            while await ready(house.http, one.url) != 503:
                pass
        # Still listening: nginx is told 503, and asks the other.
        answers = await asyncio.gather(*(read(house.http, house.url, f"ant/sim:tokens=5,seed={n}") for n in range(10)))
        assert [answer.refused for answer in answers] == [0] * 10
        assert all(answer.completed for answer in answers)
        assert len(house.sim.requests) == 10
        one.signal()
        assert await one.ended() == -signal.SIGTERM


async def ready(http: aiohttp.ClientSession, url: str) -> int | None:
    async with http.get(f"{url}/health/ready") as response:
        return response.status
