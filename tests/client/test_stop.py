"""Stopping: from the same place, before the answer begins, again, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tailrace.errors import ConnectError, StatusError, StreamCancelled, StreamInterrupted
from tailrace.events import Error, TextDelta
from tests.client.colours import connect
from tests.client.relay import CANCELLED, START, STREAM_ID, TEXT_START, Body, Relay, finish, text

ASKED: dict[str, Any] = {"model": "m", "messages": "Count to a million."}
PROVIDER: dict[str, Any] = {"base_url": "https://provider.test", "dialect": "anthropic", "api_key": "sk-test"}


class Endless(Relay):
    """Counts until it is stopped, then reports usage and ends as cancelled."""

    def __init__(self) -> None:
        super().__init__([START, TEXT_START])

    def _follow(self, after: int) -> httpx2.Response:
        self.bodies.append(Body(self._chunks(after)))
        return httpx2.Response(200, headers={"tailrace-stream-id": STREAM_ID}, stream=self.bodies[-1])

    def _chunks(self, number: int) -> Iterator[bytes]:
        while len(self.frames) < 1000:
            if number == len(self.frames):
                if not self.stops:
                    self.frames.append(text(f"{number} ", 0))
                elif CANCELLED in self.frames:
                    return
                else:
                    self.frames += [finish("end_turn", 77), CANCELLED]
            number += 1
            yield b"id: %d\n%b" % (number, self.frames[number - 1])


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["events", "text_stream"])
async def test_a_relay_is_asked_to_stop_and_read_to_its_final_usage(colour: str, how: str) -> None:
    relay = Endless()
    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        seen: list[Any] = []
        async for item in stream if how == "events" else stream.text_stream:
            seen.append(item)
            if len(seen) == 5:
                await stream.stop()
                await stream.stop()
        assert relay.stops == 1
        assert stream.ending == "cancelled"
        assert stream.usage.output_tokens == 77
        if how == "events":
            assert isinstance(seen[-1], Error)
        with pytest.raises(StreamCancelled) as caught:
            await stream.get_final_message()
        await stream.stop()
    assert relay.stops == 1
    assert caught.value.partial.text.startswith("2 3 ")


@pytest.mark.anyio
async def test_a_providers_connection_is_closed_and_the_text_kept(colour: str) -> None:
    bodies: list[Body] = []

    def provider(_request: httpx2.Request) -> httpx2.Response:
        bodies.append(Body([START + TEXT_START, *[text("word ", 0)] * 1000]))
        return httpx2.Response(200, stream=bodies[-1])

    async with connect(colour, provider, **PROVIDER) as client, client.stream(**ASKED) as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                await stream.stop()
                assert bodies[0].closed
        assert stream.ending == "cancelled"
        assert stream.message.text == "word "
        with pytest.raises(StreamCancelled, match="stopped by the caller"):
            await stream.get_final_message()


@pytest.mark.anyio
async def test_a_stop_before_the_answer_begins_is_honoured_when_it_does(colour: str) -> None:
    relay = Endless()
    async with connect(colour, relay) as client:
        stream = client.stream(**ASKED)
        await stream.stop()
        assert relay.requests == []
        with pytest.raises(StreamCancelled):
            await stream.get_final_message()
        await stream.close()
    assert relay.stops == 1
    assert stream.usage.output_tokens == 77


@pytest.mark.anyio
async def test_a_stop_ends_the_retries_of_a_request(colour: str) -> None:
    stream: Any = None
    asked = 0

    def busy(_request: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        getattr(stream, "inner", stream)._session.stop_wanted = True
        return httpx2.Response(529)

    async with connect(colour, busy) as client:
        stream = client.stream(**ASKED)
        with pytest.raises(StreamCancelled, match="before the answer began") as caught:
            await stream.open()
    assert asked == 1
    assert stream.ending == "cancelled"
    assert isinstance(caught.value.__cause__, StatusError)
    assert caught.value.partial == stream.message


@pytest.mark.anyio
async def test_leaving_after_a_stop_is_a_cancelled_answer(colour: str) -> None:
    async with connect(colour, Endless()) as client, client.stream(**ASKED) as stream:
        async for _ in stream:
            await stream.stop()
            break
    assert stream.ending == "cancelled"
    with pytest.raises(StreamCancelled):
        await stream.get_final_message()


@pytest.mark.anyio
async def test_a_relay_that_cannot_be_asked_is_reported(colour: str) -> None:
    class Deaf(Endless):
        def _stop(self) -> httpx2.Response:
            raise httpx2.ConnectError("refused")

    async with connect(colour, Deaf(), max_retries=0) as client, client.stream(**ASKED) as stream:
        await anext(stream)
        with pytest.raises(ConnectError):
            await stream.stop()
    async with connect(colour, Deaf(), max_retries=0) as client:
        stream = client.stream(**ASKED)
        await stream.stop()
        with pytest.raises(StreamInterrupted, match="could not be asked to stop"):
            await stream.get_final_message()


@pytest.mark.anyio
async def test_a_stream_that_the_relay_forgot_counts_as_stopped(colour: str) -> None:
    class Forgetful(Relay):
        def _stop(self) -> httpx2.Response:
            return httpx2.Response(404)

    async with connect(colour, Forgetful()) as client:
        stream = client.stream(**ASKED)
        await stream.stop()
        await stream.get_final_message()
    assert stream.ending == "completed"
