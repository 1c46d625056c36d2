"""A client that never reads is cut: its provider goes on, its connection is gone, and its log waits for it."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tailrace.engine import Limits
from tailrace.simulator import expected, parse
from tests.server.conftest import House
from tests.server.test_backpressure import open_lazy_client
from tests.server.test_doors import read

LONG = "sim:tokens=20000"
"""2.6 MB: several times what the kernel takes for a client that does not read."""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel's list of connections is read"),
]


@pytest.fixture
def limits() -> Limits:
    return Limits(reader_stall=1.0)


def connected(server_port: int, client_port: int) -> bool:
    """Whether the server's end of a connection is still there, with all that it holds."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = {(int(row[1].split(":")[1], 16), int(row[2].split(":")[1], 16)) for row in rows}
    return (server_port, client_port) in ends


async def test_a_client_that_never_reads_loses_its_connection_and_nothing_else(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await open_lazy_client(house, f"ant/{LONG}")
    server_port, client_port = urlsplit(house.url).port, writer.get_extra_info("sockname")[1]
    assert server_port is not None
    async with asyncio.timeout(60):
        while not (house.relay.running and house.relay.running[0].flow.paused):
            await asyncio.sleep(0.01)
        generation = house.relay.running[0]
        assert connected(server_port, client_port)
        await asyncio.wait([generation.over])
        while connected(server_port, client_port):
            await asyncio.sleep(0.05)
    assert generation.ending == "completed"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    async with house.http.get(f"{house.url}/streams/{generation.log.info.id}") as response:
        message, fold = read("anthropic", await response.read())
    assert fold.ended
    assert message.text == expected(parse(LONG)).text
    writer.transport.abort()
