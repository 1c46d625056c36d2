"""Bedrock as a provider: read by the clients of every other dialect, refused and cut like any."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tailrace.dialects import DIALECTS, Quirks
from tailrace.engine import ProviderSpec, Relay, Secret
from tailrace.events import Fold
from tailrace.simulator import Simulator, expected, frames_of, parse
from tests.server.conftest import UPSTREAM_KEY, House
from tests.server.test_doors import content

pytestmark = pytest.mark.anyio

DOORS = {"anthropic": "/v1/messages", "openai_chat": "/v1/chat/completions", "ollama": "/api/chat"}
SHAPES = ["sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode", "sim-max_tokens"]

each_door = pytest.mark.parametrize("door", DOORS)


@pytest.fixture
def make_relay() -> Callable[[Simulator], Relay]:
    def make(sim: Simulator) -> Relay:
        key = Secret(UPSTREAM_KEY)
        return Relay({"aws": ProviderSpec(name="aws", dialect="bedrock", base_url=sim.url, api_key=key)})

    return make


async def ask(house: House, door: str, model: str, *, stream: bool = True) -> tuple[int, bytes]:
    body: dict[str, Any] = {"model": f"aws/{model}", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    if door == "anthropic":
        body["max_tokens"] = 100
    if door == "openai_chat" and stream:
        body["stream_options"] = {"include_usage": True}
    async with house.http.post(house.url + DOORS[door], json=body) as response:
        return response.status, await response.read()


def read(door: str, data: bytes) -> Fold:
    fold, decoder = Fold(), DIALECTS[door].decoder(Quirks())
    for received in [*decoder.feed(data), *decoder.close()]:
        for event in received.events:
            fold.add(event)
    return fold


@each_door
async def test_a_stream_says_what_the_provider_sent(house: House, door: str) -> None:
    for shape in SHAPES:
        status, data = await ask(house, door, shape)
        assert status == 200, data
        fold = read(door, data)
        assert fold.ended
        assert fold.error is None
        assert content(fold.message()) == content(expected(parse(shape)))


@each_door
async def test_a_whole_answer_is_streamed_upstream(house: House, door: str) -> None:
    status, data = await ask(house, door, "sim", stream=False)
    assert status == 200
    assert json.dumps(expected(parse("sim")).text)[1:-1].encode() in data
    assert house.sim.requests[-1].scenario is not None


async def test_the_model_stands_in_the_path_and_the_key_in_a_header(house: House) -> None:
    await ask(house, "anthropic", "sim:tokens=3,seed=7")
    request = house.sim.requests[-1]
    assert request.scenario is not None
    assert request.scenario.seed == 7
    assert request.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert request.headers["accept"] == "application/vnd.amazon.eventstream"
    assert json.loads(request.body) == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "inferenceConfig": {"maxTokens": 100},
    }


@each_door
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500])
async def test_a_refusal_keeps_its_status(house: House, door: str, status: int) -> None:
    assert (await ask(house, door, f"sim:fault=status@{status}"))[0] == status


@each_door
async def test_an_exception_in_the_stream_is_told_in_the_clients_dialect(house: House, door: str) -> None:
    status, data = await ask(house, door, "sim:tokens=20,fault=error@8:rate_limit")
    assert status == 200
    fold = read(door, data)
    assert fold.error is not None
    assert (fold.error.kind, fold.error.ending) == ("rate_limit", "failed")
    assert fold.message().text


@each_door
async def test_a_cut_before_the_message_is_complete_is_never_a_success(house: House, door: str) -> None:
    *before, _stop, _metadata = frames_of(parse("sim:tokens=3"), "bedrock")
    for fault in ("cut_event", "end_event"):
        for at in range(len(before) + 1):
            status, data = await ask(house, door, f"sim:tokens=3,fault={fault}@{at}")
            if status == 200:
                fold = read(door, data)
                assert fold.error is not None, at
                assert fold.error.ending == "truncated"


@each_door
async def test_a_clean_end_without_figures_is_complete_at_an_unknown_cost(house: House, door: str) -> None:
    status, data = await ask(house, door, "sim:tokens=3,fault=no_terminator")
    assert status == 200
    fold = read(door, data)
    assert fold.error is None
    assert fold.message().stop_reason == "end_turn"
    assert fold.message().usage_label == "unknown"


@pytest.mark.parametrize("fault", ["junk@5", "badutf8@5", "bom"])
async def test_a_broken_checksum_fails_the_stream(house: House, fault: str) -> None:
    status, data = await ask(house, "anthropic", f"sim:tokens=20,fault={fault}")
    assert status != 200 or read("anthropic", data).error is not None
