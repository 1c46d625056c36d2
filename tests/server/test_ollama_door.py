"""Ollama's own client at the relay: streaming and whole, from providers of three dialects, with good ends and bad."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import ollama
import pytest

from tailrace.dialects import DIALECTS, Quirks
from tailrace.engine import Limits, ProviderSpec, Relay
from tailrace.events import Fold, Message, RefusalBlock, TextBlock
from tailrace.simulator import Simulator, bytes_of, expected, frames_of, parse
from tests.server.conftest import House, providers

pytestmark = pytest.mark.anyio

UPSTREAMS = {"ant": "anthropic", "oai": "openai_chat", "oll": "ollama"}
"""``provider → its dialect``."""

SHAPES = ["sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode", "sim-max_tokens", "sim-refusal"]

BROKEN = [
    "sim:tokens=20,fault=cut_event@8",
    "sim:tokens=20,fault=rst_event@8",
    "sim:tokens=20,fault=end_event@8",
    "sim:tokens=20,fault=no_terminator",
    "sim:tokens=20,fault=error@8",
    "sim:tokens=20,fault=junk@8",
]

ASK = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def make_relay(limits: Limits) -> Callable[[Simulator], Relay]:
    def make(sim: Simulator) -> Relay:
        native = ProviderSpec(name="oll", dialect="ollama", base_url=sim.url, models=("sim",))
        return Relay({**providers(sim), "oll": native}, limits=limits)

    return make


class Told:
    """What the client made of an answer: its message added up, its last chunk, and what it raised."""

    def __init__(self) -> None:
        self.text = ""
        self.thinking = ""
        self.calls: list[tuple[str, Any]] = []
        self.last: ollama.ChatResponse | None = None
        self.pieces = 0
        self.raised: ollama.ResponseError | None = None

    def take(self, chunk: ollama.ChatResponse) -> None:
        message = chunk.message
        self.text += message.content or ""
        self.thinking += message.thinking or ""
        self.calls += [(call.function.name, dict(call.function.arguments)) for call in message.tool_calls or ()]
        self.last = chunk
        self.pieces += 1


async def streamed(url: str, model: str) -> Told:
    told = Told()
    async with ollama.AsyncClient(host=url, verify=False) as client:
        try:
            async for chunk in await client.chat(model=model, messages=ASK, stream=True):
                told.take(chunk)
        except ollama.ResponseError as error:
            told.raised = error
    return told


async def whole(url: str, model: str) -> Told:
    told = Told()
    async with ollama.AsyncClient(host=url, verify=False) as client:
        try:
            told.take(await client.chat(model=model, messages=ASK))
        except ollama.ResponseError as error:
            told.raised = error
    return told


async def in_a_thread(url: str, model: str) -> Told:
    def ask() -> Told:
        told = Told()
        with ollama.Client(host=url, verify=False) as client:
            try:
                for chunk in client.chat(model=model, messages=ASK, stream=True):
                    told.take(chunk)
            except ollama.ResponseError as error:
                told.raised = error
        return told

    return await asyncio.to_thread(ask)


async def whole_in_a_thread(url: str, model: str) -> Told:
    def ask() -> Told:
        told = Told()
        with ollama.Client(host=url, verify=False) as client:
            try:
                told.take(client.chat(model=model, messages=ASK))
            except ollama.ResponseError as error:
                told.raised = error
        return told

    return await asyncio.to_thread(ask)


WAYS = {"async": streamed, "async-whole": whole, "sync": in_a_thread, "sync-whole": whole_in_a_thread}

each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
each_provider = pytest.mark.parametrize("provider", UPSTREAMS)


def words(message: Message) -> str:
    return "".join(block.text for block in message.blocks if isinstance(block, TextBlock | RefusalBlock))


REASONS = {"end_turn": "stop", "tool_use": "stop", "max_tokens": "length", "refusal": "refusal"}


@each_way
@each_provider
async def test_the_official_client_reads_every_provider(house: House, provider: str, way: Any) -> None:
    for shape in SHAPES:
        told = await way(house.url, f"{provider}/{shape}")
        truth = expected(parse(shape))
        assert told.raised is None, shape
        assert (told.text, told.thinking) == (words(truth), truth.thinking)
        assert told.calls == [(call.name, call.input) for call in truth.tool_calls]
        assert told.last is not None
        assert told.last.done is True
        assert told.last.done_reason == REASONS[str(truth.stop_reason)]
        assert told.last.eval_count == truth.usage.output_tokens
        assert told.last.prompt_eval_count == truth.usage.input_tokens
        assert told.last.model
        assert told.last.created_at is not None
        assert told.last.created_at.startswith("20")
        assert told.last.created_at.endswith("Z")


@each_provider
async def test_pieces_stay_pieces(house: House, provider: str) -> None:
    told = await streamed(house.url, f"{provider}/sim:tokens=20")
    assert told.pieces == 21


@pytest.mark.parametrize("stream", [None, True, False])
async def test_an_answer_streams_unless_it_is_told_not_to(house: House, stream: bool | None) -> None:
    body = {"model": "ant/sim", "messages": ASK} | ({} if stream is None else {"stream": stream})
    async with house.http.post(house.url + "/api/chat", json=body) as response:
        assert response.status == 200
        kind = "application/json" if stream is False else "application/x-ndjson"
        assert response.headers["content-type"] == kind
        lines = (await response.read()).splitlines()
    assert (len(lines) == 1) is (stream is False)


async def test_the_same_dialect_is_passed_on_unchanged(house: House) -> None:
    for shape in ("sim-thinking", "sim-tools", "sim-unicode"):
        async with house.http.post(
            house.url + "/api/chat", json={"model": f"oll/{shape}", "messages": ASK}
        ) as response:
            assert await response.read() == bytes_of(parse(shape), "ollama")


@each_way
@each_provider
async def test_an_error_before_content_has_its_status(house: House, provider: str, way: Any) -> None:
    for status in (401, 404, 429, 500):
        told = await way(house.url, f"{provider}/sim:fault=status@{status}")
        assert told.raised is not None
        assert told.raised.status_code == status
        assert "asked to fail" in told.raised.error


@each_way
@each_provider
async def test_what_breaks_off_raises(house: House, provider: str, way: Any) -> None:
    for model in BROKEN:
        told = await way(house.url, f"{provider}/{model}")
        assert told.raised is not None, model
        assert told.raised.error, model
        assert told.last is None or not told.last.done, model
        assert expected(parse("sim:tokens=20")).text.startswith(told.text), model


@each_provider
async def test_cut_at_every_event_is_never_a_success(house: House, provider: str) -> None:
    events = len(frames_of(parse("sim:tokens=3"), UPSTREAMS[provider]))
    for fault in ("cut_event", "end_event"):
        for at in range(events):
            model = f"{provider}/sim:tokens=3,fault={fault}@{at}"
            for told in await asyncio.gather(streamed(house.url, model), whole(house.url, model)):
                assert told.raised is not None, model
                assert told.last is None or not told.last.done, model


def lines_of(data: bytes) -> Iterator[dict[str, Any]]:
    # As the official client cuts them.
    return (json.loads(line) for line in data.decode().splitlines())


@each_provider
async def test_a_cut_is_told_as_a_truncation_with_what_is_known_of_usage(house: House, provider: str) -> None:
    body = {"model": f"{provider}/sim:tokens=20,fault=cut_event@8", "messages": ASK}
    async with house.http.post(house.url + "/api/chat", json=body) as response:
        *_, last = lines_of(data := await response.read())
    assert last["tailrace"]["ending"] == "truncated"
    assert last["tailrace"]["kind"] == "truncated"
    assert last["tailrace"]["retryable"] is True
    assert last["tailrace"]["usage_label"] == "estimated"
    assert last["eval_count"] > 0
    fold, decoder = Fold(), DIALECTS["ollama"].decoder(Quirks())
    for received in decoder.feed(data):
        for event in received.events:
            fold.add(event)
    assert fold.error is not None
    assert (fold.error.ending, fold.usage_label) == ("truncated", "estimated")


async def test_a_stop_raises_and_keeps_what_came(house: House) -> None:
    asking = asyncio.ensure_future(streamed(house.url, "ant/sim:tokens=4000,rate=200"))
    await house.sim.until(lambda sim: bool(sim.requests) and sim.requests[-1].events_sent >= 10)
    async with house.http.get(house.url + "/streams") as listed:
        (stream,) = (await listed.json())["data"]
    async with house.http.post(f"{house.url}/streams/{stream['id']}/stop") as stopped:
        assert (await stopped.json())["ending"] == "cancelled"
    told = await asking
    assert told.raised is not None
    assert "stopped" in told.raised.error
    assert told.text


async def test_a_stream_is_resumed_by_counting_lines(house: House) -> None:
    async with house.http.post(
        house.url + "/api/chat", json={"model": "ant/sim:tokens=20", "messages": ASK}
    ) as response:
        data = await response.read()
        stream = response.headers["tailrace-stream-id"]
    lines = data.splitlines(keepends=True)
    async with house.http.get(f"{house.url}/streams/{stream}?after=5") as response:
        assert await response.read() == b"".join(lines[5:])


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.05, open_early_after=0.05)

    @each_provider
    async def test_silence_breaks_nothing(self, house: House, provider: str) -> None:
        model = f"{provider}/sim-tool:tokens=12,ttft=0.2,fault=stall_event@6:0.2"
        truth = expected(parse("sim-tool:tokens=12"))
        for way in (streamed, in_a_thread):
            told = await way(house.url, model)
            assert told.raised is None
            assert told.text == truth.text
            assert told.calls == [(call.name, call.input) for call in truth.tool_calls]
        async with house.http.post(house.url + "/api/chat", json={"model": model, "messages": ASK}) as response:
            data = await response.read()
        assert data.startswith(DIALECTS["ollama"].heartbeat)
        assert data.count(DIALECTS["ollama"].heartbeat) >= 2


# ---- what stands beside the chat ------------------------------------------------------------------------------


async def test_the_official_client_lists_the_models(house: House) -> None:
    async with ollama.AsyncClient(host=house.url, verify=False) as client:
        listed = await client.list()
    assert {model.model for model in listed.models} == {"ant/sim", "oai/sim", "oll/sim"}


async def test_the_version_is_one_that_clients_can_compare(house: House) -> None:
    async with house.http.get(house.url + "/api/version") as response:
        version = (await response.json())["version"]
    assert all(part.isdigit() for part in version.split("."))


async def test_tools_results_and_settings_reach_the_provider(house: House) -> None:
    schema = {"type": "object", "properties": {"station": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "gauge", "description": "A gauge.", "parameters": schema}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "High water?", "images": ["iVBORw0KGgo="]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "gauge", "arguments": {"station": "Brest"}}}]},
        {"role": "tool", "content": "3 m", "tool_name": "gauge"},
    ]
    options = {"num_predict": 50, "temperature": 0, "stop": ["END"], "num_ctx": 4096}
    async with ollama.AsyncClient(host=house.url, verify=False) as client:
        answer = await client.chat(
            "ant/sim-json", messages, tools=[tool], format=schema, think="low", options=options, keep_alive="5m"
        )
    assert answer.message.content
    asked = json.loads(house.sim.requests[-1].body)
    assert asked["system"] == [{"type": "text", "text": "Be brief."}]
    user, call, result = asked["messages"]
    assert user["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    assert call["content"][0]["input"] == {"station": "Brest"}
    assert result["content"][0]["tool_use_id"] == call["content"][0]["id"]
    assert asked["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    assert (asked["max_tokens"], asked["temperature"], asked["stop_sequences"]) == (50, 0, ["END"])


async def test_what_the_provider_cannot_be_asked_is_refused_by_name(house: House) -> None:
    async with ollama.AsyncClient(host=house.url, verify=False) as client:
        with pytest.raises(ollama.ResponseError, match="response_format") as refused:
            await client.chat(model="ant/sim", messages=ASK, format="json")
    assert refused.value.status_code == 400
    body = {"model": "ant/sim", "messages": ASK, "options": {"num_ctx": 4096}, "keep_alive": "5m", "stream": False}
    async with house.http.post(house.url + "/api/chat", json=body) as response:
        assert response.headers["tailrace-ignored"] == "keep_alive, options.num_ctx"
