"""A reader that does not read pauses its provider, and only its own; memory stays bounded; nothing is lost."""

from __future__ import annotations

import asyncio
import json
import socket
from urllib.parse import urlsplit

import pytest

from tailrace.simulator import expected, parse
from tests.server.conftest import House
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio

# About 12 MB of events: more than all the socket buffers on the way can hold.
BIG = "sim:tokens=80000"


async def open_lazy_client(house: House, model: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """POST, with a receive buffer as small as the kernel allows, and read nothing."""
    address = urlsplit(house.url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (address.hostname, address.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    data = json.dumps(body(model)).encode()
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data) + data
    )
    await writer.drain()
    return reader, writer


async def test_a_reader_that_does_not_read_pauses_its_provider_and_loses_nothing(house: House) -> None:
    reader, writer = await open_lazy_client(house, f"ant/{BIG}")
    async with asyncio.timeout(60):
        await house.sim.until(lambda sim: bool(sim.requests) and sim.requests[0].paused)
    generation = next(iter(house.relay._live.values()))
    held = generation.log.size
    limits = house.relay.limits
    # What the relay took before it held the provider: its window, one write, the kernel's buffers on both sides.
    assert held < limits.high_water + 2 * 1024 * 1024
    assert generation.flow.paused
    # And the provider learns of it: the kernel's buffers between it and the relay are bounded too.
    assert house.sim.requests[0].bytes_sent - held < 1024 * 1024

    # A neighbour is not held up by it.
    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim")) as response:
        assert b"message_stop" in await response.read()
    assert generation.log.size == held

    data = await asyncio.wait_for(reader.read(-1), 100)
    writer.close()
    payload = dechunk(data.partition(b"\r\n\r\n")[2])
    message, fold = read("anthropic", payload)
    assert fold.ended
    assert message.text == expected(parse(BIG)).text
    assert generation.flow.blocked_seconds > 0


async def test_a_reader_that_leaves_while_it_holds_lets_go(house: House) -> None:
    _, writer = await open_lazy_client(house, f"ant/{BIG}")
    async with asyncio.timeout(60):
        await house.sim.until(lambda sim: bool(sim.requests) and sim.requests[0].paused)
        generation = next(iter(house.relay._live.values()))
        writer.transport.abort()
        # The grace runs, and the answer goes on into the log.
        await asyncio.wait([generation.over])
    assert generation.ending == "completed"


def dechunk(data: bytes) -> bytes:
    """Undo chunked transfer coding (RFC 9112 section 7.1)."""
    out: list[bytes] = []
    at = 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        if size == 0:
            return b"".join(out)
        out.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
