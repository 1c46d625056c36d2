"""Faults as a client's socket sees them, and how the simulator sees its clients."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tailrace.simulator import Scenario, Simulator, bytes_of, frames_of
from tests.simulator.reading import PATHS, PATIENCE, answer, connected

pytestmark = pytest.mark.anyio

DIALECT_NAMES = sorted(PATHS)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("cut@0", "fin"),
        ("cut@120", "fin"),
        ("cut@120,fault=unframed", "end"),
        ("cut@120,fault=split", "fin"),
        ("rst@0", "rst"),
        ("rst@120", "rst"),
        ("end@120", "end"),
    ],
)
async def test_a_cut_is_where_and_how_it_was_asked_for(dialect: str, fault: str, end: str) -> None:
    at = 0 if "@0" in fault else 120
    name = f"sim:fault={fault}"
    async with Simulator() as simulator:
        said = await answer(simulator, dialect, name)
        assert said.end == end
        assert said.body == bytes_of(Scenario(name=name), dialect)[:at]
        assert simulator.requests[0].state == "fault"
        assert simulator.requests[0].bytes_sent == at
        assert simulator.stats()["faults"] == 1


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
async def test_a_cut_after_each_event(dialect: str) -> None:
    async with Simulator(scenario=Scenario(tokens=4)) as simulator:
        for at in range(len(frames_of(Scenario(tokens=4), dialect))):
            name = f"sim:fault=cut_event@{at}"
            said = await answer(simulator, dialect, name)
            assert said.end == "fin"
            assert list(said.writes[:-1]) == frames_of(Scenario(name=name, tokens=4), dialect)[:at]


async def test_a_cut_in_an_answer_of_known_length() -> None:
    async with Simulator() as simulator:
        for fault in ("cut@10", "end@10"):
            said = await answer(simulator, "anthropic", f"sim:fault={fault}", stream=False)
            assert (said.end, len(said.body)) == ("fin", 10)


@pytest.mark.parametrize(("fault", "size"), [("split", 1), ("chunk=7", 7)])
async def test_writes_of_a_size(fault: str, size: int) -> None:
    name = f"sim-unicode:fault={fault}"
    async with Simulator() as simulator:
        said = await answer(simulator, "anthropic", name)
        assert {len(write) for write in said.writes[:-1]} == {size}
        assert said.body == bytes_of(Scenario(name=name, shape="unicode"), "anthropic")


async def test_a_status_with_its_header_and_the_connection_goes_on() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        await client.ask("openai_chat", "sim:fault=status=529:3")
        said = await client.answer()
        assert (said.status, said.headers["retry-after"]) == (529, "3")
        await client.ask("openai_chat", "sim")
        assert (await client.answer()).status == 200


async def test_an_unframed_answer_ends_with_its_connection() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        await client.ask("anthropic", "sim:fault=unframed")
        said = await client.answer()
        assert "transfer-encoding" not in said.headers
        assert said.body == bytes_of(Scenario(name="sim:fault=unframed"), "anthropic")
        assert simulator.requests[0].state == "completed"


QUIET = ["hang", "slow_headers:600", "stall@0", "stall@100", "stall_event@3", "stall@100:600"]


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("fault", QUIET)
async def test_hanging_up_is_noticed_while_nothing_is_written(dialect: str, fault: str) -> None:
    async with Simulator() as simulator, asyncio.timeout(PATIENCE):
        async with connected(simulator) as client:
            await client.ask(dialect, f"sim:fault={fault}")
            at = 100 if "@100" in fault else 0
            await simulator.until(lambda s: bool(s.requests) and s.requests[0].bytes_sent >= at)
            assert simulator.stats()["open"] == 1
        record = simulator.requests[0]
        await record.closed.wait()
        assert record.state == "closed_by_client"
        await simulator.until(lambda s: s.open_connections == 0)
        assert simulator.stats()["client_closed"] == 1


async def test_hanging_up_in_the_middle_of_a_stream() -> None:
    async with Simulator() as simulator, asyncio.timeout(PATIENCE):
        async with connected(simulator) as client:
            await client.ask("anthropic", "sim:tokens=1000000")
            await client.head()
            await client.chunk()
        (record,) = simulator.requests
        await record.closed.wait()
        assert record.state == "closed_by_client"


async def test_closing_the_writing_half_is_hanging_up() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        await client.ask("anthropic", "sim:fault=hang")
        await simulator.until(lambda s: bool(s.requests))
        client.writer.write_eof()
        await simulator.requests[0].closed.wait()
        assert simulator.requests[0].state == "closed_by_client"


async def test_fifty_who_hang_up_are_fifty_closed_connections() -> None:
    async with Simulator() as simulator, asyncio.timeout(PATIENCE):

        async def visit() -> None:
            async with connected(simulator) as client:
                await client.ask("openai_chat", "sim:fault=stall_event@5")
                await client.head()

        await asyncio.gather(*(visit() for _ in range(50)))
        await simulator.until(lambda s: s.stats()["client_closed"] == 50)
        assert simulator.open_connections == 0


async def test_a_reader_that_does_not_read_pauses_the_provider() -> None:
    tokens = 1000  # of 16 KiB each: far more than the two kernels' buffers hold
    async with Simulator(scenario=Scenario(shape="long_lines", tokens=tokens)) as simulator:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", simulator.port))
        # A reader with a small limit stops reading of itself; until something is read from it, so does its socket.
        reader, writer = await asyncio.open_connection(sock=sock, limit=2048)
        try:
            async with asyncio.timeout(PATIENCE):
                body = b'{"model":"sim","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}'
                writer.write(b"POST /v1/messages HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
                await simulator.until(lambda s: s.stats()["blocked"] == 1)
                (record,) = simulator.requests
                sent = record.bytes_sent
                assert record.paused
                assert sent < 1024 * 1024 < tokens * 16 * 1024
                for _ in range(100):
                    await asyncio.sleep(0)
                assert record.bytes_sent == sent
                assert simulator.blocked_seconds > 0

                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(1024 * 1024)
                await simulator.until(lambda s: s.requests[0].bytes_sent > sent)
                assert 0 < record.blocked_seconds <= simulator.blocked_seconds
        finally:
            writer.transport.abort()
        await record.closed.wait()
        assert record.state == "closed_by_client"
        assert simulator.stats()["blocked"] == 0
        assert simulator.blocked_seconds == record.blocked_seconds > 0
