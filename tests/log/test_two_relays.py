"""Two relays on one Redis, through the door that users use: begun at one, resumed, joined and stopped at the other."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from tailrace.engine import Limits, Relay
from tailrace.ledger import SqliteLedger
from tailrace.log import RedisSpec, redis_store
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.redis_servers import RedisServer, needs_redis
from tests.server.conftest import providers
from tests.server.test_doors import body, read
from tests.server.test_streams import read_events

pytestmark = [pytest.mark.anyio, needs_redis]

RETRY = b"retry: 1000\n"


class Street(NamedTuple):
    one: str
    two: str
    sim: Simulator
    http: aiohttp.ClientSession


def node(server: RedisServer, sim: Simulator, ledger: SqliteLedger | None = None) -> Relay:
    store = redis_store(
        RedisSpec(url=server.url, lease=1.0, prefix="street:"),
        ttl=60,
        max_logs=1000,
        max_total=10**8,
        max_bytes=10**7,
        max_frames=10**5,
    )
    return Relay(providers(sim), store=store, limits=Limits(breaker_failures=0), ledger=ledger)


@pytest.fixture
async def street(server: RedisServer) -> AsyncIterator[Street]:
    async with (
        Simulator() as sim,
        serving(node(server, sim)) as one,
        serving(node(server, sim)) as two,
        aiohttp.ClientSession() as http,
    ):
        yield Street(one, two, sim, http)


async def test_a_stream_goes_on_at_the_other_node_without_gap_or_repeat(street: Street) -> None:
    response = await street.http.post(street.one + "/v1/messages", json=body("ant/sim:tokens=80,rate=200"))
    stream_id = response.headers["tailrace-stream-id"]
    first = await read_events(response, 9)
    response.close()
    async with street.http.get(f"{street.two}/streams/{stream_id}", headers={"last-event-id": "9"}) as again:
        assert again.status == 200
        rest = await again.read()
    async with street.http.get(f"{street.one}/streams/{stream_id}") as whole:
        everything = await whole.read()
    async with street.http.get(f"{street.two}/streams/{stream_id}") as replayed:
        assert await replayed.read() == everything
    assert RETRY + first.removeprefix(RETRY) + rest.removeprefix(RETRY) == everything
    message, fold = read("anthropic", everything)
    assert (fold.ended, message.stop_reason) == (True, "end_turn")
    async with street.http.get(f"{street.two}/streams/{stream_id}/message") as told:
        assert (await told.json())["ending"] == "completed"


async def test_what_a_stream_came_to_is_counted_whole_though_its_end_is_stored_later(street: Street) -> None:
    async with street.http.post(street.one + "/v1/messages", json=body("ant/sim:tokens=30")) as response:
        said = (await response.read()).removeprefix(RETRY)
    async with street.http.get(street.one + "/metrics") as metrics:
        lines = (await metrics.text()).splitlines()
    counted = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}
    assert counted['tailrace_frames_total{dialect="anthropic"}'] == (b"\n" + said).count(b"\nid: ")
    assert counted['tailrace_frame_bytes_total{dialect="anthropic"}'] == len(said)


async def test_a_stop_at_the_other_node_closes_the_provider(street: Street) -> None:
    response = await street.http.post(street.one + "/v1/messages", json=body("ant/sim:tokens=4000,rate=100"))
    stream_id = response.headers["tailrace-stream-id"]
    await read_events(response, 5)
    began = time.monotonic()
    async with street.http.post(f"{street.two}/streams/{stream_id}/stop") as stopped:
        assert stopped.status in {200, 202, 204}, await stopped.text()
    took = time.monotonic() - began
    rest = await response.read()
    assert b"cancelled" in rest
    assert took < 1
    async with street.http.get(f"{street.two}/streams/{stream_id}") as whole:
        everything = await whole.read()
    assert everything.endswith(rest)


async def test_one_idempotency_key_is_one_call_whichever_node_it_reaches(street: Street) -> None:
    async def ask(url: str) -> tuple[str, bytes]:
        headers = {"idempotency-key": "the-same"}
        async with street.http.post(url + "/v1/messages", json=body("ant/sim:tokens=40"), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return answer.headers["tailrace-stream-id"], await answer.read()

    answers = await asyncio.gather(*(ask((street.one, street.two)[n % 2]) for n in range(10)))
    assert len({stream_id for stream_id, _ in answers}) == 1
    assert len({data.removeprefix(RETRY) for _, data in answers}) == 1
    assert len(street.sim.requests) == 1


PROCESS = """
import asyncio, sys
from tailrace.engine import Limits, ProviderSpec, Relay
from tailrace.ledger import SqliteLedger
from tailrace.log import RedisSpec, redis_store
from tailrace.testing import serving

async def main():
    redis, upstream, ledger = sys.argv[1:]
    store = redis_store(RedisSpec(url=redis, lease=1.0, prefix="street:"), ttl=60, max_logs=100, max_total=10**8,
                        max_bytes=10**7, max_frames=10**5)
    relay = Relay({"ant": ProviderSpec(name="ant", dialect="anthropic", base_url=upstream)}, store=store,
                  ledger=SqliteLedger(ledger))
    async with serving(relay) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_relay_that_is_killed_leaves_an_end_that_others_tell(
    server: RedisServer, street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailrace.engine.salvage.EVERY", 0.05)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    script = tmp_path / "relay.py"
    script.write_text(PROCESS)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        server.url,
        street.sim.url,
        str(ledger.path),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        response = await street.http.post(url + "/v1/messages", json=body("ant/sim:tokens=4000,rate=50"))
        stream_id = response.headers["tailrace-stream-id"]
        first = await read_events(response, 8)
        process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        async with street.http.get(f"{street.two}/streams/{stream_id}") as told:
            everything = await told.read()
        assert time.monotonic() - began < 5
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    # Whatever had been sent had been stored.
    assert everything.removeprefix(RETRY).startswith(first.removeprefix(RETRY))
    assert b"interrupted" in everything
    assert everything.count(b"event: error") == 1
    async with street.http.get(f"{street.one}/streams/{stream_id}") as again:
        assert await again.read() == everything
    # And what it used is counted, by the next relay on its ledger.
    async with serving(node(server, street.sim, ledger)), asyncio.timeout(20):
        while True:
            (row,) = await ledger.rows(stream=stream_id)
            assert row.outcome is not None
            if row.outcome.label != "unknown":
                break
            await asyncio.sleep(0.01)
    assert (row.outcome.ending, row.outcome.error, row.outcome.label) == ("interrupted", "interrupted", "estimated")
    assert row.outcome.usage.input_tokens == 12
    assert row.outcome.usage.output_tokens == everything.count(b'"type":"text_delta"')
