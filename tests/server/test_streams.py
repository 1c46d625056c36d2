"""Following, resuming and stopping a stream that exists."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tailrace.engine import Limits
from tests.server.conftest import House
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio

SLOW = "ant/sim:tokens=400,rate=100"


async def begin(house: House, model: str = SLOW) -> tuple[aiohttp.ClientResponse, str]:
    response = await house.http.post(house.url + "/v1/messages", json=body(model))
    assert response.status == 200, await response.text()
    return response, response.headers["tailrace-stream-id"]


async def read_events(response: aiohttp.ClientResponse, count: int) -> bytes:
    """Read until ``count`` events have come whole."""
    data = b""
    while data.count(b"\n\n") < count:
        data += await response.content.readany()
    return b"\n\n".join(data.split(b"\n\n")[:count]) + b"\n\n"


async def test_a_dropped_reader_comes_back_and_misses_nothing(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim:tokens=60,rate=200")
    first = await read_events(response, 9)
    response.close()
    async with house.http.get(f"{house.url}/streams/{stream_id}", headers={"last-event-id": "9"}) as again:
        assert again.status == 200
        rest = await again.read()
    assert rest.startswith(b"retry: 1000\nid: 10\n")
    async with house.http.get(f"{house.url}/streams/{stream_id}?after=0") as whole:
        everything = await whole.read()
    assert (b"retry: 1000\n" + first + rest.removeprefix(b"retry: 1000\n")) == everything
    message, fold = read("anthropic", everything)
    assert fold.ended
    assert message.stop_reason == "end_turn"
    assert len(house.sim.requests) == 1


@pytest.mark.parametrize("after", [0, 1, 20, 44])
async def test_a_finished_stream_is_replayed_from_any_place(house: House, after: int) -> None:
    response, stream_id = await begin(house, "ant/sim")
    frames = (await response.read()).split(b"\n\n")[:-1]
    async with house.http.get(f"{house.url}/streams/{stream_id}?after={after}") as again:
        assert (await again.read()).removeprefix(b"retry: 1000\n").split(b"\n\n")[:-1] == frames[after:]


async def test_at_the_end_there_is_nothing_more(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim")
    count = (await response.read()).count(b"\n\n")
    async with house.http.get(f"{house.url}/streams/{stream_id}", headers={"last-event-id": str(count)}) as again:
        assert again.status == 204
        assert await again.read() == b""


@pytest.mark.parametrize(
    ("cursor", "status", "code"), [("abc", 400, "bad_cursor"), ("-1", 400, "bad_cursor"), ("9999", 410, "cursor_reset")]
)
async def test_a_cursor_that_cannot_be(house: House, cursor: str, status: int, code: str) -> None:
    response, stream_id = await begin(house, "ant/sim")
    await response.read()
    async with house.http.get(f"{house.url}/streams/{stream_id}", headers={"last-event-id": cursor}) as again:
        assert again.status == status
        assert code in await again.text() or "cursor" in await again.text()


async def test_an_unknown_stream_is_not_found(house: House) -> None:
    for method, path in [("GET", ""), ("POST", "/stop"), ("GET", "/message")]:
        async with house.http.request(method, f"{house.url}/streams/nobody{path}") as response:
            assert response.status == 404


async def test_two_readers_of_one_stream_get_the_same_bytes(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim:tokens=80,rate=400")
    async with house.http.get(f"{house.url}/streams/{stream_id}") as second:
        one, two = await asyncio.gather(response.read(), second.read())
    assert one == two.removeprefix(b"retry: 1000\n")
    assert len(house.sim.requests) == 1


async def test_a_stop_closes_the_upstream_and_tells_every_reader(house: House) -> None:
    response, stream_id = await begin(house)
    other = await house.http.get(f"{house.url}/streams/{stream_id}")
    await read_events(response, 10)
    async with house.http.post(f"{house.url}/streams/{stream_id}/stop") as stopped:
        assert stopped.status == 200
        assert (await stopped.json())["ending"] == "cancelled"
    async with asyncio.timeout(5):
        await house.sim.requests[0].closed.wait()
        await house.sim.until(lambda sim: sim.open_connections == 0)
    assert house.sim.requests[0].state == "closed_by_client"
    for reader in (response, other):
        tail = await reader.read()
        assert b"event: error" in tail
        assert b'"ending":"cancelled"' in tail
        assert b'"usage_label":"estimated"' in tail
        assert b"message_stop" not in tail


async def test_a_stop_is_idempotent_and_keeps_what_came(house: House) -> None:
    response, stream_id = await begin(house)
    head = await read_events(response, 12)
    for _ in range(3):
        async with house.http.post(f"{house.url}/streams/{stream_id}/stop") as stopped:
            assert (await stopped.json())["ending"] == "cancelled"
    everything = head + await response.read()
    message, _ = read("anthropic", everything)
    async with house.http.get(f"{house.url}/streams/{stream_id}/message") as so_far:
        kept = await so_far.json()
    assert kept["ending"] == "cancelled"
    assert kept["message"]["blocks"][0]["text"].startswith(message.text[:20])
    assert message.text


async def test_a_stop_before_the_first_token(house: House) -> None:
    posting = asyncio.ensure_future(house.http.post(house.url + "/v1/messages", json=body("ant/sim:fault=hang")))
    await house.sim.until(lambda sim: len(sim.requests) == 1)
    async with house.http.get(house.url + "/streams") as listed:
        stream_id = (await listed.json())["data"][0]["id"]
    async with house.http.post(f"{house.url}/streams/{stream_id}/stop") as stopped:
        assert stopped.status == 200
    async with asyncio.timeout(5):
        response = await posting
        await house.sim.until(lambda sim: sim.open_connections == 0)
    assert response.status == 499
    assert (await response.json())["tailrace"]["ending"] == "cancelled"


class TestHangingUp:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(open_early_after=60)

    @pytest.mark.parametrize("model", ["ant/sim:fault=hang", "ant/sim:tokens=4000,rate=50", "oai/sim:ttft=60"])
    async def test_fifty_clients_that_hang_up_are_fifty_closed_connections(self, house: House, model: str) -> None:
        """Before the first token and in the middle; the grace is shortened by taking it from the policy."""
        house.relay.router.resolve = _with_grace(house, 0.05)  # type: ignore[method-assign]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as clients:
            posts = [
                asyncio.ensure_future(clients.post(house.url + "/v1/messages", json=body(model))) for _ in range(50)
            ]
            await house.sim.until(lambda sim: len(sim.requests) == 50)
            if "rate" in model:
                for response in await asyncio.gather(*posts):
                    await response.content.readany()
            for post in posts:
                if post.done():
                    post.result().close()
                else:
                    post.cancel()
            async with asyncio.timeout(10):
                await house.sim.until(lambda sim: sim.open_connections == 0)
        assert [record.state for record in house.sim.requests] == ["closed_by_client"] * 50

    async def test_a_reader_that_comes_back_within_the_grace_keeps_the_answer_alive(self, house: House) -> None:
        response, stream_id = await begin(house, "ant/sim:tokens=200,rate=200")
        await read_events(response, 5)
        response.close()
        async with house.http.get(f"{house.url}/streams/{stream_id}?after=5") as again:
            data = await again.read()
        assert b"message_stop" in data
        assert house.sim.requests[0].state == "completed"


def _with_grace(house: House, grace: float):  # type: ignore[no-untyped-def]
    from tailrace.engine import Policy
    from tailrace.engine.routing import Resolved

    original = house.relay.router.resolve
    return lambda model, dialect: Resolved(original(model, dialect).targets, Policy(grace=grace))


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.05, open_early_after=0.05)

    @pytest.mark.parametrize(
        ("path", "model", "beat"),
        [("/v1/messages", "ant/sim:ttft=1", b'{"type": "ping"}'), ("/v1/chat/completions", "oai/sim:ttft=1", b": ")],
    )
    async def test_they_come_before_the_first_token_and_break_nothing(
        self, house: House, path: str, model: str, beat: bytes
    ) -> None:
        async with house.http.post(house.url + path, json=body(model)) as response:
            data = await response.read()
        first_content = data.index(b"delta")
        assert beat in data[:first_content]
        dialect = "anthropic" if "messages" in path else "openai_chat"
        _, fold = read(dialect, data)
        assert fold.ended
        assert fold.error is None


async def test_a_client_may_have_the_head_before_the_provider_says_anything(house: House) -> None:
    headers = {"tailrace-open-early": "1"}
    model = "ant/sim:fault=hang"
    async with asyncio.timeout(5):
        response = await house.http.post(house.url + "/v1/messages", json=body(model), headers=headers)
        assert response.status == 200
        stream_id = response.headers["tailrace-stream-id"]
        async with house.http.post(f"{house.url}/streams/{stream_id}/stop") as stopped:
            assert (await stopped.json())["ending"] == "cancelled"
        data = await response.read()
    assert b'"ending":"cancelled"' in data
    _, fold = read("anthropic", data)
    assert fold.error is not None


async def test_the_plain_feed_needs_no_model_where_there_is_a_first_one(house: House) -> None:
    async with house.http.post(house.url + "/stream", json={"prompt": "Hello"}) as response:
        assert (await response.read()).endswith(b"data: [DONE]\n\n")
