"""Against a real relay with a simulated provider behind it, through a wire that is cut."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tailrace.client import Cancel, OnDisconnect, Reset, retry
from tailrace.errors import StatusError, StreamError, StreamRestarted
from tailrace.events import Event, TextDelta
from tests.client.colours import connect
from tests.client.conftest import KEY, House
from tests.client.wire import pass_on

pytestmark = pytest.mark.anyio
ASKED: dict[str, Any] = {"model": "ant/sim-tool:tokens=25,seed=5", "messages": "Hi"}


async def events_of(stream: Any) -> list[Event]:
    async with stream:
        return [event async for event in stream]


@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_the_answer_comes_through_and_can_be_read_again(colour: str, provider: str, house: House) -> None:
    asked = ASKED | {"model": ASKED["model"].replace("ant", provider)}
    async with connect(colour, None, house.url) as client:
        stream = client.stream(**asked)
        events = await events_of(stream)
        assert stream.ending == "completed"
        assert await events_of(client.resume(stream.stream_id)) == events
        kept = await client.get_message(stream.stream_id)
        # The relay keeps the provider's own word for why it stopped; the door has its dialect's.
        assert msgspec.structs.replace(kept, native_reason=stream.message.native_reason) == stream.message
        assert stream.stream_id in [one["id"] for one in await client.streams()]
        assert (await client.stop(stream.stream_id))["ending"] == "completed"
        assert "ant/sim" in [model.id for model in await client.models()]


async def test_a_wire_that_is_cut_again_and_again_loses_nothing(
    colour: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The relay asks for a second before each reconnection.
    monkeypatch.setattr(retry, "LONGEST_HINT", 0.0)
    async with connect(colour, None, house.url) as client:
        whole = await events_of(client.stream(**ASKED))
    # Each connection carries so many bytes more than the one before that some frames come through each time.
    with pass_on(house.url, cuts=[150, 700, 900, 1100, 1300, 1500]) as url:
        async with connect(colour, None, url) as client, client.stream(**ASKED) as stream:
            events = [event async for event in stream]
    assert stream.reconnects > 2
    assert events == whole


async def test_a_stop_ends_the_providers_work_and_still_brings_the_usage(colour: str, house: House) -> None:
    async with connect(colour, None, house.url) as client:
        async with client.stream(model="ant/sim:tokens=100000,rate=300", messages="Hi") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    await stream.stop()
        house.simulator.wait(lambda simulator: simulator.requests[-1].state == "closed_by_client")
    assert stream.ending == "cancelled"
    assert stream.usage.output_tokens is not None
    assert stream.message.text


async def test_a_providers_failure_reaches_the_caller_by_name(colour: str, house: House) -> None:
    async with connect(colour, None, house.url) as client:
        for fault, ending in [("cut_event@9", "truncated"), ("error@9:overloaded", "failed")]:
            stream = client.stream(model=f"ant/sim:tokens=30,fault={fault}", messages="Hi")
            with pytest.raises(StreamError) as caught:
                await stream.get_final_message()
            await stream.close()
            assert caught.value.ending == stream.ending == ending
            assert caught.value.partial.text
        with pytest.raises(StatusError) as refused:
            await client.create(model="nobody/knows", messages="Hi")
        assert refused.value.status == 404


async def test_two_requests_with_one_key_are_one_answer_and_one_bill(colour: str, house: House) -> None:
    before = len(house.simulator.requests)
    key = f"one bill {colour}"
    async with connect(colour, None, house.url) as client:
        first = client.stream(**ASKED, idempotency_key=key)
        events = await events_of(first)
        second = client.stream(**ASKED, idempotency_key=key)
        assert await events_of(second) == events
        assert (first.joined, second.joined) == (False, True)
        assert first.stream_id == second.stream_id
        with pytest.raises(StatusError) as caught:
            await client.create(model=ASKED["model"], messages="Something else", idempotency_key=key)
        assert caught.value.status == 422
    assert len(house.simulator.requests) == before + 1


@pytest.mark.parametrize(("wish", "state"), [("detach", "completed"), (Cancel(seconds=0), "closed_by_client")])
async def test_leaving_does_what_was_wished_for(colour: str, house: House, wish: OnDisconnect, state: str) -> None:
    asked = ASKED | {"model": "ant/sim:tokens=60,rate=100"}
    async with connect(colour, None, house.url) as client:
        async with client.stream(**asked, on_disconnect=wish) as stream:
            await anext(stream)
        house.simulator.wait(lambda simulator: simulator.requests[-1].state == state)


async def test_a_stream_that_the_relay_does_not_know_cannot_be_resumed(colour: str, house: House) -> None:
    async with connect(colour, None, house.url) as client:
        with pytest.raises(StatusError) as caught:
            await client.resume("unknown").open()
    assert caught.value.status == 404


async def test_a_view_token_reads_and_stops_what_the_key_began(colour: str, house: House) -> None:
    asked = ASKED | {"model": "ant/sim:tokens=4000,rate=200"}
    async with connect(colour, None, house.guarded, api_key=KEY) as owner:
        async with owner.stream(**asked, on_disconnect="detach") as stream:
            await anext(stream)
        read = await owner.share(stream.stream_id)
        stop = await owner.share(stream.stream_id, scope="stop")
    async with connect(colour, None, house.guarded) as guest:
        with pytest.raises(StatusError) as refused:
            await guest.resume(stream.stream_id).open()
        assert refused.value.status == 401
        with pytest.raises(StatusError) as refused:
            await guest.stop(stream.stream_id, token=read.token)
        assert refused.value.status == 404
        async with guest.resume(stream.stream_id, token=stop.token) as reader:
            async for event in reader:
                if isinstance(event, TextDelta):
                    await reader.stop()
        assert reader.ending == "cancelled"
        async with guest.resume(stream.stream_id, token=read.token) as again:
            with pytest.raises(StreamError) as caught:
                await again.get_final_message()
        assert caught.value.partial.text == reader.message.text


async def test_an_answer_that_a_provider_breaks_off_comes_anew_from_another(colour: str, house: House) -> None:
    async with connect(colour, None, house.url) as client:
        # What the second provider says is written down by its own, unbroken, answer.
        truth = await client.create(model="oai/sim:tokens=12,seed=9", messages="Hi")
        async with client.stream(model="unsure", messages="Hi", restarts=True) as stream:
            with pytest.raises(StreamRestarted) as caught:
                await drained(stream.text_stream)
            assert caught.value.partial.text
            text = "".join([piece async for piece in stream.text_stream])
        assert text == truth.text
        assert caught.value.partial.text != text[: len(caught.value.partial.text)]
        assert (await client.create(model="unsure", messages="Hi", restarts=True)).text == text
        # Not asked for, it is what it is.
        with pytest.raises(StreamError) as broken:
            await client.create(model="unsure", messages="Hi")
        assert broken.value.ending == "truncated"
        # Whoever reads the stream later is told as well.
        async with client.resume(stream.stream_id) as later:
            events = [event async for event in later]
        assert sum(isinstance(event, Reset) for event in events) == 1
        assert later.message.text == text


async def drained(pieces: Any) -> None:
    async for _ in pieces:
        pass
