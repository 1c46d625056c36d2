"""One reader's trouble is its own: a connection that breaks, blocks or is left never reaches the generation."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from tailrace.engine import Limits
from tailrace.log import MemoryLog, StreamInfo
from tailrace.server.sink import AsgiSink
from tests.engine.scripted import READS, Scripted, ask, relay_of, running

pytestmark = pytest.mark.anyio

Message = MutableMapping[str, Any]


class Connection:
    """An ASGI ``send`` that takes ``room`` writes, then does what ``then`` does."""

    def __init__(self, room: int, then: Callable[[], Awaitable[None]]) -> None:
        self.room = room
        self.then = then
        self.taken = b""

    async def send(self, message: Message) -> None:
        if self.room == 0:
            await self.then()
        else:
            self.room -= 1
            self.taken += message["body"]


async def refuses() -> None:
    raise OSError("the client has gone")


async def breaks_later() -> None:
    await asyncio.sleep(0)
    raise RuntimeError("Unexpected ASGI message")


async def never() -> None:
    await asyncio.get_running_loop().create_future()


INTERVAL = 60.0


def a_log() -> MemoryLog:
    info = StreamInfo(id="s", owner="me", dialect="plain", model="m", created=0.0)
    return MemoryLog(info, ids=False, max_bytes=1000, max_frames=100)


def sink_of(log: Any, connection: Connection, generation: Any = None, **more: Any) -> AsgiSink:
    settings: dict[str, Any] = {
        "after": 0,
        "generation": generation,
        "high_water": 100,
        "low_water": 10,
        "stall": 60.0,
        "heartbeat": b": hb\n\n",
        "interval": 0.0,
    }
    return AsgiSink(log, connection.send, **settings | more)


def complaints() -> list[dict[str, Any]]:
    """What the event loop complains of from now on."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: found.append(context))
    return found


def silent_for_long(reader: AsgiSink) -> None:
    """Have the heartbeat's timer fire."""
    reader._last_write -= INTERVAL
    reader._beat()


# What comes before the first content leaves with it, in one write.
@pytest.mark.parametrize("room", range(len(READS) - 3))
@pytest.mark.parametrize("fault", [refuses, breaks_later])
async def test_a_connection_that_breaks_ends_its_reader_only(fault: Callable[[], Awaitable[None]], room: int) -> None:
    faults = complaints()
    async with relay_of(Scripted(READS)) as relay:
        generation = await running(relay, ask("anthropic"))
        good, bad = Connection(-1, never), Connection(room, fault)
        readers = [sink_of(generation.log, connection, generation) for connection in (bad, good)]
        for reader in readers:
            reader.open()
        async with asyncio.timeout(5):
            await asyncio.wait([generation.over, *(reader.finished for reader in readers)])
        assert generation.ending == "completed"
        assert not readers[0].complete
        assert readers[1].complete
        assert good.taken == generation.log.read(0, 1 << 20)[0]
        assert good.taken.startswith(bad.taken)
        assert not generation.flow.paused
    gc.collect()
    assert faults == []


async def test_a_reader_that_stays_full_is_cut_and_lets_the_provider_go() -> None:
    async with relay_of(Scripted(READS), Limits()) as relay:
        generation = await running(relay, ask("anthropic"))
        reader = sink_of(generation.log, Connection(1, never), generation, stall=0.02)
        reader.open()
        async with asyncio.timeout(5):
            await asyncio.wait([generation.over, reader.finished])
        assert generation.ending == "completed"
        assert not reader.complete
        assert reader.cursor < generation.log.tail
        assert generation.flow.blocked_seconds > 0
        assert not generation.flow.paused


@pytest.mark.parametrize("fault", [refuses, breaks_later])
async def test_a_heartbeat_that_cannot_be_sent_ends_the_reader_and_its_heartbeats(
    fault: Callable[[], Awaitable[None]],
) -> None:
    faults = complaints()
    log = a_log()
    reader = sink_of(log, Connection(0, fault), interval=INTERVAL)
    reader.open()
    silent_for_long(reader)
    async with asyncio.timeout(5):
        await asyncio.wait([reader.finished])
    assert log.watchers == 0
    assert reader._timer is not None
    assert reader._timer.cancelled()
    gc.collect()
    assert faults == []


async def test_a_heartbeat_stands_between_frames_and_waits_while_the_connection_is_full() -> None:
    gate = asyncio.Event()
    log = a_log()

    async def opens() -> None:
        await gate.wait()

    connection = Connection(3, opens)
    reader = sink_of(log, connection, interval=INTERVAL)
    reader.open()
    frames = [b"data: %d\n\n" % number for number in range(6)]
    log.append(frames[:1])
    silent_for_long(reader)
    log.append(frames[1:2])
    log.append(frames[2:3])
    assert reader._blocked is not None
    log.append(frames[3:])
    silent_for_long(reader)
    assert connection.taken == frames[0] + b": hb\n\n" + frames[1]
    connection.room = -1
    gate.set()
    log.close("completed")
    async with asyncio.timeout(5):
        await asyncio.wait([reader.finished])
    assert reader.complete
    # The write that waited is the connection's own; after it all that piled up, and no heartbeat.
    assert connection.taken == frames[0] + b": hb\n\n" + frames[1] + b"".join(frames[3:])
    reader.close()
    reader.close()
