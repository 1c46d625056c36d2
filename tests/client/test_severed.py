"""A reader at a node that goes away is let go without an end, and finds the stream at another, or stops it there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tailrace import simulator
from tailrace.client import AsyncClient, retry
from tailrace.engine import Limits, ProviderSpec, Relay
from tailrace.errors import StreamCancelled
from tailrace.events import TextDelta
from tailrace.log import RedisSpec, redis_store
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.redis_servers import needs_redis, redis_server

pytestmark = [pytest.mark.anyio, needs_redis]

SLOW = "sim:tokens=150,rate=100"


class Street(NamedTuple):
    """Two nodes that share streams; ``url`` leads to ``leaving`` until that goes away, then to ``writer``."""

    url: str
    writer: str
    leaving: Relay
    sim: Simulator


def node(redis: str, sim: Simulator) -> Relay:
    spec = RedisSpec(url=redis, lease=1.0, prefix="street:")
    store = redis_store(spec, ttl=60, max_logs=1000, max_total=10**8, max_bytes=10**7, max_frames=10**5)
    provider = ProviderSpec(name="ant", dialect="anthropic", base_url=sim.url)
    return Relay({"ant": provider}, store=store, limits=Limits(breaker_failures=0))


@pytest.fixture
async def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Street]:
    # The relay asks for a second before each reconnection.
    monkeypatch.setattr(retry, "LONGEST_HINT", 0.0)
    with redis_server(tmp_path) as redis:
        async with Simulator() as sim:
            leaving = node(redis.url, sim)
            async with (
                serving(node(redis.url, sim)) as writer,
                serving(leaving) as first,
                balanced(leaving, first, writer) as url,
            ):
                yield Street(url, writer, leaving, sim)


@contextlib.asynccontextmanager
async def balanced(leaving: Relay, first: str, then: str) -> AsyncIterator[str]:
    """Carry each connection to ``first`` while ``leaving`` is ready, to ``then`` afterwards."""
    running: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = then if leaving.draining else first
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(carry(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def begun(client: AsyncClient, model: str) -> str:
    async with client.stream(model=f"ant/{model}", messages="Hi", on_disconnect="detach") as stream:
        await anext(stream)
    assert stream.stream_id is not None
    return stream.stream_id


async def test_a_reader_that_is_let_go_reads_on_at_another_node(street: Street) -> None:
    truth = simulator.expected(simulator.parse(SLOW)).text
    async with AsyncClient(street.writer) as there, AsyncClient(street.url) as client:
        stream_id = await begun(there, SLOW)
        pieces: list[str] = []
        async with client.resume(stream_id) as stream:
            async for text in stream.text_stream:
                pieces.append(text)
                if len(pieces) == 20:
                    await street.leaving.drain(0)
        assert "".join(pieces) == truth
        assert stream.reconnects >= 1
        assert stream.ending == "completed"
    assert len(street.sim.requests) == 1


async def test_a_reader_that_was_let_go_can_stop_it_from_where_it_is(street: Street) -> None:
    async with AsyncClient(street.writer) as there, AsyncClient(street.url) as client:
        stream_id = await begun(there, "sim:tokens=4000,rate=100")
        async with client.resume(stream_id) as stream:
            count = 0
            async for event in stream:
                count += isinstance(event, TextDelta)
                if count == 10 and not street.leaving.draining:
                    await street.leaving.drain(0)
                if count == 30:
                    await stream.stop()
            assert stream.ending == "cancelled"
            with pytest.raises(StreamCancelled):
                await stream.get_final_message()
        whole = await there.get_message(stream_id)
        assert whole.text == stream.message.text
        assert stream.usage.output_tokens
    await street.sim.until(lambda sim: sim.requests[0].state == "closed_by_client")


async def test_a_stop_at_a_node_that_does_not_write_the_stream(street: Street) -> None:
    async with AsyncClient(street.writer) as there, AsyncClient(street.url) as client:
        stream_id = await begun(there, "sim:tokens=4000,rate=100")
        said = await client.stop(stream_id)
        assert (said["state"], said["ending"]) in [("ended", "cancelled"), ("stopping", None)]
        async with client.resume(stream_id) as stream:
            with pytest.raises(StreamCancelled):
                await stream.get_final_message()
    await street.sim.until(lambda sim: sim.requests[0].state == "closed_by_client")
