"""View tokens through the doors: what they open, and what they do not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import time_machine

from tailrace.engine import Secret
from tests.server.conftest import House
from tests.server.key_house import ALICE, BOB, CLOSED, READER, begin, headers, key_house, routes, server_spec, status

pytestmark = pytest.mark.anyio

ROUTES = routes()
OPENED = {"GET /streams/unknown", "GET /streams/unknown/fields", "GET /streams/unknown/message"}
LONG = {
    "model": "ant/sim:rate=20,tokens=2000",
    "max_tokens": 4000,
    "stream": True,
    "messages": [{"role": "user", "content": "Hi"}],
}
FORGED = f"vt1.read-99999999999.{'A' * 43}"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with key_house() as found:
        yield found


async def minted(house: House, stream: str, key: str = ALICE, **ask: Any) -> dict[str, Any]:
    url = f"{house.url}/streams/{stream}/tokens"
    async with house.http.post(url, json=ask or None, headers=headers(key)) as response:
        assert response.status == 201, await response.text()
        assert response.headers["cache-control"] == "no-store"
        found: dict[str, Any] = await response.json()
        return found


async def test_a_token_opens_its_stream_and_nothing_else(house: House) -> None:
    stream, other = await begin(house, ALICE), await begin(house, ALICE)
    made = await minted(house, stream)
    assert (made["stream"], made["scope"]) == (stream, "read")
    assert abs(made["expires"] - time.time() - 300) < 10
    for door in ROUTES:
        for head, query in (({"authorization": f"Bearer {made['token']}"}, ""), ({}, f"?token={made['token']}")):
            own = door.path.replace("unknown", stream) + query
            said = await status(house, door.method, own, head, {} if door.method == "POST" else None)
            assert said == (
                200 if door.id in OPENED else 404 if door.path.endswith("/stop") and "streams" in door.path else 401
            ), own
            if door.path.startswith("/streams/") and not door.path.endswith("tokens"):
                foreign = door.path.replace("unknown", other) + query
                assert await status(house, door.method, foreign, head, {} if door.method == "POST" else None) == 404


async def test_a_browsers_event_source_resumes_with_a_token(house: House) -> None:
    stream = await begin(house, ALICE, "/stream", model="ant/sim:tokens=9")
    token = (await minted(house, stream))["token"]
    async with house.http.get(f"{house.url}/streams/{stream}?token={token}") as response:
        whole = await response.text()
    async with house.http.get(
        f"{house.url}/streams/{stream}?token={token}", headers={"last-event-id": "4"}
    ) as response:
        assert whole.endswith((await response.text()).removeprefix("retry: 1000\n"))
    async with house.http.get(f"{house.url}/streams/{stream}?after=3&token={token}") as response:
        assert "id: 4" in await response.text()


async def test_a_token_to_stop_stops_and_reads(house: House) -> None:
    async with house.http.post(house.url + "/v1/messages", json=LONG, headers=headers(ALICE)) as response:
        stream = response.headers["tailrace-stream-id"]
        reading = (await minted(house, stream))["token"]
        stopping = (await minted(house, stream, scope="stop", seconds=60))["token"]
        assert await status(house, "POST", f"/streams/{stream}/stop?token={reading}", {}) == 404
        assert house.relay.live == 1
        assert await status(house, "GET", f"/streams/{stream}/message?token={stopping}", {}) == 200
        assert await status(house, "POST", f"/streams/{stream}/stop?token={stopping}", {}) == 200
        assert house.relay.live == 0


async def test_an_expired_token_says_so_and_a_running_read_goes_on(house: House) -> None:
    async with house.http.post(house.url + "/v1/messages", json=LONG, headers=headers(ALICE)) as response:
        stream = response.headers["tailrace-stream-id"]
        token = (await minted(house, stream, seconds=5))["token"]
        async with house.http.get(f"{house.url}/streams/{stream}?token={token}") as reader:
            with time_machine.travel(time.time() + 6):
                async with house.http.get(f"{house.url}/streams/{stream}/message?token={token}") as late:
                    assert (late.status, (await late.json())["tailrace"]["code"]) == (401, "token_expired")
                assert reader.status == 200
                assert await reader.content.readany()
            assert await status(house, "POST", f"/streams/{stream}/stop", headers(ALICE)) == 200
            assert b"stopped" in await reader.content.read()


@pytest.mark.parametrize("token", ["", "vt1.", "vt1.a.b", FORGED, "x" * 3000, "' OR '1'='1", "%00", "é"])
async def test_garbage_is_an_unknown_stream(house: House, token: str) -> None:
    stream = await begin(house, ALICE)
    for path in (f"/streams/{stream}", "/streams/unknown"):
        got = await status(house, "GET", f"{path}?token={token}", {})
        # An empty parameter is none at all.
        assert got == (404 if token else 401)


async def test_only_the_owner_makes_tokens_and_only_for_what_there_is(house: House) -> None:
    stream = await begin(house, ALICE)
    token = (await minted(house, stream, scope="stop"))["token"]
    path = f"/streams/{stream}/tokens"
    for key, said in ((BOB, 404), (READER, 404), (CLOSED, 403), ("nobody", 401), (token, 401)):
        assert await status(house, "POST", path, headers(key), {}) == said
    assert await status(house, "POST", f"{path}?token={token}", {}, {}) == 401
    assert await status(house, "POST", "/streams/unknown/tokens", headers(ALICE), {}) == 404


async def test_a_header_with_a_key_wins_over_a_token_in_the_url(house: House) -> None:
    stream = await begin(house, ALICE)
    token = (await minted(house, stream))["token"]
    assert await status(house, "GET", f"/streams/{stream}?token={token}", headers(BOB)) == 404
    assert await status(house, "GET", f"/streams/{stream}?token={token}", headers("nobody")) == 401


async def test_without_keys_tokens_work_too_and_bind_to_their_stream() -> None:
    async with key_house(server_spec(named_keys=())) as house:
        stream, other = await begin(house, "whoever"), await begin(house, "whoever")
        token = (await minted(house, stream))["token"]
        assert await status(house, "GET", f"/streams/{stream}?token={token}", {}) == 200
        assert await status(house, "GET", f"/streams/{other}?token={token}", {}) == 404
        assert await status(house, "GET", f"/streams/{stream}?token={FORGED}", {}) == 404


async def test_where_nodes_share_streams_tokens_need_a_shared_secret() -> None:
    nodes = server_spec(counters=Secret("redis://127.0.0.1:1/0"))
    async with key_house(nodes) as house:
        stream = await begin(house, ALICE)
        async with house.http.post(f"{house.url}/streams/{stream}/tokens", headers=headers(ALICE)) as response:
            assert response.status == 409
            assert "server.token_key" in await response.text()
    shared = server_spec(counters=Secret("redis://127.0.0.1:1/0"), token_key=Secret("0123456789abcdef" * 2))
    async with key_house(shared) as house:
        stream = await begin(house, ALICE)
        assert await minted(house, stream)
