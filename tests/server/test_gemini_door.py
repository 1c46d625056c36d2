"""Google's own client at the relay: streaming and whole, from providers of three dialects, with good ends and bad."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import pytest
from google.genai import errors, types

from tailrace.dialects import DIALECTS, Quirks
from tailrace.engine import Limits, ProviderSpec, Relay, Secret
from tailrace.events import Fold, RefusalBlock, TextBlock, TextDelta, ToolCallPart, ToolResultPart
from tailrace.simulator import Simulator, bytes_of, expected, frames_of, parse, script
from tests.server.conftest import UPSTREAM_KEY, House, providers
from tests.server.gemini_ways import BODY, PROMPT, STREAMING, WHOLE, Told, clean_environment, client, path

__all__ = ["clean_environment"]

pytestmark = pytest.mark.anyio

UPSTREAMS = {"ant": "anthropic", "oai": "openai_chat", "gem": "gemini"}
"""``provider → its dialect``."""

SHAPES = ["sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode", "sim-max_tokens", "sim-refusal"]
REASONS = {"end_turn": "STOP", "tool_use": "STOP", "max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}

BROKEN = {
    "sim:tokens=20,fault=cut_event@8": 502,
    "sim:tokens=20,fault=rst_event@8": 502,
    "sim:tokens=20,fault=end_event@8": 502,
    "sim:tokens=20,fault=no_terminator": 502,
    "sim:tokens=20,fault=error@8": 503,
    "sim:tokens=20,fault=junk@8": 502,
    "sim:tokens=20,fault=badutf8@8": 502,
}
"""``model → the code of the error that it ends with``."""

REFUSALS = {
    "sim:fault=status@401": (401, "UNAUTHENTICATED"),
    "sim:fault=status@404": (404, "NOT_FOUND"),
    "sim:fault=status@429:7": (429, "RESOURCE_EXHAUSTED"),
    "sim:fault=status@500": (500, "INTERNAL"),
    "sim:fault=status@529": (529, "UNAVAILABLE"),
}
"""``model → status and status word``."""

each_stream = pytest.mark.parametrize("way", STREAMING)
each_whole = pytest.mark.parametrize("way", WHOLE)


@pytest.fixture
def make_relay(limits: Limits) -> Callable[[Simulator], Relay]:
    def make(sim: Simulator) -> Relay:
        native = ProviderSpec(name="gem", dialect="gemini", base_url=sim.url, api_key=Secret(UPSTREAM_KEY))
        return Relay({**providers(sim), "gem": native}, limits=limits)

    return make


def truth(model: str, *, stream: bool) -> Told:
    """Return what the client must make of the simulator's ``model``."""
    message = expected(parse(model))
    texts = "".join(block.text for block in message.blocks if isinstance(block, TextBlock | RefusalBlock))
    pieces = sum(isinstance(step.event, TextDelta) for step in script(parse(model)))
    return Told(
        text=texts,
        thinking=message.thinking,
        calls=[(call.name, call.input) for call in message.tool_calls],
        reason=REASONS[str(message.stop_reason)],
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
        pieces=pieces if stream else min(pieces, 1),
    )


# ---- good ends ------------------------------------------------------------------------------------------------


@each_stream
async def test_a_stream_is_what_the_provider_sent(house: House, way: str) -> None:
    models = [f"{provider}/{shape}" for provider in UPSTREAMS for shape in SHAPES]
    for model, told in zip(models, await STREAMING[way](house.url, models), strict=True):
        assert told == truth(model, stream=True), model


@each_whole
async def test_a_whole_answer_is_what_the_provider_sent(house: House, way: str) -> None:
    models = [f"{provider}/{shape}" for provider in UPSTREAMS for shape in SHAPES]
    for model, told in zip(models, await WHOLE[way](house.url, models), strict=True):
        assert told == truth(model, stream=False), model


async def test_what_the_client_asks_reaches_every_provider(house: House) -> None:
    models = [f"{provider}/sim:tokens=1" for provider in UPSTREAMS]
    await STREAMING["sync"](house.url, models)
    for dialect, record in zip(UPSTREAMS.values(), house.sim.requests, strict=True):
        assert record.dialect == dialect
        body = json.loads(record.body)
        asked = DIALECTS[dialect].parse({"model": "m", **body})
        assert [part.text for part in asked.system] == ["Be brief."]
        assert (asked.max_tokens, asked.turns[0].parts[0].text) == (100, PROMPT)  # type: ignore[union-attr]
        assert record.headers["accept-encoding"] == "identity"


async def test_the_same_dialect_is_passed_on_unchanged(house: House) -> None:
    """Promise 10: to the byte, and with no line that Google's clients do not survive."""
    async with house.http.post(house.url + path("gem/sim-thinking"), json=BODY) as response:
        assert response.headers["content-type"] == "text/event-stream"
        data = await response.read()
    assert data == bytes_of(parse("sim-thinking"), "gemini")
    assert all(line.startswith(b"data: ") for line in data.split(b"\n") if line)
    record = house.sim.requests[-1]
    assert json.loads(record.body) == BODY
    assert record.headers["x-goog-api-key"] == UPSTREAM_KEY


async def test_a_conversation_with_tools_comes_full_circle(house: House) -> None:
    """The client runs the calls by itself, and sends them back with their signatures and results."""
    ran: list[str] = []

    def get_weather(place: str, note: str, days: int, units: list[str], exact: bool) -> dict[str, str]:
        """Tell the weather."""
        ran.append(place)
        return {"sky": "rain"}

    def chat(provider: str) -> None:
        config = types.GenerateContentConfig(
            tools=[get_weather],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(maximum_remote_calls=2),
        )
        with client(house.url) as asked:
            asked.models.generate_content(model=f"{provider}/sim-tool", contents="Weather?", config=config)

    for provider, dialect in UPSTREAMS.items():
        ran.clear()
        await anyio.to_thread.run_sync(chat, provider)
        assert ran
        asked = DIALECTS[dialect].parse({"model": "m", **json.loads(house.sim.requests[-1].body)})
        assert [tool.name for tool in asked.tools] == ["get_weather"]
        parts = [part for turn in asked.turns for part in turn.parts]
        call = next(part for part in parts if isinstance(part, ToolCallPart))
        result = next(part for part in parts if isinstance(part, ToolResultPart))
        assert call.id == result.tool_call_id
        assert call.input["place"] == ran[0]
        assert "rain" in str(result.parts)


async def test_thoughts_come_back_with_their_signature(house: House) -> None:
    def chat() -> None:
        with client(house.url) as asked:
            talk = asked.chats.create(model="ant/sim-thinking:tokens=8")
            list(talk.send_message_stream("One?"))
            list(talk.send_message_stream("Two?"))

    await anyio.to_thread.run_sync(chat)
    first, second, _ = json.loads(house.sim.requests[-1].body)["messages"]
    assert (first["role"], second["role"]) == ("user", "assistant")
    said = expected(parse("sim-thinking:tokens=8"))
    signed = [block for block in second["content"] if block["type"] == "thinking"]
    assert signed[-1]["signature"] == said.blocks[0].signature  # type: ignore[union-attr]
    assert "".join(block["text"] for block in second["content"] if block["type"] == "text") == said.text


# ---- bad ends -------------------------------------------------------------------------------------------------


def models_of(names: Any) -> list[str]:
    return [f"{provider}/{name}" for provider in UPSTREAMS for name in names]


@each_stream
async def test_a_stream_that_breaks_off_raises(house: House, way: str) -> None:
    for model, told in zip(models_of(BROKEN), await STREAMING[way](house.url, models_of(BROKEN)), strict=True):
        assert told.raised is not None, model
        assert told.raised.code == BROKEN[model.partition("/")[2]], model
        assert told.text, model
        assert truth(model, stream=True).text.startswith(told.text), model
        assert told.reason is None, model


@each_whole
async def test_a_whole_answer_that_breaks_off_raises(house: House, way: str) -> None:
    for model, told in zip(models_of(BROKEN), await WHOLE[way](house.url, models_of(BROKEN)), strict=True):
        assert told.raised is not None, model
        assert told.raised.code == BROKEN[model.partition("/")[2]], model
        assert not told.text, model


async def test_cut_at_every_event_it_is_never_a_success(house: House) -> None:
    models = [
        f"{provider}/sim:tokens=3,fault={cut}@{at}"
        for provider, dialect in UPSTREAMS.items()
        for cut in ("cut_event", "end_event")
        for at in range(len(frames_of(parse("sim:tokens=3"), dialect)))
    ]
    for model, told in zip(models, await STREAMING["async"](house.url, models), strict=True):
        assert isinstance(told.raised, errors.ServerError), model
        assert told.reason is None, model


async def test_a_cut_after_the_last_event_is_none_of_a_whole_connection(house: House) -> None:
    """Chunked encoding tells a connection that broke from an answer that ended: only the second is complete."""
    last = len(frames_of(parse("sim:tokens=3"), "gemini"))
    models = [f"gem/sim:tokens=3,fault=cut_event@{last}", f"gem/sim:tokens=3,fault=end_event@{last}"]
    cut, ended = await STREAMING["async"](house.url, models)
    assert cut.raised is not None
    assert ended.raised is None
    assert ended.reason == "STOP"


@each_stream
async def test_an_error_before_content_is_a_status(house: House, way: str) -> None:
    models = models_of(REFUSALS)
    for model, told in zip(models, await STREAMING[way](house.url, models), strict=True):
        status, word = REFUSALS[model.partition("/")[2]]
        assert told.raised is not None, model
        assert (told.raised.code, told.raised.status) == (status, word), model
        assert isinstance(told.raised, errors.ClientError if status < 500 else errors.ServerError)


async def test_an_error_before_content_keeps_its_retry_after(house: House) -> None:
    for provider in UPSTREAMS:
        async with house.http.post(house.url + path(f"{provider}/sim:fault=status@429:7"), json=BODY) as response:
            assert (response.status, response.headers["retry-after"]) == (429, "7")
            assert (await response.json())["error"]["code"] == 429


@pytest.mark.parametrize("provider", UPSTREAMS)
async def test_a_stop_in_the_middle_raises(house: House, provider: str) -> None:
    asking = asyncio.ensure_future(STREAMING["async"](house.url, [f"{provider}/sim:tokens=4000,rate=200"]))
    await house.sim.until(lambda sim: bool(sim.requests) and sim.requests[-1].events_sent >= 10)
    async with house.http.get(house.url + "/streams") as listed:
        (stream,) = (await listed.json())["data"]
    async with house.http.post(f"{house.url}/streams/{stream['id']}/stop") as stopped:
        assert (await stopped.json())["ending"] == "cancelled"
    (told,) = await asking
    assert told.raised is not None
    assert (told.raised.code, told.raised.status) == (499, "CANCELLED")
    assert told.text
    await house.sim.until(lambda sim: sim.open_connections == 0)


async def test_what_is_told_at_the_end_can_be_read_back(house: House) -> None:
    async with house.http.post(house.url + path("ant/sim:tokens=20,fault=end_event@8"), json=BODY) as response:
        data = await response.read()
    decoder, fold = DIALECTS["gemini"].decoder(Quirks()), Fold()
    for received in decoder.feed(data):
        for event in received.events:
            fold.add(event)
    assert fold.error is not None
    assert (fold.error.ending, fold.error.kind, fold.error.retryable) == ("truncated", "truncated", True)
    assert fold.usage_label == "estimated"


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    @pytest.mark.parametrize("provider", UPSTREAMS)
    async def test_silences_before_and_between_events_break_nothing(self, house: House, provider: str) -> None:
        model = f"{provider}/sim:tokens=12,ttft=0.2,fault=stall_event@6:0.2"
        for way in STREAMING.values():
            (told,) = await way(house.url, [model])
            assert told == truth(model, stream=True)
        async with house.http.post(house.url + path(model), json=BODY) as response:
            data = await response.read()
        assert data.startswith(b"\n\n")
        assert b"\n\n\n\n" in data.lstrip()
