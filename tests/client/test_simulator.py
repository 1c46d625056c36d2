"""Straight at a provider that does everything wrong that a provider can: both colours, both dialects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tailrace.client import Timeout
from tailrace.dialects import DIALECTS, Quirks
from tailrace.errors import (
    ConnectError,
    ProviderTimeout,
    StatusError,
    StreamError,
    StreamFailed,
    StreamTimedOut,
    StreamTruncated,
)
from tailrace.events import Message, fold
from tailrace.simulator import SHAPES, Simulator, bytes_of, in_thread, parse
from tests.client.colours import connect

pytestmark = pytest.mark.anyio
BASES = {"anthropic": "", "openai_chat": "/v1", "gemini": ""}
HASTY = Timeout(first_content=0.3, idle=0.3)
"""For what is to time out; nothing else is asked with it, as a machine may be busy for as long."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with in_thread() as running:
        yield running


@pytest.fixture(params=sorted(BASES))
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def client(colour: str, simulator: Simulator, dialect: str, **options: Any) -> Any:
    return connect(colour, None, simulator.url + BASES[dialect], dialect=dialect, api_key="sk-test", **options)


def meant(model: str, dialect: str) -> Message:
    """The message that the simulator's bytes say, read in one piece and without any connection."""
    decoder = DIALECTS[dialect].decoder(Quirks())
    received = [*decoder.feed(bytes_of(parse(model), dialect)), *decoder.close()]
    return fold(event for one in received for event in one.events)


@pytest.mark.parametrize("shape", sorted(SHAPES))
async def test_every_shape_of_answer_arrives_whole(colour: str, dialect: str, shape: str, simulator: Simulator) -> None:
    model = f"sim-{shape}:tokens=12,seed=3"
    async with client(colour, simulator, dialect) as asking, asking.stream(model=model, messages="Hi") as stream:
        assert await stream.get_final_message() == meant(model, dialect)
    assert stream.ending == "completed"


@pytest.mark.parametrize(
    "fault",
    ["split", "chunk@7", "crlf", "bom", "comments", "pings", "unframed", "slow_headers:0.05", "huge_line@100000"],
)
async def test_odd_but_legal_wires_change_nothing(colour: str, dialect: str, fault: str, simulator: Simulator) -> None:
    model = f"sim-tool:tokens=12,fault={fault}"
    async with client(colour, simulator, dialect) as asking:
        answer = await asking.create(model=model, messages="Hi")
    assert answer == msgspec.structs.replace(meant(model.partition(",fault")[0], dialect), model=model)


@pytest.mark.parametrize(
    ("fault", "exception"),
    [
        ("cut@700", StreamTruncated),
        ("cut_event@5", StreamTruncated),
        ("rst@700", StreamTruncated),
        ("end@700", StreamTruncated),
        ("end_event@3", StreamTruncated),
        ("no_terminator", StreamTruncated),
        ("error@4:overloaded", StreamFailed),
        ("junk@4", StreamFailed),
        ("stall@700", StreamTimedOut),
        ("stall_event@0", StreamTimedOut),
    ],
)
async def test_no_fault_in_the_middle_reads_as_success(
    colour: str, dialect: str, fault: str, exception: type[StreamError], simulator: Simulator
) -> None:
    model = f"sim:tokens=30,fault={fault}"
    hurry = {"timeout": HASTY} if exception is StreamTimedOut else {}
    asking = client(colour, simulator, dialect, **hurry)
    async with asking, asking.stream(model=model, messages="Hi") as stream:
        with pytest.raises(exception) as caught:
            await stream.get_final_message()
    assert stream.ending == exception.ending
    assert caught.value.partial.text == stream.message.text
    assert meant("sim:tokens=30", dialect).text.startswith(stream.message.text)


@pytest.mark.parametrize(
    ("fault", "exception", "requests"),
    [
        ("status@429:0", StatusError, 3),
        ("status@500", StatusError, 3),
        ("status@401", StatusError, 1),
        ("html@502", StatusError, 3),
        ("hang", ProviderTimeout, 1),
        ("cut@0", (ConnectError, StreamTruncated), None),
    ],
)
async def test_what_goes_wrong_before_the_answer_is_raised_at_once(
    colour: str, dialect: str, fault: str, exception: Any, requests: int | None, simulator: Simulator
) -> None:
    before = simulator.stats()["requests"]
    hurry = {"timeout": HASTY} if exception is ProviderTimeout else {}
    async with client(colour, simulator, dialect, **hurry) as asking:
        with pytest.raises(exception):
            await asking.create(model=f"sim:fault={fault}", messages="Hi")
    if requests is not None:
        assert simulator.stats()["requests"] - before == requests


async def test_a_stop_closes_the_providers_connection(colour: str, dialect: str, simulator: Simulator) -> None:
    asking = client(colour, simulator, dialect)
    pieces: list[str] = []
    async with asking, asking.stream(model="sim:tokens=100000,rate=200", messages="Hi") as stream:
        async for text in stream.text_stream:
            pieces.append(text)
            if len(pieces) == 3:
                await stream.stop()
                simulator.wait(lambda sim: sim.requests[-1].state == "closed_by_client")
    assert stream.ending == "cancelled"
    assert "".join(pieces) == stream.message.text


async def test_models_are_listed(colour: str, dialect: str, simulator: Simulator) -> None:
    async with client(colour, simulator, dialect) as asking:
        assert "sim" in [model.id for model in await asking.models()]
