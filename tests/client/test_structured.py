"""Structured answers and tool calls: both colours, straight and through a relay, whole, cut and resumed."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel

from tailrace.errors import (
    BadRequest,
    InvalidOutput,
    LocalProtocolError,
    StreamCancelled,
    StreamFailed,
    StreamTruncated,
    TruncatedJSON,
)
from tailrace.events import ToolCall
from tailrace.partial_json import Completed, replay
from tailrace.structured import Partial
from tests.client import relay as wire
from tests.client.colours import connect
from tests.client.conftest import House

pytestmark = pytest.mark.anyio
URL = "http://relay.test"
LOOK = {"type": "object", "properties": {"up": {"type": "boolean"}}, "required": ["up"], "additionalProperties": False}


class Row(BaseModel):
    name: str
    depth: int
    open: bool
    note: str | None


class River(BaseModel):
    title: str
    rows: list[Row]


class Weather(BaseModel):
    place: str
    days: int


def text_frames(*pieces: str, reason: str = "end_turn") -> list[bytes]:
    return [
        wire.START, *wire.THINKING, wire.text_start(), *(wire.text(piece) for piece in pieces), wire.TEXT_STOP,
        wire.finish(reason), wire.STOP,
    ]  # fmt: skip


def call_frames(*pieces: str, name: str = "look", reason: str = "tool_use") -> list[bytes]:
    block = {"type": "tool_use", "id": "t1", "name": name, "input": {}}
    deltas = [
        wire.frame("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": piece})
        for piece in pieces
    ]
    start = wire.frame("content_block_start", index=0, content_block=block)
    stop = wire.frame("content_block_stop", index=0)
    return [wire.START, start, *deltas, stop, wire.finish(reason), wire.STOP]


def asking(colour: str, frames: list[bytes], **options: Any) -> Any:
    return connect(colour, wire.Relay(frames, step=7, **options), URL)


RIVER = ['{"title": "Sl', 'ow", "rows": [{"name": "we', 'ir", "depth": 1', '2, "open": tr', 'ue, "note": null}]}']


async def test_partial_shows_the_fields_that_have_arrived(colour: str) -> None:
    seen = []
    async with asking(colour, text_frames(*RIVER)) as client, client.stream(model="m", messages="?") as stream:
        async for partial in stream.partial(River):
            assert isinstance(partial, Partial)
            seen.append((partial.title, [dict(vars(row)) for row in partial.rows or ()]))
    assert seen == [
        ("Sl", []),
        ("Slow", [{"name": "we"}]),
        ("Slow", [{"name": "weir"}]),
        ("Slow", [{"name": "weir", "depth": 12}]),
        ("Slow", [{"name": "weir", "depth": 12, "open": True, "note": None}]),
    ]


async def test_the_output_is_asked_for_and_validated(colour: str) -> None:
    server = wire.Relay(text_frames(*RIVER))
    async with connect(colour, server, URL) as client:
        river = await client.create(model="m", messages="?", output=River)
    assert river == River(title="Slow", rows=[Row(name="weir", depth=12, open=True, note=None)])
    wanted = json.loads(server.requests[0].content)["output_config"]["format"]
    assert wanted["type"] == "json_schema"
    assert wanted["schema"]["additionalProperties"] is False
    assert wanted["schema"]["$defs"]["Row"]["additionalProperties"] is False


async def test_effort_and_output_are_said_together(colour: str) -> None:
    server = wire.Relay(text_frames("[1]"))
    async with connect(colour, server, URL) as client:
        schema = {"type": "array"}
        assert await client.create(model="m", messages="?", output=schema, output_config={"effort": "low"}) == [1]
        assert json.loads(server.requests[0].content)["output_config"] == {
            "effort": "low", "format": {"type": "json_schema", "schema": schema},
        }  # fmt: skip
        with pytest.raises(BadRequest, match="give one"):
            await client.create(model="m", messages="?", output=schema, output_config={"format": {}})


async def test_a_straight_provider_is_asked_in_its_own_words(colour: str) -> None:
    requests = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(json.loads(request.content))
        body = 'data: {"choices":[{"index":0,"delta":{"content":"[4]"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=body)

    async with connect(colour, answer, URL, dialect="openai_chat", api_key="sk-test") as client:
        assert await client.create(model="m", messages="?", output=list[int]) == [4]
    schema = {"type": "array", "items": {"type": "integer"}}
    assert requests[0]["response_format"]["json_schema"]["schema"] == schema


async def test_what_was_asked_for_is_what_partial_and_output_take(colour: str) -> None:
    server = asking(colour, text_frames(*RIVER))
    async with server as client, client.stream(model="m", messages="?", output=River) as stream:
        partials = [partial async for partial in stream.partial()]
        assert partials[-1].rows[0].depth == 12
        assert (await stream.get_final_output()).rows[0].depth == 12


async def test_a_wrong_field_ends_it_before_the_answer_is_over(colour: str) -> None:
    pieces = ['{"title": "x", "rows": [{"name": "a", "depth": "deep"', *RIVER]
    async with asking(colour, text_frames(*pieces)) as client, client.stream(model="m", messages="?") as stream:
        with pytest.raises(InvalidOutput) as caught:
            async for _ in stream.partial(River):
                pass
        assert (caught.value.path, caught.value.tool) == ("/rows/0/depth", None)
        assert "integer" in caught.value.reason
        assert caught.value.partial.text == pieces[0]
        assert stream.ending is None


@pytest.mark.parametrize(
    ("pieces", "reason", "cause"),
    [
        (['{"title": "Slow"'], "breaks off", TruncatedJSON),
        (["Sure! {}"], "'S' instead of a value", ValueError),
        (['{"title": "a", "title": "b", "rows": []}'], "the key 'title' again", ValueError),
        (['{"title": "Slow"}'], "Field required", ValueError),
    ],
)
async def test_what_is_no_such_document_never_becomes_one(
    colour: str, pieces: list[str], reason: str, cause: type[Exception]
) -> None:
    frames = text_frames(*pieces, reason="max_tokens")
    async with asking(colour, frames) as client, client.stream(model="m", messages="?", output=River) as stream:
        with pytest.raises(InvalidOutput, match=reason):
            async for _ in stream.partial():
                pass
        with pytest.raises(InvalidOutput, match=reason) as caught:
            await stream.get_final_output()
    assert caught.value.partial.stop_reason == "max_tokens"
    assert isinstance(caught.value.__cause__, cause)


async def test_an_answer_without_a_document_is_no_empty_one(colour: str) -> None:
    async with asking(colour, call_frames("{}")) as client:
        async with client.stream(model="m", messages="?") as stream:
            with pytest.raises(InvalidOutput, match="there is none; the answer stopped with tool_use"):
                async for _ in stream.fields():
                    pass
            with pytest.raises(InvalidOutput, match="there is none"):
                await stream.get_final_output(River)
            with pytest.raises(LocalProtocolError, match="no output was asked for"):
                await stream.get_final_output()
        async with client.stream(model="m", messages="?") as stream:
            with pytest.raises(InvalidOutput, match="'feel': there is none"):
                async for _ in stream.partial(tool="feel"):
                    pass


async def test_fields_rebuild_the_document(colour: str) -> None:
    async with asking(colour, text_frames(*RIVER)) as client, client.stream(model="m", messages="?") as stream:
        events = [event async for event in stream.fields()]
    assert replay(events) == json.loads("".join(RIVER))
    assert isinstance(events[-1], Completed)
    assert events[-1].path == ()


async def test_the_arguments_of_a_named_call_are_a_document_too(colour: str) -> None:
    frames = call_frames('{"pl', 'ace": "Oslo", "days"', ": 3}")
    async with asking(colour, frames) as client:
        async with client.stream(model="m", messages="?") as stream:
            seen = [(partial.place, partial.days) async for partial in stream.partial(Weather, tool="look")]
        async with client.stream(model="m", messages="?") as stream:
            fields = [event async for event in stream.fields(tool="look")]
    assert seen == [(None, None), ("Oslo", None), ("Oslo", 3)]
    assert replay(fields) == {"place": "Oslo", "days": 3}


TOOLS = [{"name": "look", "input_schema": LOOK}]


async def test_a_call_is_yielded_when_it_is_whole(colour: str) -> None:
    frames = call_frames('{"up"', ": tr", "ue}")
    async with asking(colour, frames) as client, client.stream(model="m", messages="?", tools=TOOLS) as stream:
        calls = []
        async for call in stream.tool_calls():
            calls.append(call)
            assert stream.message.stop_reason is None
        assert calls == [ToolCall("t1", "look", '{"up": true}', {"up": True})]
        assert tuple(calls) == stream.message.tool_calls


async def test_a_call_without_arguments_has_none(colour: str) -> None:
    async with asking(colour, call_frames(name="now")) as client:
        async with client.stream(model="m", messages="?") as stream:
            assert [call.input async for call in stream.tool_calls()] == [{}]
        async with client.stream(model="m", messages="?", tools=[{"name": "now", "input_schema": LOOK}]) as stream:
            with pytest.raises(InvalidOutput, match=r"arguments of 'now'.*required"):
                _ = [call async for call in stream.tool_calls()]


@pytest.mark.parametrize(
    ("arguments", "path", "reason"),
    [
        ('{"up": tru', "", "breaks off"),
        ('{"up": true', "", "breaks off"),
        ('{"up": 1}', "/up", 'not of type "boolean"'),
        ('{"up": true, "down": 1}', "/down", "does not allow"),
        ("{}", "", "required"),
        ("{'up': true}", "", "not JSON"),
        ('{"up": true}}', "", "not JSON"),
        ('{"up": false, "up": true}', "", "again"),
    ],
)
async def test_a_call_that_may_not_run_is_never_yielded(colour: str, arguments: str, path: str, reason: str) -> None:
    frames = call_frames(*arguments)
    async with asking(colour, frames) as client, client.stream(model="m", messages="?", tools=TOOLS) as stream:
        calls = stream.tool_calls()
        with pytest.raises(InvalidOutput, match=reason) as caught:
            await anext(calls)
    assert (caught.value.path, caught.value.tool) == (path, "look")
    assert caught.value.partial.id == "msg_1"


async def test_a_broken_stream_yields_no_call(colour: str) -> None:
    body = b"".join(call_frames('{"up": ', "true}")[:4])  # all of the arguments, not their end

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    client = connect(colour, answer, URL, dialect="anthropic", api_key="k")
    async with client, client.stream(model="m", messages="?") as stream:
        with pytest.raises(StreamTruncated):
            _ = [call async for call in stream.tool_calls()]


async def test_stopping_ends_the_partials_without_an_error(colour: str, house: House) -> None:
    shown = 0
    client, model = connect(colour, None, house.url), "ant/sim-json:tokens=5000,rate=500"
    async with client, client.stream(model=model, messages="?", output=River) as stream:
        async for _ in stream.partial():
            shown += 1
            if shown == 3:
                await stream.stop()
        assert stream.ending == "cancelled"
        with pytest.raises(StreamCancelled):
            await stream.get_final_output()


async def test_an_answer_that_fails_is_told_as_that(colour: str, house: House) -> None:
    client, model = connect(colour, None, house.url), "oai/sim-json:tokens=30,fault=error@9:overloaded"
    async with client, client.stream(model=model, messages="?", output=River) as stream:
        with pytest.raises(StreamFailed):
            _ = [partial async for partial in stream.partial()]


async def test_a_tool_without_a_name_is_for_the_server_to_refuse(colour: str) -> None:
    client, tools = asking(colour, call_frames("{}")), [{"input_schema": LOOK}]
    async with client, client.stream(model="m", messages="?", tools=tools) as stream:
        assert [call.input async for call in stream.tool_calls()] == [{}]


@pytest.mark.parametrize("after", range(1, 14))
async def test_a_resumed_stream_shows_the_document_whole(colour: str, after: int) -> None:
    server = wire.Relay(text_frames(*RIVER))
    async with connect(colour, server, URL) as client, client.resume(wire.STREAM_ID, after) as stream:
        partials = [partial async for partial in stream.partial(River)]
    assert partials[-1].rows[0].depth == 12
    assert partials[-1].title == "Slow"


@pytest.mark.parametrize("after", range(1, 6))
async def test_a_resumed_stream_yields_the_calls_that_were_not_whole(colour: str, after: int) -> None:
    frames = call_frames('{"up"', ": true}")
    async with connect(colour, wire.Relay(frames), URL) as client, client.resume(wire.STREAM_ID, after) as stream:
        calls = [call.input async for call in stream.tool_calls()]
    assert calls == ([{"up": True}] if after < 5 else [])


@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_through_a_relay(colour: str, provider: str, house: House) -> None:
    asked = {"messages": "?", "max_tokens": 500}
    async with connect(colour, None, house.url) as client:
        async with client.stream(model=f"{provider}/sim-json:tokens=60", output=River, **asked) as stream:
            shown = [partial async for partial in stream.partial()][-1]
            river = await stream.get_final_output()
        assert (shown.title, len(shown.rows)) == (river.title, len(river.rows)) == (river.title, 7)
        async with client.stream(model=f"{provider}/sim-tools:tokens=40", **asked) as stream:
            names = [(call.name, call.complete) async for call in stream.tool_calls()]
        assert [name for name, _ in names][-1] == "get_time"
        assert len(names) == 3
        async with client.stream(model=f"{provider}/sim-tool:tokens=40", **asked) as stream:
            tool = (await stream.get_final_message()).tool_calls[0].name
        async with client.stream(model=f"{provider}/sim-tool:tokens=40", **asked) as stream:
            places = [partial.place async for partial in stream.partial(Weather, tool=tool)]
    assert len(set(places)) > 2
    requests = [json.loads(request.body) for request in house.simulator.requests]
    assert any("json_schema" in json.dumps(body) for body in requests)
