"""Deadlines: content is counted, not bytes; waiting, not the caller's own time. The clock is the test's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tailrace.client import Timeout
from tailrace.client.timeouts import Patience
from tailrace.errors import ConfigError, ProviderTimeout, StreamTimedOut
from tailrace.events import Error
from tests.client.colours import connect
from tests.client.relay import HEARTBEAT, START, STREAM_ID, TEXT_START, Body, Relay, text

ASKED: dict[str, Any] = {"model": "m", "messages": "Think."}
PROVIDER: dict[str, Any] = {"base_url": "https://provider.test", "dialect": "anthropic", "api_key": "sk-test"}
TIMEOUT = Timeout(connect=3.0, first_content=60.0, idle=20.0, total=200.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float, data: bytes) -> Callable[[], bytes]:
        def chunk() -> bytes:
            self.now += seconds
            return data

        return chunk


def answering(chunks: list[Any], error: Exception | None = None) -> Callable[[httpx2.Request], httpx2.Response]:
    return lambda _request: httpx2.Response(200, stream=Body(chunks, error))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("waits", "phase"),
    [
        ([(1, START), (30, HEARTBEAT), (30, HEARTBEAT)], "first_content"),
        ([(59, START + TEXT_START + text("a", 0)), (10, HEARTBEAT), (10, HEARTBEAT)], "idle"),
        ([(1, START + TEXT_START), *[(19, text("a", 0))] * 11], "total"),
    ],
)
async def test_each_deadline_has_its_own_name_and_pings_do_not_move_it(
    colour: str, waits: list[tuple[float, bytes]], phase: str
) -> None:
    clock = Clock()
    chunks = [clock.after(seconds, data) for seconds, data in waits] + [b": never asked for\n\n"]
    body = Body(chunks)
    client = connect(
        colour, lambda _request: httpx2.Response(200, stream=body), clock=clock, timeout=TIMEOUT, **PROVIDER
    )
    async with client, client.stream(**ASKED) as stream:
        with pytest.raises(StreamTimedOut, match=phase.replace("_", " ")) as caught:
            await stream.get_final_message()
        assert body.closed
    assert stream.ending == "timed_out"
    assert caught.value.retryable
    assert caught.value.kind == "timeout"
    assert isinstance(caught.value.__cause__, ProviderTimeout)
    assert caught.value.__cause__.phase == phase
    assert caught.value.partial.text == "".join("a" for _, data in waits if b"text_delta" in data)


@pytest.mark.anyio
async def test_the_connection_is_closed_before_the_caller_hears_of_the_deadline(colour: str) -> None:
    clock = Clock()
    body = Body([START + TEXT_START, clock.after(61, HEARTBEAT), b": never asked for\n\n"])
    client = connect(
        colour, lambda _request: httpx2.Response(200, stream=body), clock=clock, timeout=TIMEOUT, **PROVIDER
    )
    async with client, client.stream(**ASKED) as stream:
        while not isinstance(await anext(stream), Error):
            assert not body.closed
        assert body.closed


@pytest.mark.anyio
async def test_content_in_time_is_never_a_timeout(colour: str) -> None:
    clock = Clock()
    chunks = [clock.after(59, START + TEXT_START + text("a", 0)), *[clock.after(19, text("a", 0))] * 7]
    client = connect(colour, answering(chunks), clock=clock, timeout=TIMEOUT, **PROVIDER)
    async with client, client.stream(**ASKED) as stream:
        pieces = [await anext(stream.text_stream) for _ in range(8)]
    assert "".join(pieces) == "a" * 8
    assert stream.ending is None


@pytest.mark.anyio
async def test_the_time_that_the_caller_takes_is_not_counted_as_waiting(colour: str) -> None:
    clock = Clock()
    timeout = Timeout(idle=20.0, first_content=20.0)
    client = connect(colour, Relay(step=30), clock=clock, timeout=timeout)
    async with client, client.stream(**ASKED) as stream:
        async for _ in stream:
            clock.now += 1000.0
    assert stream.ending == "completed"


@pytest.mark.anyio
async def test_a_silent_connection_is_timed_out_by_the_transport(colour: str) -> None:
    chunks = [START + TEXT_START + text("a", 0)]
    client = connect(colour, answering(chunks, httpx2.ReadTimeout("silence")), **PROVIDER)
    async with client, client.stream(**ASKED) as stream:
        with pytest.raises(StreamTimedOut, match="idle"):
            await stream.get_final_message()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (httpx2.ConnectTimeout("x"), "connect"),
        (httpx2.PoolTimeout("x"), "connect"),
        (httpx2.ReadTimeout("x"), "first_content"),
        (httpx2.WriteTimeout("x"), "first_content"),
    ],
)
async def test_before_the_answer_begins_a_deadline_is_raised_as_it_is(
    colour: str, error: Exception, phase: str
) -> None:
    relay = Relay(refusals=[error])
    async with connect(colour, relay, max_retries=0) as client:
        with pytest.raises(ProviderTimeout) as caught:
            await client.create(**ASKED)
    assert caught.value.phase == phase


@pytest.mark.anyio
async def test_the_transport_is_told_how_long_a_connection_and_a_head_may_take(colour: str) -> None:
    relay = Relay()
    async with connect(colour, relay, timeout=TIMEOUT, clock=Clock()) as client:
        await client.create(**ASKED)
        await client.create(**ASKED, timeout=Timeout(connect=None, first_content=None, total=7.0))
    # Bodies are read without a limit of the transport's own, where the driver can keep one itself.
    own = {"connect": 3.0, "read": 60.0, "write": 60.0, "pool": 3.0}
    assert relay.requests[0].extensions["timeout"] == own | ({"read": None} if colour == "async" else {})
    assert relay.requests[1].extensions["timeout"]["write"] == 7.0


@pytest.mark.anyio
async def test_looking_for_a_relay_counts_as_waiting(colour: str) -> None:
    clock = Clock()

    def relay(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            clock.now += 9.0
            raise httpx2.ConnectError("refused")
        body = Body([b"id: 1\n" + START + b"id: 2\n" + TEXT_START + b"id: 3\n" + text("a", 0)])
        return httpx2.Response(200, headers={"tailrace-stream-id": STREAM_ID}, stream=body)

    client = connect(colour, relay, clock=clock, timeout=TIMEOUT, max_reconnects=100)
    async with client, client.stream(**ASKED) as stream:
        with pytest.raises(StreamTimedOut, match="idle"):
            await stream.get_final_message()
    assert stream.reconnects == 3


@pytest.mark.parametrize("name", ["connect", "first_content", "idle", "total"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_timeout_is_above_zero_or_none(name: str, value: float) -> None:
    Timeout(**{name: None})
    with pytest.raises(ConfigError, match=name):
        Timeout(**{name: value})


@pytest.mark.parametrize(
    ("timeout", "silence", "content", "now", "left"),
    [
        (Timeout(), 0, False, 0, (600.0, "first_content")),
        (Timeout(), 100, False, 100, (500.0, "first_content")),
        (Timeout(), 100, True, 100, (20.0, "idle")),
        (Timeout(total=50), 10, True, 45, (5.0, "total")),
        (Timeout(total=500), 10, True, 45, (110.0, "idle")),
        (Timeout(idle=None), 10, True, 45, (None, "idle")),
        (Timeout(idle=None, total=50), 10, True, 45, (5.0, "total")),
        (Timeout(first_content=None), 10, False, 45, (None, "first_content")),
    ],
)
def test_the_deadline_that_comes_first_counts(
    timeout: Timeout, silence: float, content: bool, now: float, left: tuple[float | None, str]
) -> None:
    patience = Patience(timeout, 0.0)
    if content:
        patience.content()
    patience.waited(silence, now)
    assert patience.remaining(now) == left
