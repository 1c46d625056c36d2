"""The Responses door on real sockets: every provider behind it, its cursor, its ids, background and cancelling."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tailrace.dialects import DIALECTS, Quirks
from tailrace.engine import Relay, Secret
from tailrace.events import Fold, Message, RefusalBlock, TextBlock
from tailrace.server import ServerSpec
from tailrace.simulator import Simulator, bytes_of, expected, frames_of, parse
from tailrace.testing import serving
from tests.server.conftest import House, providers

pytestmark = pytest.mark.anyio

DIALECT = "openai_responses"
PROVIDERS = {"ant": "anthropic", "oai": "openai_chat", "res": DIALECT}
SHAPES = ["sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode", "sim-max_tokens", "sim-refusal"]
SLOW = "sim:tokens=4000,rate=200"
"""Twenty seconds of an answer: what is done to it is done in its middle however slow this machine is."""


def body(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "input": "Hello", "stream": True, **fields}


def read(data: bytes) -> tuple[Message, Fold]:
    decoder, fold = DIALECTS[DIALECT].decoder(Quirks()), Fold()
    for received in [*decoder.feed(data), *decoder.close()]:
        for event in received.events:
            fold.add(event)
    return fold.message(), fold


def payloads(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: ")]


async def post(house: House, value: dict[str, Any], path: str = "/v1/responses") -> tuple[int, bytes]:
    async with asyncio.timeout(20), house.http.post(house.url + path, json=value) as response:
        return response.status, await response.read()


async def get(house: House, path: str, **query: Any) -> tuple[int, bytes]:
    async with asyncio.timeout(20), house.http.get(f"{house.url}/v1/responses/{path}", params=query) as response:
        return response.status, await response.read()


async def response_of(house: House, identity: str) -> dict[str, Any]:
    status, data = await get(house, identity)
    assert status == 200, data
    found: dict[str, Any] = json.loads(data)
    return found


# ---- what is said ---------------------------------------------------------------------------------------------


def said(message: Message) -> list[Any]:
    """What must survive every crossing; identifiers and signatures belong to one side."""
    text = "".join(block.text for block in message.blocks if isinstance(block, TextBlock | RefusalBlock))
    calls = [(call.name, call.input, call.complete) for call in message.tool_calls]
    return [text, message.thinking, calls, message.stop_reason, message.usage.output_tokens]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_stream_says_what_the_provider_sent(house: House, provider: str, shape: str) -> None:
    status, data = await post(house, body(f"{provider}/{shape}"))
    assert status == 200, data
    message, fold = read(data)
    assert (fold.ended, fold.error) == (True, None)
    assert said(message) == said(expected(parse(shape)))


@pytest.mark.parametrize("door", ["anthropic", "openai_chat"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_clients_of_other_dialects_hear_a_responses_provider(house: House, door: str, shape: str) -> None:
    path = {"anthropic": "/v1/messages", "openai_chat": "/v1/chat/completions"}[door]
    asked = {"model": f"res/{shape}", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    extra = {"stream_options": {"include_usage": True}} if door == "openai_chat" else {}
    status, data = await post(house, {**asked, **extra, "stream": True}, path)
    assert status == 200, data
    decoder, fold = DIALECTS[door].decoder(Quirks()), Fold()
    for received in [*decoder.feed(data), *decoder.close()]:
        for event in received.events:
            fold.add(event)
    assert said(fold.message()) == said(expected(parse(shape)))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_whole_answers(house: House, provider: str) -> None:
    status, data = await post(house, body(f"{provider}/sim-tool", stream=False))
    assert status == 200
    answer, truth = json.loads(data), expected(parse("sim-tool"))
    assert (answer["object"], answer["status"]) == ("response", "completed")
    calls = [item for item in answer["output"] if item["type"] == "function_call"]
    assert [json.loads(call["arguments"]) for call in calls] == [call.input for call in truth.tool_calls]
    assert answer["usage"]["output_tokens"] == truth.usage.output_tokens


async def test_the_same_dialect_is_passed_on_unchanged(house: House) -> None:
    _, data = await post(house, body("res/sim-thinking"))
    without_ids = b"\n".join(line for line in data.split(b"\n") if not line.startswith(b"id: "))
    assert without_ids == bytes_of(parse("sim-thinking"), DIALECT)
    _, whole = await post(house, body("res/sim-thinking", stream=False))
    assert json.loads(whole) == payloads(data)[-1]["response"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_sequence_numbers_are_the_frames_numbers_less_one(house: House, provider: str) -> None:
    _, data = await post(house, body(f"{provider}/sim-tools"))
    ids = [int(line[4:]) for line in data.split(b"\n") if line.startswith(b"id: ")]
    assert ids == list(range(1, len(ids) + 1))
    assert [event["sequence_number"] for event in payloads(data)] == [number - 1 for number in ids]


async def test_what_leads_nowhere_else_is_refused_by_name_and_hints_are_listed(house: House) -> None:
    for name, value in {"previous_response_id": "resp_1", "conversation": "conv_1"}.items():
        for provider in ("ant", "oai"):
            status, data = await post(house, body(f"{provider}/sim", **{name: value}))
            assert status == 400
            assert json.loads(data)["error"]["param"] == name
    assert (await post(house, body("res/sim", previous_response_id="resp_1")))[0] == 200
    asked = body("ant/sim", store=True, truncation="auto", include=["web_search_call.action.sources"])
    async with house.http.post(f"{house.url}/v1/responses", json=asked) as response:
        assert response.status == 200
        assert set(response.headers["tailrace-ignored"].split(", ")) == {"store", "truncation", "include"}


# ---- how it ends ----------------------------------------------------------------------------------------------


def claims_success(status: int, data: bytes) -> bool:
    return status == 200 and payloads(data)[-1]["type"] in {"response.completed", "response.incomplete"}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_cut_at_every_event_is_never_a_success(house: House, provider: str) -> None:
    scenario = "sim:tokens=3"
    for at in range(len(frames_of(parse(scenario), PROVIDERS[provider]))):
        status, data = await post(house, body(f"{provider}/{scenario},fault=cut_event@{at}"))
        assert not claims_success(status, data), at
        if status == 200:
            _, fold = read(data)
            assert fold.error is not None
            assert (fold.error.ending, fold.error.retryable) == ("truncated", True)
            assert fold.usage_label in {"estimated", "exact"}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_error_in_the_middle_has_both_forms_and_its_place_in_the_order(house: House, provider: str) -> None:
    status, data = await post(house, body(f"{provider}/sim:tokens=20,fault=error@8"))
    assert status == 200
    events = payloads(data)
    error = events[-1]
    assert error["type"] == "error"
    assert error["message"] == error["error"]["message"]
    assert error["code"] == error["error"]["code"]
    assert error["sequence_number"] == len(events) - 1
    message, fold = read(data)
    assert message.text
    assert fold.error is not None
    assert fold.error.ending == "failed"


@pytest.mark.parametrize(("fault", "status"), [("401", 401), ("429:7", 429), ("500", 500), ("529", 529)])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_error_before_content_is_an_http_status(house: House, provider: str, fault: str, status: int) -> None:
    for stream in (True, False):
        asked = body(f"{provider}/sim:fault=status@{fault}", stream=stream)
        async with house.http.post(f"{house.url}/v1/responses", json=asked) as response:
            assert response.status == status
            answer = await response.json()
        assert set(answer["error"]) >= {"message", "type", "code", "param"}


# ---- following, reading, cancelling ---------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_cursor_gets_exactly_the_events_after_it(house: House, provider: str) -> None:
    _, data = await post(house, body(f"{provider}/sim:tokens=4"))
    events = payloads(data)
    identity = events[0]["response"]["id"]
    assert identity.startswith("resp_")
    status, again = await get(house, identity, stream="true")
    assert status == 200
    assert payloads(again) == events
    for last in range(len(events) - 1):
        status, rest = await get(house, identity, stream="true", starting_after=last)
        assert status == 200
        assert payloads(rest) == events[last + 1 :]
    status, rest = await get(house, identity, stream="true", starting_after=len(events) - 1)
    assert (status, rest) == (204, b"")


@pytest.mark.parametrize("cursor", ["-1", "x", "1.5", "99999"])
async def test_a_cursor_that_is_none_is_refused(house: House, cursor: str) -> None:
    _, data = await post(house, body("ant/sim:tokens=4"))
    status, answer = await get(house, payloads(data)[0]["response"]["id"], stream="true", starting_after=cursor)
    assert status == (410 if cursor == "99999" else 400)
    assert json.loads(answer)["error"]["param"] == "starting_after"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_response_that_ended_is_the_one_of_its_last_event(house: House, provider: str) -> None:
    _, data = await post(house, body(f"{provider}/sim-tools"))
    last = payloads(data)[-1]["response"]
    assert await response_of(house, last["id"]) == last


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_response_that_failed_says_so_and_keeps_what_came(house: House, provider: str) -> None:
    _, data = await post(house, body(f"{provider}/sim:tokens=20,fault=error@12"))
    found = await response_of(house, payloads(data)[0]["response"]["id"])
    assert found["status"] == "failed"
    assert found["error"]["message"] == payloads(data)[-1]["message"]
    assert found["output"][0]["content"][0]["text"] == read(data)[0].text


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_background_answers_at_once_and_goes_on_without_a_reader(house: House, provider: str) -> None:
    status, data = await post(house, body(f"{provider}/sim:tokens=40,rate=100", stream=False, background=True))
    assert status == 200
    found = begun = json.loads(data)
    assert begun["status"] == "in_progress"
    async with asyncio.timeout(20):
        while found["status"] == "in_progress":
            found = await response_of(house, begun["id"])
            assert found["id"] == begun["id"]
    assert found["status"] == "completed"
    assert found["output"][0]["content"][0]["text"] == expected(parse("sim:tokens=40")).text
    # The relay is what goes on; a provider's own background would survive a stop.
    assert b'"background"' not in house.sim.requests[-1].body


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_background_with_a_provider_that_refuses_is_its_status(house: House, provider: str) -> None:
    status, data = await post(house, body(f"{provider}/sim:fault=status@429", stream=False, background=True))
    assert status == 429, data


async def test_background_streams_survive_their_client(house: House) -> None:
    """With the default policy a generation whose reader left would end after its grace."""
    asked = body("ant/sim:tokens=60,rate=100", background=True)
    async with house.http.post(f"{house.url}/v1/responses", json=asked) as response:
        stream_id = response.headers["tailrace-stream-id"]
        await response.content.readany()
    generation = house.relay.generation(stream_id)
    assert generation is not None
    await asyncio.wait_for(asyncio.wait({generation.over}), 20)
    assert generation.ending == "completed"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_cancel_closes_the_provider_keeps_what_came_and_is_idempotent(house: House, provider: str) -> None:
    _, data = await post(house, body(f"{provider}/{SLOW}", stream=False, background=True))
    identity = json.loads(data)["id"]
    await house.sim.until(lambda sim: sim.requests[-1].events_sent >= 12)
    for _ in range(2):
        status, data = await post(house, {}, f"/v1/responses/{identity}/cancel")
        answer = json.loads(data)
        assert (status, answer["status"], answer["error"]) == (200, "cancelled", None)
        assert expected(parse(SLOW)).text.startswith(answer["output"][0]["content"][0]["text"])
    await house.sim.until(lambda sim: sim.open_connections == 0)
    assert house.sim.requests[-1].state == "closed_by_client"
    _, events = await get(house, identity, stream="true")
    assert payloads(events)[-1]["tailrace"]["ending"] == "cancelled"


async def test_a_response_that_is_not_there(house: House) -> None:
    for path, method in (("resp_0", "GET"), ("resp_0/cancel", "POST")):
        async with house.http.request(method, f"{house.url}/v1/responses/{path}") as response:
            assert response.status == 404
            assert (await response.json())["error"]["code"] == "response_not_found"


async def test_a_response_is_its_owners_only_and_an_id_given_twice_is_the_newest_ones() -> None:
    spec = ServerSpec(port=0, shutdown_grace=0.0, keys=(Secret("one"), Secret("two")))
    async with Simulator() as sim, serving(Relay(providers(sim)), spec) as url, aiohttp.ClientSession() as http:

        async def ask(key: str, model: str) -> str:
            headers = {"authorization": f"Bearer {key}"}
            async with http.post(f"{url}/v1/responses", json=body(model), headers=headers) as response:
                return str(payloads(await response.read())[0]["response"]["id"])

        async def look(key: str, identity: str) -> tuple[int, Any]:
            headers = {"authorization": f"Bearer {key}"}
            async with http.get(f"{url}/v1/responses/{identity}", headers=headers) as response:
                return response.status, await response.json()

        mine = await ask("one", "ant/sim")
        assert (await look("one", mine))[0] == 200
        assert (await look("two", mine))[0] == 404
        # The simulator gives one seed one id, whatever it is asked for.
        first, second = await ask("one", "res/sim:tokens=4"), await ask("one", "res/sim:tokens=5")
        theirs = await ask("two", "res/sim:tokens=6")
        assert first == second == theirs
        assert (await look("one", first))[1]["model"] == "sim:tokens=5"
        assert (await look("two", first))[1]["model"] == "sim:tokens=6"
