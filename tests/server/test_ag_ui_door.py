"""The door of AG-UI, through real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.simulator import expected, frames_of, parse
from tests.dialects.front_end_cases import payloads
from tests.dialects.test_ag_ui_encode import verify
from tests.server.conftest import House
from tests.server.test_ai_sdk_door import LONG, SHAPES, without_ids
from tests.server.test_doors import content, read

pytestmark = pytest.mark.anyio

DOOR = "/ag-ui"


def body(model: str | None, **fields: Any) -> dict[str, Any]:
    props = {} if model is None else {"model": model}
    said = [{"id": "u1", "role": "user", "content": "Hello"}]
    return {"threadId": "t1", "runId": "r1", "messages": said, "forwardedProps": props, **fields}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_a_run_says_what_the_provider_sent(house: House, provider: str, shape: str) -> None:
    async with house.http.post(house.url + DOOR, json=body(f"{provider}/{shape}")) as response:
        data = await response.read()
        assert response.status == 200, data
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["tailrace-dialect"] == "ag_ui"
    message, fold = read("ag_ui", data)
    assert (fold.ended, fold.error) == (True, None)
    assert content(message) == content(expected(parse(shape)))
    events = list(payloads(without_ids(data)))
    verify(events)
    assert {(e["threadId"], e["runId"]) for e in (events[0], events[-1])} == {("t1", "r1")}
    assert b"\r" not in data
    assert b": null" not in data


async def test_a_whole_answer_is_its_messages(house: House) -> None:
    async with house.http.post(house.url + DOOR, json=body("oai/sim-tool", stream=False)) as response:
        assert response.status == 200
        answer = await response.json()
    truth = expected(parse("sim-tool"))
    (said,) = answer["messages"]
    assert said["content"] == truth.text
    assert answer["outcome"]["pendingToolCallIds"] == [call.id for call in truth.tool_calls]


async def test_a_request_without_a_model_gets_the_first_that_is_listed(house: House) -> None:
    for request in (body(None), {**body(None), "forwardedProps": None}):
        async with house.http.post(house.url + DOOR, json=request) as response:
            message, _ = read("ag_ui", await response.read())
        assert message.text == expected(parse("sim")).text
    assert {record.dialect for record in house.sim.requests} == {"anthropic"}


async def test_what_is_left_out_is_listed(house: House) -> None:
    async with house.http.post(house.url + DOOR, json=body("ant/sim", state={"x": 1})) as response:
        assert response.headers["tailrace-ignored"] == "RunAgentInput.state"


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
            _, fold = read("ag_ui", data)
            assert fold.error is not None, (at, data)
            assert fold.error.ending == "truncated"
            events = list(payloads(without_ids(data)))
            verify(events)
            assert events[-1]["type"] == "RUN_ERROR"
        else:
            assert response.status == 502


async def test_an_error_in_the_middle_ends_the_run_as_one(house: House) -> None:
    async with house.http.post(house.url + DOOR, json=body("oai/sim:tokens=20,fault=error@8")) as response:
        message, fold = read("ag_ui", await response.read())
    assert fold.error is not None
    assert (fold.error.kind, fold.error.ending, fold.error.retryable) == ("overloaded", "failed", True)
    assert message.text
    assert message.usage_label == "estimated"


async def test_a_stopped_run_is_cancelled_and_can_be_read_again(house: House) -> None:
    async with house.http.post(house.url + DOOR, json=body(f"ant/{LONG}")) as response:
        await response.content.readuntil(b"TEXT_MESSAGE_CONTENT")
        stream = f"{house.url}/streams/{response.headers['tailrace-stream-id']}"
        async with house.http.post(f"{stream}/stop") as stopped:
            assert (await stopped.json())["ending"] == "cancelled"
        await response.read()
    async with house.http.get(stream) as again:
        data = await again.read()
    events = list(payloads(without_ids(data)))
    verify(events)
    assert (events[-1]["type"], events[-1]["outcome"]) == ("RUN_FINISHED", {"type": "cancelled"})
    _, fold = read("ag_ui", data)
    assert fold.error is not None
    assert fold.error.ending == "cancelled"
