"""What a key may use: refused with 429 in the caller's own dialect, before any work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
import time_machine

from tailrace.engine import Secret
from tailrace.server import ServerSpec, quotas
from tests.redis_servers import RedisServer, needs_redis, redis_server
from tests.server.conftest import House
from tests.server.key_house import ALICE, BOB, headers, key_house, key_spec, server_spec, status

pytestmark = pytest.mark.anyio

DOORS = {
    "/v1/messages": ("ant/sim", "rate_limit_error"),
    "/v1/chat/completions": ("oai/sim", "rate_limit_error"),
    "/v1/responses": ("res/sim", "rate_limit_error"),
    "/v1beta/models/ant/sim:generateContent": ("ant/sim", "RESOURCE_EXHAUSTED"),
    "/api/chat": ("ant/sim", "429"),
    "/ui/chat": ("ant/sim", "rate_limit"),
    "/ag-ui": ("ant/sim", "rate_limit"),
    "/stream": ("ant/sim", "rate_limit"),
}


def limited(**limits: int) -> ServerSpec:
    return server_spec(named_keys=(key_spec(ALICE, **limits), key_spec(BOB)))


def question(model: str = "ant/sim", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": "Hi"}], **more}


async def refused(house: House, path: str = "/v1/messages", model: str = "ant/sim") -> tuple[str, int]:
    """Ask and be refused; return the words and the seconds to wait."""
    before = len(house.sim.requests)
    async with house.http.post(house.url + path, json=question(model), headers=headers(ALICE)) as response:
        assert response.status == 429, await response.text()
        assert len(house.sim.requests) == before
        return await response.text(), int(response.headers["retry-after"])


@pytest.mark.parametrize(("path", "model", "word"), [(path, *said) for path, said in DOORS.items()], ids=list(DOORS))
async def test_each_dialect_says_it_in_its_own_words(path: str, model: str, word: str) -> None:
    async with key_house(limited(requests_per_minute=1)) as house:
        assert await status(house, "POST", "/v1/messages", headers(ALICE), question()) == 200
        text, wait = await refused(house, path, model)
        assert word in text or path == "/api/chat"
        assert 1 <= wait <= 60
        assert await status(house, "POST", "/v1/messages", headers(BOB), question()) == 200


async def test_requests_a_minute_come_back_with_the_minute() -> None:
    async with key_house(limited(requests_per_minute=3)) as house:
        for _ in range(3):
            assert await status(house, "POST", "/v1/messages", headers(ALICE), question()) == 200
        _, wait = await refused(house)
        # What is refused is not counted, and looking at streams is no request.
        assert await status(house, "GET", "/streams", headers(ALICE)) == 200
        with time_machine.travel(time.time() + 120):
            assert await status(house, "POST", "/v1/messages", headers(ALICE), question()) == 200
        assert wait <= 60


async def test_streams_at_once_are_free_again_when_one_ends() -> None:
    async with key_house(limited(streams=2)) as house:
        live = question("ant/sim:rate=20,tokens=2000", stream=True)
        async with (
            house.http.post(house.url + "/v1/messages", json=live, headers=headers(ALICE)) as one,
            house.http.post(house.url + "/v1/messages", json=live, headers=headers(ALICE)) as two,
        ):
            assert (one.status, two.status) == (200, 200)
            text, wait = await refused(house)
            assert "streams_exceeded" in text
            assert wait == 1
            assert await status(house, "POST", "/v1/messages", headers(BOB), question()) == 200
            assert (
                await status(house, "POST", f"/streams/{one.headers['tailrace-stream-id']}/stop", headers(ALICE)) == 200
            )
            assert await status(house, "POST", "/v1/messages", headers(ALICE), question()) == 200


async def test_a_retry_of_what_is_being_answered_joins_it_whatever_the_limit() -> None:
    """And nothing else does: not another key, not another question, not a key that nobody else has used."""
    async with key_house(limited(streams=1, requests_per_minute=5)) as house:
        url, live = house.url + "/v1/messages", question("ant/sim:rate=20,tokens=2000", stream=True)
        mine = {**headers(ALICE), "idempotency-key": "mine"}
        async with house.http.post(url, json=live, headers=mine) as one:
            for _ in range(7):
                async with house.http.post(url, json=live, headers=mine) as again:
                    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
                    assert again.headers["tailrace-stream-id"] == one.headers["tailrace-stream-id"]
            assert await status(house, "POST", "/v1/messages", mine, question()) == 422
            assert await status(house, "POST", "/v1/messages", {**mine, "idempotency-key": "new"}, live) == 429
            assert await status(house, "POST", "/v1/messages", headers(ALICE), live) == 429
        assert len(house.sim.requests) == 1


@pytest.mark.parametrize("wrong", [{"model": "no/such"}, {"messages": "x"}, {"max_tokens": "many"}])
async def test_a_request_that_begins_nothing_keeps_no_place(wrong: dict[str, Any]) -> None:
    async with key_house(limited(streams=1)) as house:
        for _ in range(3):
            assert await status(house, "POST", "/v1/messages", headers(ALICE), question(**wrong)) in {400, 404}
        assert await status(house, "POST", "/v1/messages", headers(ALICE), question()) == 200


async def test_many_at_once_get_no_more_than_there_is() -> None:
    async with key_house(limited(streams=3)) as house:
        live = question("ant/sim:ttft=0.5")
        codes = await asyncio.gather(*(status(house, "POST", "/v1/messages", headers(ALICE), live) for _ in range(20)))
        assert sorted(codes) == [200] * 3 + [429] * 17


async def test_tokens_are_counted_as_answers_end_and_come_back_after_a_day() -> None:
    async with key_house(limited(tokens_per_day=100)) as house:
        asked = 0
        while await status(house, "POST", "/v1/messages", headers(ALICE), question("ant/sim:tokens=40")) == 200:
            asked += 1
            assert asked < 10
        # The last one may go over: what it takes is known when it has ended.
        assert asked == len(house.sim.requests)
        assert 1 <= asked <= 3
        text, wait = await refused(house)
        assert "tokens_exceeded" in text
        assert 86_000 < wait <= 86_400
        with time_machine.travel(time.time() + 86_401):
            assert await status(house, "POST", "/v1/messages", headers(ALICE), question()) == 200


async def test_tokens_of_an_answer_that_is_stopped_count_as_estimated() -> None:
    async with key_house(limited(tokens_per_day=20)) as house:
        live = question("ant/sim:rate=200,tokens=2000", stream=True)
        async with house.http.post(house.url + "/v1/messages", json=live, headers=headers(ALICE)) as response:
            got = b""
            while got.count(b"content_block_delta") < 100:
                got += await response.content.readany()
            assert (
                await status(house, "POST", f"/streams/{response.headers['tailrace-stream-id']}/stop", headers(ALICE))
                == 200
            )
        await refused(house)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
async def nodes(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[House, House]]:
    redis.command("FLUSHALL")
    # A machine that is busy with other tests is no Redis that is away.
    monkeypatch.setattr(quotas, "PATIENCE", 1.5)
    spec = server_spec(
        named_keys=(key_spec(ALICE, requests_per_minute=4, tokens_per_day=100_000),), counters=Secret(redis.url)
    )
    async with key_house(spec) as one, key_house(spec) as two:
        yield one, two


@needs_redis
async def test_nodes_with_one_redis_count_together(nodes: tuple[House, House], redis: RedisServer) -> None:
    codes = [await status(nodes[at % 2], "POST", "/v1/messages", headers(ALICE), question()) for at in range(6)]
    assert codes == [200, 200, 200, 200, 429, 429]
    names = redis.command("KEYS", "*")
    assert b"/tokens" in names
    assert ALICE.encode() not in names


@needs_redis
async def test_without_its_redis_a_node_counts_for_itself(nodes: tuple[House, House], redis: RedisServer) -> None:
    """Neither is everybody locked out nor may anybody all they want."""
    one, two = nodes
    assert await status(one, "POST", "/v1/messages", headers(ALICE), question()) == 200
    redis.pause()
    try:
        with structlog.testing.capture_logs() as lines:
            began = time.monotonic()
            codes = [await status(one, "POST", "/v1/messages", headers(ALICE), question()) for _ in range(5)]
            # Waited for once, then not asked again for a while.
            assert time.monotonic() - began < 2 * quotas.PATIENCE
        assert codes == [200, 200, 200, 200, 429]
        assert await status(two, "POST", "/v1/messages", headers(ALICE), question()) == 200
    finally:
        redis.go_on()
    said = [line for line in lines if line["event"] == "quotas_counted_here"]
    # Once, or twice when the count of an answer that had just ended was waiting as well.
    assert 1 <= len(said) <= 2
    assert redis.url not in str(lines)
