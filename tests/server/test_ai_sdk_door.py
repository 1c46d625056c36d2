"""The door of the AI SDK, and what a page finds of its chat when it comes back, through real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from yarl import URL

from tailrace.engine import Limits, ProviderSpec, Relay, Secret
from tailrace.server import ServerSpec
from tailrace.simulator import Simulator, expected, frames_of, parse
from tailrace.testing import serving
from tests.dialects.front_end_cases import payloads
from tests.server.conftest import House, providers
from tests.server.test_doors import content, read

pytestmark = pytest.mark.anyio

DOOR = "/ui/chat"
SHAPES = ["sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode", "sim-max_tokens"]
LONG = "sim:tokens=4000,rate=200"


def body(model: str | None, chat: str = "chat 1", **fields: Any) -> dict[str, Any]:
    said = [{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "Hello"}]}]
    named = {} if model is None else {"model": model}
    return {"id": chat, "messages": said, "trigger": "submit-message", **named, **fields}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_a_stream_says_what_the_provider_sent(house: House, provider: str, shape: str) -> None:
    async with house.http.post(house.url + DOOR, json=body(f"{provider}/{shape}")) as response:
        data = await response.read()
        assert response.status == 200, data
        assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
        assert response.headers["tailrace-dialect"] == "ai_sdk"
        assert response.headers["content-type"].startswith("text/event-stream")
    message, fold = read("ai_sdk", data)
    assert (fold.ended, fold.error) == (True, None)
    assert content(message) == content(expected(parse(shape)))
    assert message.id == f"msg_{response.headers['tailrace-stream-id'][:22]}"


async def test_only_this_door_has_its_header(house: House) -> None:
    async with house.http.post(house.url + "/stream", json={"model": "ant/sim", "prompt": "Hello"}) as response:
        assert "x-vercel-ai-ui-message-stream" not in response.headers


async def test_a_whole_answer_is_a_ui_message(house: House) -> None:
    async with house.http.post(house.url + DOOR, json=body("ant/sim-tool", stream=False)) as response:
        assert response.status == 200
        answer = await response.json()
    truth = expected(parse("sim-tool"))
    assert [part["type"] for part in answer["parts"]] == ["step-start", "text", "tool-get_weather"]
    assert answer["parts"][2]["input"] == truth.tool_calls[0].input


async def test_a_request_without_a_model_gets_the_first_that_is_listed(house: House) -> None:
    for request in (body(None), {**body(None), "model": None}):
        async with house.http.post(house.url + DOOR, json=request) as response:
            message, _ = read("ai_sdk", await response.read())
        assert message.text == expected(parse("sim")).text
    assert {record.dialect for record in house.sim.requests} == {"anthropic"}


async def test_where_no_model_is_listed_one_must_be_named(house: House) -> None:
    spec = ProviderSpec(name="ant", dialect="anthropic", base_url=house.sim.url)
    async with (
        serving(Relay({"ant": spec})) as url,
        house.http.post(url + DOOR, json=body(None)) as response,
    ):
        assert (response.status, (await response.json())["param"]) == (400, "model")


async def test_the_answer_goes_on_in_the_message_of_the_request(house: House) -> None:
    request = body("ant/sim")
    request["messages"].append({"id": "mine", "role": "assistant", "parts": [{"type": "text", "text": "Well"}]})
    async with house.http.post(house.url + DOOR, json=request) as response:
        message, _ = read("ai_sdk", await response.read())
    assert message.id == "mine"


@pytest.mark.parametrize(("fault", "status"), [("401", 401), ("429:7", 429), ("500", 500)])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_before_content_is_an_http_error(house: House, fault: str, status: int, stream: bool) -> None:
    async with house.http.post(house.url + DOOR, json=body(f"ant/sim:fault=status@{fault}", stream=stream)) as response:
        assert response.status == status
        assert set(await response.json()) >= {"message", "kind", "ending", "retryable"}


@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_a_cut_at_every_event_is_never_a_success(house: House, provider: str) -> None:
    dialect = {"ant": "anthropic", "oai": "openai_chat"}[provider]
    for at in range(len(frames_of(parse("sim-tool:tokens=6"), dialect))):
        model = f"{provider}/sim-tool:tokens=6,fault=cut_event@{at}"
        async with house.http.post(house.url + DOOR, json=body(model)) as response:
            data = await response.read()
        if response.status == 200:
            _, fold = read("ai_sdk", data)
            assert fold.error is not None, (at, data)
            assert fold.error.ending == "truncated"
            assert not {"finish"} & {chunk["type"] for chunk in payloads(without_ids(data))}
        else:
            assert response.status == 502


async def test_an_error_in_the_middle_ends_the_stream_as_one(house: House) -> None:
    async with house.http.post(house.url + DOOR, json=body("ant/sim:tokens=20,fault=error@8")) as response:
        message, fold = read("ai_sdk", await response.read())
    assert fold.error is not None
    assert (fold.error.kind, fold.error.ending, fold.error.retryable) == ("overloaded", "failed", True)
    assert message.text
    assert message.usage_label == "estimated"


def without_ids(data: bytes) -> bytes:
    return b"\n".join(line for line in data.split(b"\n") if not line.startswith((b"id: ", b"retry: ")))


# ---- coming back to a chat ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chat", "path"), [("chat 1", "chat%201"), ("a/b?c#d", "a%2Fb%3Fc%23d"), ("ü", "%C3%BC")])
async def test_the_live_answer_is_replayed_from_its_beginning(house: House, chat: str, path: str) -> None:
    model = "ant/sim:tokens=60,rate=100"
    where = URL(f"{house.url}{DOOR}/{path}/stream", encoded=True)
    async with house.http.post(house.url + DOOR, json=body(model, chat)) as first:
        await first.content.readuntil(b"text-delta")
        async with house.http.get(where) as again:
            assert again.status == 200
            assert again.headers["tailrace-stream-id"] == first.headers["tailrace-stream-id"]
            assert again.headers["x-vercel-ai-ui-message-stream"] == "v1"
            replayed = await again.read()
        await first.read()
    message, fold = read("ai_sdk", replayed)
    assert (fold.ended, fold.error) == (True, None)
    assert message.text == expected(parse(model)).text
    async with house.http.get(where) as over:
        assert (over.status, await over.read()) == (204, b"")


async def test_the_newest_answer_of_a_chat_is_the_one_that_is_found(house: House) -> None:
    async with (
        house.http.post(house.url + DOOR, json=body(f"ant/{LONG}", "c")) as old,
        house.http.post(house.url + DOOR, json=body(f"oai/{LONG}", "c")) as new,
        house.http.post(house.url + DOOR, json=body(f"oai/{LONG}", "other")),
    ):
        for wanted in (new, old):
            async with house.http.get(f"{house.url}{DOOR}/c/stream") as found:
                if wanted is new:
                    assert found.headers["tailrace-stream-id"] == new.headers["tailrace-stream-id"]
                else:
                    # The newest is over: the chat has no live answer, whatever became of an older one.
                    assert found.status == 204
            async with house.http.post(f"{house.url}/streams/{new.headers['tailrace-stream-id']}/stop"):
                pass


async def test_a_chat_without_a_live_answer_has_nothing(house: House) -> None:
    async with house.http.post(house.url + "/v1/messages", json={
        "model": f"ant/{LONG}", "max_tokens": 9, "stream": True, "id": "c",
        "messages": [{"role": "user", "content": "Hello"}],
    }):  # fmt: skip
        for chat in ("c", "never", "", "."):
            async with house.http.get(f"{house.url}{DOOR}/{chat}/stream") as response:
                assert response.status in {204, 404}
    async with house.http.post(f"{house.url}{DOOR}/never/stop") as response:
        assert response.status == 204


async def test_an_answer_without_a_chat_is_found_by_no_name(house: House) -> None:
    request = body(f"ant/{LONG}")
    del request["id"]
    async with (
        house.http.post(house.url + DOOR, json=request),
        house.http.get(URL(f"{house.url}{DOOR}//stream", encoded=True)) as response,
    ):
        assert response.status == 204


async def test_a_stop_ends_the_chats_answer_for_all(house: House) -> None:
    async with house.http.post(house.url + DOOR, json=body(f"ant/{LONG}", "c")) as response:
        await response.content.readuntil(b"text-delta")
        async with house.http.post(f"{house.url}{DOOR}/c/stop") as stopped:
            assert (stopped.status, (await stopped.json())["ending"]) == (200, "cancelled")
        rest = await response.read()
    assert rest.endswith(b'data: {"type":"finish","finishReason":"interrupted"}\n\n')
    async with asyncio.timeout(10):
        await house.sim.until(lambda sim: sim.open_connections == 0)
    async with house.http.post(f"{house.url}{DOOR}/c/stop") as again:
        assert again.status == 204


async def test_another_keys_chat_of_the_same_name_is_not_found(house: House) -> None:
    spec = ServerSpec(port=0, shutdown_grace=0.0, keys=(Secret("one"), Secret("two")))
    async with serving(Relay(providers(house.sim)), spec) as url:
        mine, theirs = ({"authorization": f"Bearer {key}"} for key in ("one", "two"))
        async with house.http.post(url + DOOR, json=body(f"ant/{LONG}", "c"), headers=mine):
            for what, method in (("stream", house.http.get), ("stop", house.http.post)):
                async with method(f"{url}{DOOR}/c/{what}", headers=theirs) as response:
                    assert response.status == 204
                async with method(f"{url}{DOOR}/c/{what}") as response:
                    assert response.status == 401
                    assert (await response.json())["kind"] == "authentication"
            async with house.http.post(f"{url}{DOOR}/c/stop", headers=mine) as response:
                assert response.status == 200


class TestPatience:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    @pytest.fixture
    def make_relay(self, limits: Limits) -> Callable[[Simulator], Relay]:
        return lambda sim: Relay(providers(sim), limits=limits)

    async def test_heartbeats_stand_before_the_first_chunk_and_between(self, house: House) -> None:
        model = "ant/sim:tokens=6,ttft=0.2,fault=stall_event@4:0.2"
        async with house.http.post(house.url + DOOR, json=body(model)) as response:
            before, _, after = (await response.read()).partition(b"id: 1\n")
        assert b": hb\n" in before
        assert b": hb\n" in after
        assert json.loads(after.partition(b"data: ")[2].partition(b"\n")[0])["type"] == "start"
