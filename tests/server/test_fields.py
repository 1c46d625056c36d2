"""A stream seen by its fields, for clients too thin to parse half a document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.partial_json import Began, Completed, Event, Grew, replay
from tailrace.simulator import expected, parse
from tailrace.sse import Decoder
from tests.server.conftest import House
from tests.server.test_doors import DOORS, body
from tests.server.test_streams import begin

pytestmark = pytest.mark.anyio


def said(data: bytes) -> list[tuple[int, str, dict[str, Any]]]:
    """Return the events as (number, name, data)."""
    return [(int(event.id), event.type, json.loads(event.data)) for event in Decoder().feed(data)]


def path_of(pointer: str) -> tuple[str | int, ...]:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return tuple(int(part) if part.isdigit() else part for part in parts)


def rebuilt(events: list[tuple[int, str, dict[str, Any]]], block: int) -> Any:
    """Rebuild the document of a block from what a thin client sees: containers from their members alone."""
    row: list[Event] = []
    for _, name, data in events:
        if data.get("block") != block:
            continue
        path = path_of(data["path"]) if "path" in data else ()
        if name == "began":
            row.append(Began(path, data["kind"]))
        elif name == "grew":
            row.append(Grew(path, data["text"]))
        elif name == "completed" and "value" in data and not isinstance(data["value"], str):
            row.append(Completed(path, data["value"]))
    return replay(row)


async def fields_of(house: House, stream_id: str, after: int = 0) -> tuple[int, bytes]:
    async with house.http.get(f"{house.url}/streams/{stream_id}/fields?after={after}") as response:
        return response.status, await response.read()


@pytest.mark.parametrize("provider", ["ant", "oai"])
@pytest.mark.parametrize("door", DOORS)
async def test_the_document_is_rebuilt_from_its_paths(house: House, door: str, provider: str) -> None:
    request = body(f"{provider}/sim-json:tokens=60") if door != "plain" else {"model": f"{provider}/sim-json:tokens=60"}
    request |= {"prompt": "x"} if door == "plain" else {}
    async with house.http.post(house.url + DOORS[door], json=request) as response:
        await response.read()
    status, data = await fields_of(house, response.headers["tailrace-stream-id"])
    events = said(data)
    truth = json.loads(expected(parse("sim-json:tokens=60")).text)
    assert status == 200
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert rebuilt(events, 0) == truth
    assert events[-2][1:] == ("whole", {"block": 0, "value": truth})
    assert events[-1][1:] == ("end", {"ending": "completed"})


async def test_tool_arguments_have_their_tools_name(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim-tools:tokens=60")
    await response.read()
    events = said((await fields_of(house, stream_id))[1])
    calls = expected(parse("sim-tools:tokens=60")).tool_calls
    whole = [(data["tool"], data["value"]) for _, name, data in events if name == "whole" and "tool" in data]
    assert whole == [(call.name, call.input) for call in calls if call.json]


async def test_it_follows_a_live_stream_and_resumes_by_its_own_cursor(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim-json:tokens=60,rate=300")
    status, live = await fields_of(house, stream_id)
    await response.read()
    events = said(live)
    assert (status, events[-1][1]) == (200, "end")
    for after in (0, 1, len(events) // 2, len(events) - 1):
        _, data = await fields_of(house, stream_id, after)
        assert said(data) == events[after:]
    assert (await fields_of(house, stream_id, len(events)))[0] == 204
    assert (await fields_of(house, stream_id, len(events) + 1))[0] == 410


async def test_prose_is_said_once_to_be_none(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim")
    await response.read()
    names = [name for _, name, _ in said((await fields_of(house, stream_id))[1])]
    assert names == ["invalid", "end"]


async def test_an_error_and_its_ending_are_told(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim-json:tokens=60,fault=cut_event@30")
    await response.read()
    events = said((await fields_of(house, stream_id))[1])
    names = [name for _, name, _ in events]
    assert "error" in names
    assert "whole" not in names
    assert events[-1][2] == {"ending": "truncated"}
