"""The four pairs, streaming and whole, through real sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.dialects import DIALECTS, Quirks
from tailrace.events import Fold, Message, Usage
from tailrace.simulator import expected, parse
from tests.server.conftest import House

pytestmark = pytest.mark.anyio

DOORS = {"anthropic": "/v1/messages", "openai_chat": "/v1/chat/completions", "plain": "/stream"}
SHAPES = ["sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode", "sim-max_tokens", "sim-refusal"]


def body(model: str, *, stream: bool = True) -> dict[str, Any]:
    return {
        "model": model,
        "max_tokens": 100,
        "stream": stream,
        "messages": [{"role": "user", "content": "Hello"}],
    }


def read(dialect: str, data: bytes) -> tuple[Message, Fold]:
    decoder, fold = DIALECTS[dialect].decoder(Quirks()), Fold()
    for received in [*decoder.feed(data), *decoder.close()]:
        for event in received.events:
            fold.add(event)
    return fold.message(), fold


def content(message: Message) -> list[Any]:
    """What must survive every crossing; identifiers and signatures belong to one side."""
    calls = [(call.name, call.input, call.complete) for call in message.tool_calls]
    return [message.text, message.thinking, calls, message.stop_reason, message.usage.output_tokens]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("provider", ["ant", "oai"])
@pytest.mark.parametrize("door", ["anthropic", "openai_chat"])
async def test_a_stream_says_what_the_provider_sent(house: House, door: str, provider: str, shape: str) -> None:
    request = {**body(f"{provider}/{shape}"), "stream_options": {"include_usage": True}}
    if door == "anthropic":
        del request["stream_options"]
    async with house.http.post(house.url + DOORS[door], json=request) as response:
        assert response.status == 200, await response.text()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["tailrace-dialect"] == door
        data = await response.read()
    message, fold = read(door, data)
    truth = expected(parse(shape))
    assert fold.ended
    assert fold.error is None
    if shape == "sim-refusal":
        # Anthropic has no refusal block: its text and the reason carry it.
        refused = [block.text for block in message.blocks if hasattr(block, "text")]
        wanted = [block.text for block in truth.blocks if hasattr(block, "text")]
        assert refused == wanted
        assert message.stop_reason == truth.stop_reason
    else:
        assert content(message) == content(truth)


@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_the_plain_feed_is_text_and_done(house: House, provider: str) -> None:
    async with house.http.post(house.url + "/stream", json={"model": f"{provider}/sim", "prompt": "Hello"}) as response:
        lines = [line async for line in response.content]
    payloads = [line[6:].strip() for line in lines if line.startswith(b"data: ")]
    assert payloads[-1] == b"[DONE]"
    assert "".join(json.loads(payload) for payload in payloads[:-1]) == expected(parse("sim")).text
    assert all(line.startswith((b"data: ", b"id: ")) or line == b"\n" for line in lines)


@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_whole_answers(house: House, provider: str) -> None:
    truth = expected(parse("sim-tool"))
    async with house.http.post(house.url + "/v1/messages", json=body(f"{provider}/sim-tool", stream=False)) as response:
        assert response.status == 200
        answer = await response.json()
    assert answer["type"] == "message"
    assert answer["stop_reason"] == "tool_use"
    assert [b["input"] for b in answer["content"] if b["type"] == "tool_use"] == [c.input for c in truth.tool_calls]
    async with house.http.post(
        house.url + "/v1/chat/completions", json=body(f"{provider}/sim-tool", stream=False)
    ) as response:
        answer = await response.json()
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    arguments = [json.loads(call["function"]["arguments"]) for call in choice["message"]["tool_calls"]]
    assert arguments == [call.input for call in truth.tool_calls]
    assert answer["usage"]["completion_tokens"] == truth.usage.output_tokens


async def test_the_same_dialect_is_passed_on_unchanged(house: House) -> None:
    """Promise 10: but for `id:` lines, what a client gets is what the provider sent."""
    from tailrace.simulator import bytes_of

    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim-thinking")) as response:
        data = await response.read()
    without_ids = b"\n".join(line for line in data.split(b"\n") if not line.startswith(b"id: "))
    assert without_ids == bytes_of(parse("sim-thinking"), "anthropic")


async def test_ids_count_the_frames(house: House) -> None:
    async with house.http.post(house.url + "/v1/chat/completions", json=body("ant/sim")) as response:
        data = await response.read()
    ids = [int(line[4:]) for line in data.split(b"\n") if line.startswith(b"id: ")]
    assert ids == list(range(1, len(ids) + 1))
    assert len(ids) == data.count(b"\n\n")


async def test_usage_is_hidden_from_a_chat_client_that_did_not_ask(house: House) -> None:
    async with house.http.post(house.url + "/v1/chat/completions", json=body("oai/sim")) as response:
        data = await response.read()
    assert b'"choices":[]' not in data
    stream_id = response.headers["tailrace-stream-id"]
    async with house.http.get(f"{house.url}/streams/{stream_id}/message") as response:
        so_far = await response.json()
    usage = expected(parse("sim")).usage
    assert Usage(**so_far["message"]["usage"]).output_tokens == usage.output_tokens
    assert so_far["message"]["usage_label"] == "exact"


async def test_no_credential_of_a_client_reaches_a_provider(house: House) -> None:
    headers = {
        "authorization": "Bearer client-secret",
        "x-api-key": "client-secret",
        "cookie": "session=client-secret",
        "anthropic-beta": "some-beta",
    }
    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim"), headers=headers) as response:
        await response.read()
    seen = house.sim.requests[-1].headers
    assert "client-secret" not in str(seen)
    assert seen["x-api-key"] == "sk-canary-upstream-4711"
    assert seen["anthropic-beta"] == "some-beta"
    assert seen["accept-encoding"] == "identity"
