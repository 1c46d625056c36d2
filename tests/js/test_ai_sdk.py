"""npm ``ai``, the AI SDK, gets what the provider sent: by its transport, and by the core of ``useChat``."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tailrace.engine import Limits
from tailrace.events import RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolCall
from tailrace.simulator import expected, parse
from tests.clients import checks
from tests.js.new_node import report, way
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SCRIPT = "ai_sdk.mjs"
STREAMING = ["transport", "chat"]

HTTP = dict.fromkeys((401, 404, 429, 500, 529), "ai.APICallError")
PLAIN = dict.fromkeys(HTTP, "ai.Error")

each_way = pytest.mark.parametrize("name", [*STREAMING, "whole"])


@each_way
async def test_answers(house: House, name: str) -> None:
    await checks.answers_are_what_the_provider_sent(house, "ai_sdk", way(SCRIPT, name), checks.SHAPES)


@each_way
async def test_refusals(house: House, name: str) -> None:
    await checks.refusals_are_typed(house, way(SCRIPT, name), PLAIN if name == "whole" else HTTP)


@pytest.mark.parametrize("name", STREAMING)
async def test_streams_that_break_off(house: House, name: str) -> None:
    await checks.what_breaks_off_raises(house, way(SCRIPT, name), "ai.Error")


async def test_whole_answers_that_break_off(house: House) -> None:
    await checks.what_breaks_off_raises(house, way(SCRIPT, "whole"), "ai.Error", whole=True)


def parts(model: str) -> list[dict[str, Any]]:
    """Write the parts of a UI message down by hand, from what the simulator says."""
    found: list[dict[str, Any]] = [{"type": "step-start"}]
    for block in expected(parse(model)).blocks:
        if isinstance(block, ThinkingBlock):
            signed = {"tailrace": {"signature": block.signature}}
            found.append({"type": "reasoning", "text": block.text, "state": "done", "providerMetadata": signed})
        elif isinstance(block, TextBlock):
            found.append({"type": "text", "text": block.text, "state": "done"})
        elif isinstance(block, ToolCall):
            call = {"type": f"tool-{block.name}", "toolCallId": block.id, "state": "input-available"}
            found.append({**call, "input": block.input})
        else:
            assert not isinstance(block, RedactedThinkingBlock)
    return found


@each_way
async def test_the_message_has_the_parts_that_the_provider_sent(house: House, name: str) -> None:
    models = ["ant/sim-thinking", "ant/sim-tool", "ant/sim-tools", "oai/sim-tools"]
    for model, outcome in zip(models, await report(SCRIPT, house.url, name, *models), strict=True):
        found = outcome["message"]["parts"]
        assert [{key: value for key, value in part.items() if key != "id"} for part in found] == parts(model), model
        assert outcome["message"]["id"].startswith("msg_")
        assert outcome["message"]["metadata"]["model"] == model.partition("/")[2]


@each_way
async def test_citations_are_sources(house: House, name: str) -> None:
    model = "ant/sim-citations:tokens=20"
    ((outcome),) = await report(SCRIPT, house.url, name, model)
    sources = [part for part in outcome["message"]["parts"] if part["type"] == "source-document"]
    (block,) = expected(parse(model)).blocks
    assert isinstance(block, TextBlock)
    assert [source["providerMetadata"]["tailrace"]["citation"] for source in sources] == list(block.citations)
    assert {source["title"] for source in sources} == {"The simulated river"}
    assert len({source["sourceId"] for source in sources}) == len(sources) == 4


@pytest.mark.parametrize("name", STREAMING)
async def test_a_page_is_told_how_an_answer_ended(house: House, name: str) -> None:
    model = "ant/sim:tokens=20,fault=cut_event@8"
    (outcome,) = await report(SCRIPT, house.url, name, model)
    assert outcome["message"]["parts"][-1]["state"] == "streaming"
    assert outcome["message"]["metadata"]["usageLabel"] == "estimated"
    if name == "chat":
        (part,) = outcome["data"]
        assert part["type"] == "data-tailrace"
        assert (part["data"]["ending"], part["data"]["retryable"]) == ("truncated", True)


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    async def test_between_events_with_ids(self, house: House) -> None:
        model = "oai/sim-tools:tokens=12,ttft=0.2,fault=stall_event@6:0.2"
        ways = [way(SCRIPT, name) for name in STREAMING]
        await asyncio.gather(
            *(checks.answers_are_what_the_provider_sent(house, "ai_sdk", one, [model]) for one in ways)
        )
        body = {"model": model, "messages": [{"role": "user", "parts": [{"type": "text", "text": "Hello"}]}]}
        async with house.http.post(house.url + "/ui/chat", json=body) as response:
            before, id_line, after = (await response.read()).partition(b"id: 1\n")
        assert id_line
        assert b": hb\n" in before
        assert b": hb\n" in after


# ---- over several requests ------------------------------------------------------------------------------------


async def scene(house: House, name: str, *models: str) -> Any:
    (found,) = await report("ai_sdk_chats.mjs", house.url, name, *models)
    return found


async def test_a_page_that_comes_back_gets_the_whole_answer(house: House) -> None:
    model = "ant/sim:tokens=120,rate=100"
    found = await scene(house, "resumed", model)
    truth = expected(parse(model)).text
    lost = found["lost"]["messages"][1]
    assert 40 < len(lost["parts"][1]["text"]) < len(truth)
    for name in ("fresh", "knowing", "late"):
        page = found[name]
        assert (page["status"], page["error"]) == ("ready", None), name
        user, answer = page["messages"]
        assert (user["role"], answer["id"]) == ("user", lost["id"]), name
        assert [part["type"] for part in answer["parts"]] == ["step-start", "text"], name
        assert answer["parts"][1] == {"type": "text", "text": truth, "state": "done"}, name
    assert len(house.sim.requests) == 1


async def test_a_stopped_chat_is_no_success_and_does_not_go_on_by_itself(house: House) -> None:
    found = await scene(house, "stopped", "ant/sim:tokens=4000,rate=200")
    assert found["finish"] == {"finishReason": "interrupted", "isError": False, "isAbort": False}
    assert (found["status"], found["posts"]) == ("ready", 1)
    assert found["data"][0]["data"]["ending"] == "cancelled"
    assert found["messages"][1]["parts"][1]["state"] == "streaming"
    assert found["messages"][1]["metadata"]["usageLabel"] == "estimated"
    assert (found["stop"]["ending"], found["statuses"]) == ("cancelled", [200, 204])
    await house.sim.until(lambda sim: sim.open_connections == 0)
    assert house.sim.requests[-1].state == "closed_by_client"


async def test_a_chat_whose_page_runs_the_tools(house: House) -> None:
    first, second = "ant/sim-tools:tokens=12", "oai/sim:tokens=8"
    found = await scene(house, "tools", first, second)
    assert (found["asked"], found["status"], found["error"]) == (2, "ready", None)
    user, answer = found["messages"]
    assert (user["role"], answer["role"]) == ("user", "assistant")
    kinds = [part["type"] for part in answer["parts"]]
    assert kinds == ["step-start", "tool-get_weather", "tool-get_weather", "tool-get_time", "step-start", "text"]
    assert answer["parts"][-1]["text"] == expected(parse(second)).text
    sent = json.loads(house.sim.requests[-1].body)["messages"]
    calls = expected(parse(first)).tool_calls
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "tool", "tool"]
    assert [(c["id"], json.loads(c["function"]["arguments"])) for c in sent[1]["tool_calls"]] == [
        (call.id, call.input) for call in calls
    ]
    assert [m["tool_call_id"] for m in sent[2:]] == [call.id for call in calls]
    assert [m["content"] for m in sent[2:]] == ['{"degrees":21}', '{"degrees":21}', "no clock"]
