"""npm ``@ag-ui/client`` gets what the provider sent, with its verifier on and without one warning."""

from __future__ import annotations

import asyncio
import json

import pytest

from tailrace.engine import Limits
from tailrace.simulator import expected, parse
from tests.clients import checks
from tests.js.new_node import report, way
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SCRIPT = "ag_ui.mjs"

CLASSES = dict.fromkeys((401, 404, 429, 500, 529), "ag_ui.Error")

each_way = pytest.mark.parametrize("name", ["agent", "whole"])


@each_way
async def test_answers(house: House, name: str) -> None:
    await checks.answers_are_what_the_provider_sent(house, "ag_ui", way(SCRIPT, name), checks.SHAPES)


@each_way
async def test_refusals(house: House, name: str) -> None:
    await checks.refusals_are_typed(house, way(SCRIPT, name), CLASSES)


async def test_streams_that_break_off(house: House) -> None:
    await checks.what_breaks_off_raises(house, way(SCRIPT, "agent"), "ag_ui.Error")


async def test_whole_answers_that_break_off(house: House) -> None:
    await checks.what_breaks_off_raises(house, way(SCRIPT, "whole"), "ag_ui.Error", whole=True)


async def test_an_answer_is_one_message_and_its_reasoning_another(house: House) -> None:
    models = ["ant/sim-thinking", "ant/sim-tool", "oai/sim-tool"]
    thinking, *tools = await report(SCRIPT, house.url, "agent", *models)
    reasoning, said = thinking["messages"]
    truth = expected(parse(models[0]))
    assert (reasoning["role"], reasoning["content"]) == ("reasoning", truth.thinking)
    assert reasoning["encryptedValue"] == truth.blocks[0].signature  # type: ignore[union-attr]
    assert (said["role"], said["content"]) == ("assistant", truth.text)
    truth = expected(parse(models[1]))
    for outcome in tools:
        (message,) = outcome["messages"]
        assert message["content"] == truth.text
        assert [call["id"] for call in message["toolCalls"]] == [call.id for call in truth.tool_calls]
        assert outcome["pending"] == [call.id for call in truth.tool_calls]


async def test_the_run_has_the_names_that_the_client_gave(house: House) -> None:
    (outcome,) = await report(SCRIPT, house.url, "agent", "ant/sim")
    first, *_, last = outcome["events"]
    for event in (first, last):
        assert (event["threadId"], event["runId"]) == ("thread 1", "run 1")
    assert first["protocolVersion"] == "1.0"


async def test_citations_are_events_of_their_own(house: House) -> None:
    model = "ant/sim-citations:tokens=20"
    (outcome,) = await report(SCRIPT, house.url, "agent", model)
    said = [event["value"] for event in outcome["events"] if event["type"] == "CUSTOM"]
    (block,) = expected(parse(model)).blocks
    assert [value["citation"] for value in said] == list(block.citations)  # type: ignore[union-attr]
    assert {value["messageId"] for value in said} == {outcome["messages"][0]["id"]}


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    async def test_between_events_with_ids(self, house: House) -> None:
        model = "oai/sim-tools:tokens=12,ttft=0.2,fault=stall_event@6:0.2"
        await checks.answers_are_what_the_provider_sent(house, "ag_ui", way(SCRIPT, "agent"), [model])
        body = {
            "threadId": "t",
            "runId": "r",
            "messages": [{"id": "1", "role": "user", "content": "Hello"}],
            "forwardedProps": {"model": model},
        }
        async with house.http.post(house.url + "/ag-ui", json=body) as response:
            before, id_line, after = (await response.read()).partition(b"id: 1\n")
        assert id_line
        assert b": hb\n" in before
        assert b": hb\n" in after


# ---- over several runs ----------------------------------------------------------------------------------------


async def test_a_front_end_that_runs_the_tools(house: House) -> None:
    models = ("oai/sim-tools:tokens=12", "ant/sim:tokens=8")
    (found,) = await report("ag_ui_runs.mjs", house.url, "tools", *models)
    calls = expected(parse(models[0])).tool_calls
    assert found["first"]["pending"] == [call.id for call in calls]
    assert (found["second"]["outcome"], found["second"]["pending"]) == ("success", [])
    assert found["messages"][-1]["content"] == expected(parse(models[1])).text
    sent = json.loads(house.sim.requests[-1].body)["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert [(block["id"], block["input"]) for block in sent[1]["content"]] == [(call.id, call.input) for call in calls]
    assert [block["tool_use_id"] for block in sent[2]["content"]] == [call.id for call in calls]
    assert [block.get("is_error", False) for block in sent[2]["content"]] == [False, False, True]


async def test_a_stop_is_the_protocols_own_unless_a_call_is_open(house: House) -> None:
    models = ("ant/sim:tokens=4000,rate=200", "ant/sim-tools:tokens=4000,rate=200")
    (found,) = await report("ag_ui_runs.mjs", house.url, "stopped", *models)
    text, call = found
    assert text["outcome"] == "cancelled"
    assert expected(parse(models[0])).text.startswith(text["messages"][-1]["content"])
    assert (call["code"], call["marks"]["ending"]) == ("cancelled", "cancelled")
    assert "outcome" not in call
    await asyncio.wait_for(house.sim.until(lambda sim: sim.open_connections == 0), 10)
