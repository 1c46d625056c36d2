"""The asynchronous client on real sockets: stops, deadlines and cancelled tasks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tailrace.client import AsyncClient, AsyncStream, Timeout
from tailrace.client.reset import StreamEvent
from tailrace.errors import ProviderTimeout, StreamCancelled, StreamTimedOut
from tailrace.events import Error
from tests.client.test_threads import ASKED, PROVIDER, Stalled, StallingRelay
from tests.client.wire import Connection, WireServer

pytestmark = pytest.mark.anyio


async def while_reading(stream: AsyncStream) -> None:
    while not stream._link.busy or stream.message.text != "so far":
        await asyncio.sleep(0.001)


async def all_events(stream: AsyncStream) -> list[StreamEvent]:
    return [event async for event in stream]


@pytest.mark.parametrize("kind", ["relay", "provider"])
async def test_another_task_stops_a_stream_that_says_nothing(kind: str) -> None:
    relay, provider = StallingRelay(), Stalled()
    options: dict[str, Any] = {} if kind == "relay" else PROVIDER
    with WireServer(relay if kind == "relay" else provider) as server:
        async with AsyncClient(server.url, **options) as client, client.stream(**ASKED) as stream:
            reader = asyncio.create_task(all_events(stream), name="reader")
            await while_reading(stream)
            await stream.stop()
            events = await reader
        assert kind == "relay" or provider.hung_up.wait(10)
    assert isinstance(events[-1], Error)
    assert (stream.ending, stream.message.text) == ("cancelled", "so far")
    if kind == "relay":
        assert stream.usage.output_tokens == 44
        assert relay.asked == ["POST", "POST"]


async def test_a_stream_whose_task_was_cancelled_can_be_read_on() -> None:
    relay = StallingRelay()
    with WireServer(relay) as server:
        async with AsyncClient(server.url) as client, client.stream(**ASKED) as stream:
            reader = asyncio.create_task(all_events(stream), name="reader")
            await while_reading(stream)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            await stream.stop()
            await all_events(stream)
    assert (stream.ending, stream.message.text, stream.usage.output_tokens) == ("cancelled", "so far", 44)
    assert relay.asked == ["POST", "POST", "GET 3"]


async def test_a_cancelled_task_closes_the_providers_connection() -> None:
    provider = Stalled()
    with WireServer(provider) as server:
        async with AsyncClient(server.url, **PROVIDER) as client:
            stream = client.stream(**ASKED)
            reader = asyncio.create_task(all_events(stream), name="reader")
            await while_reading(stream)
            reader.cancel()
            await asyncio.wait([reader])
            assert await asyncio.to_thread(provider.hung_up.wait, 10)
    assert stream.ending is None


async def test_a_silent_provider_is_left_at_the_idle_deadline() -> None:
    provider = Stalled()
    with WireServer(provider) as server:
        client = AsyncClient(server.url, timeout=Timeout(first_content=30.0, idle=0.1), **PROVIDER)
        async with client, client.stream(**ASKED) as stream:
            with pytest.raises(StreamTimedOut, match="idle") as caught:
                await stream.get_final_message()
        assert provider.hung_up.wait(10)
    assert caught.value.partial.text == "so far"


async def test_a_head_that_does_not_come_is_left_at_the_first_content_deadline() -> None:
    def mute(connection: Connection) -> None:
        connection.wait_for_close()

    with WireServer(mute) as server:
        async with AsyncClient(server.url, timeout=Timeout(first_content=0.1), **PROVIDER) as client:
            with pytest.raises(ProviderTimeout) as caught:
                await client.create(**ASKED)
    assert caught.value.phase == "first_content"


async def test_a_request_without_an_answer_is_left_when_it_is_stopped() -> None:
    asked, hung_up = threading.Event(), threading.Event()

    def mute(connection: Connection) -> None:
        asked.set()
        if connection.wait_for_close():
            hung_up.set()

    with WireServer(mute) as server:
        async with AsyncClient(server.url, **PROVIDER) as client:
            stream = client.stream(**ASKED)
            opening = asyncio.create_task(stream.open(), name="opening")
            assert await asyncio.to_thread(asked.wait, 10)
            await stream.stop()
            with pytest.raises(StreamCancelled, match="before the answer began"):
                await opening
            assert await asyncio.to_thread(hung_up.wait, 10)
    assert stream.ending == "cancelled"


async def test_a_relay_that_has_not_answered_is_stopped_when_it_does() -> None:
    relay, asked, go = StallingRelay(), threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        asked.set()
        assert go.wait(10)
        relay(connection)

    with WireServer(slow) as server:
        async with AsyncClient(server.url) as client:
            stream = client.stream(**ASKED)
            reader = asyncio.create_task(all_events(stream), name="reader")
            assert await asyncio.to_thread(asked.wait, 10)
            await stream.stop()
            go.set()
            await reader
            await stream.close()
    assert (stream.ending, stream.usage.output_tokens) == ("cancelled", 44)
    assert relay.asked == ["POST", "POST"]


async def test_streams_of_one_client_run_side_by_side() -> None:
    relay = StallingRelay()
    with WireServer(relay) as server:
        async with AsyncClient(server.url) as client:
            streams = [client.stream(**ASKED) for _ in range(5)]
            readers = [asyncio.create_task(all_events(stream), name="reader") for stream in streams]
            for stream in streams:
                await while_reading(stream)
            await streams[0].stop()
            counts = [
                len(events)
                for events in await asyncio.gather(*readers, return_exceptions=True)
                if isinstance(events, list)
            ]
            for stream in streams:
                await stream.close()
    assert len(counts) == 1
    assert [stream.ending for stream in streams] == ["cancelled"] * 5
