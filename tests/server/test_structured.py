"""Answers for machines: tool calls that come whole, and documents that are valid or refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tailrace.engine import Policy, Relay, RouteSpec, Target
from tailrace.simulator import Scenario, Simulator, expected, parse
from tests.server.conftest import House, providers
from tests.server.test_doors import DOORS, body, read

pytestmark = pytest.mark.anyio

ROWS = {"type": "object", "required": ["title", "rows"], "properties": {"title": {"type": "string"}}}
NOT_ROWS = {"type": "object", "required": ["colour"]}
FITS = {"type": "object", "required": ["place", "days"], "properties": {"days": {"type": "integer"}}}
FITS_NOT = {"type": "object", "properties": {"days": {"type": "string"}}}
WHOLE = {"tailrace-tools": "complete"}


@pytest.fixture
def make_relay() -> Callable[[Simulator], Relay]:
    policy = Policy(repair=True)
    routes = {
        "mended": RouteSpec(name="mended", targets=(Target("ant", "sim"),), policy=policy),
        "never": RouteSpec(name="never", targets=(Target("oai", "sim-text"),), policy=policy),
    }
    return lambda sim: Relay(providers(sim), routes)


def with_tool(door: str, model: str, schema: dict[str, Any]) -> dict[str, Any]:
    if door == "anthropic":
        tool: dict[str, Any] = {"name": "get_weather", "input_schema": schema}
    else:
        tool = {"type": "function", "function": {"name": "get_weather", "parameters": schema}}
    return {**body(model), "tools": [tool]}


def with_schema(door: str, model: str, schema: dict[str, Any] | None, *, stream: bool = False) -> dict[str, Any]:
    request = body(model, stream=stream)
    if door == "anthropic":
        return {**request, "output_config": {"format": {"type": "json_schema", "schema": schema}}}
    named = {"type": "json_schema", "json_schema": {"name": "rows", "schema": schema}}
    return {**request, "response_format": named if schema is not None else {"type": "json_object"}}


@pytest.mark.parametrize("provider", ["ant", "oai"])
@pytest.mark.parametrize("door", ["anthropic", "openai_chat"])
async def test_a_call_comes_whole_or_not_at_all(house: House, door: str, provider: str) -> None:
    model = f"{provider}/sim-tool:tokens=60"
    for schema, ok in [(FITS, True), (FITS_NOT, False)]:
        async with house.http.post(
            house.url + DOORS[door], json=with_tool(door, model, schema), headers=WHOLE
        ) as response:
            data = await response.read()
        message, fold = read(door, data)
        (truth,) = expected(parse("sim-tool:tokens=60")).tool_calls
        if ok:
            fragment = json.dumps(truth.json, ensure_ascii=False).encode()
            assert fragment in data, "the arguments are one fragment"
            assert message.tool_calls[0].input == truth.input
            assert fold.error is None
        else:
            assert fold.error is not None
            assert "days" in fold.error.message
            assert not any(call.complete for call in message.tool_calls)
            assert truth.json.encode()[:20] not in data


async def test_without_the_header_calls_grow_as_they_are_written(house: House) -> None:
    request = with_tool("anthropic", "ant/sim-tool:tokens=60", FITS_NOT)
    async with house.http.post(house.url + "/v1/messages", json=request) as response:
        data = await response.read()
    assert data.count(b"input_json_delta") > 3


async def test_a_wish_that_is_not_known_is_refused(house: House) -> None:
    async with house.http.post(
        house.url + "/v1/messages", json=body("ant/sim"), headers={"tailrace-tools": "some"}
    ) as response:
        assert response.status == 400


@pytest.mark.parametrize("provider", ["ant", "oai"])
@pytest.mark.parametrize("door", ["anthropic", "openai_chat"])
async def test_a_document_is_valid_or_refused_with_what_came(house: House, door: str, provider: str) -> None:
    model = f"{provider}/sim-json"
    text = expected(parse("sim-json")).text
    async with house.http.post(house.url + DOORS[door], json=with_schema(door, model, ROWS)) as response:
        answer = await response.json()
        assert response.status == 200, answer
        given = answer["content"][0]["text"] if door == "anthropic" else answer["choices"][0]["message"]["content"]
        assert given == text
    async with house.http.post(house.url + DOORS[door], json=with_schema(door, model, NOT_ROWS)) as response:
        answer = await response.json()
        assert response.status == 422
        assert "colour" in answer["error"]["message"]
        assert answer["tailrace"]["output"] == text
    assert len(house.sim.requests) == 2


async def test_any_json_object_will_do_where_no_schema_is_named(house: House) -> None:
    for model, status in [("oai/sim-json", 200), ("oai/sim", 422)]:
        request = with_schema("openai_chat", model, None)
        async with house.http.post(house.url + "/v1/chat/completions", json=request) as response:
            assert response.status == status


async def test_a_route_may_ask_once_more(house: House) -> None:
    house.sim.scenario = Scenario(rate=200, tokens=20)
    posting = asyncio.ensure_future(
        house.http.post(house.url + "/v1/messages", json=with_schema("anthropic", "mended", ROWS))
    )
    await house.sim.until(lambda sim: len(sim.requests) == 1)
    house.sim.scenario = Scenario(shape="json")
    async with asyncio.timeout(10):
        response = await posting
        answer = await response.json()
    assert response.status == 200, answer
    assert json.loads(answer["content"][0]["text"])["rows"]
    asked = json.loads(house.sim.requests[1].body)["messages"]
    assert [turn["role"] for turn in asked] == ["user", "assistant", "user"]
    assert "not the document" in json.dumps(asked[2])


async def test_and_only_once(house: House) -> None:
    async with house.http.post(
        house.url + "/v1/chat/completions", json=with_schema("openai_chat", "never", ROWS)
    ) as response:
        assert response.status == 422
    assert len(house.sim.requests) == 2


async def test_a_streamed_document_is_not_held_back(house: House) -> None:
    request = with_schema("anthropic", "ant/sim-json", NOT_ROWS, stream=True)
    async with house.http.post(house.url + "/v1/messages", json=request) as response:
        assert response.status == 200
        assert b"message_stop" in await response.read()
