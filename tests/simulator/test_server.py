"""The simulator on its port, seen by a bare socket."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tailrace.dialects import DIALECTS
from tailrace.simulator import Scenario, Simulator, bytes_of, expected, frames_of, model_names
from tailrace.simulator.actions import Close, Head
from tailrace.simulator.connection import Connection
from tailrace.simulator.plan import plan
from tests.simulator.reading import PATHS, answer, connected, get, request_body

pytestmark = pytest.mark.anyio

DIALECT_NAMES = sorted(PATHS)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
async def test_a_stream_is_the_scenarios_bytes_each_event_a_write(dialect: str) -> None:
    scenario = Scenario(name="sim-thinking:seed=5", shape="thinking", seed=5)
    async with Simulator() as simulator:
        said = await answer(simulator, dialect, scenario.name)
        assert (said.status, said.end) == (200, "end")
        assert said.headers["content-type"].startswith("text/event-stream")
        assert said.headers["request-id"] == "req_sim_000000000005"
        assert said.body == bytes_of(scenario, dialect)
        assert list(said.writes) == frames_of(scenario, dialect)
        (record,) = simulator.requests
        assert (record.state, record.dialect, record.scenario, record.status) == ("completed", dialect, scenario, 200)
        assert record.bytes_sent == len(said.body)
        assert record.events_sent == len(said.writes)
        assert record.closed.is_set()


async def test_usage_is_streamed_to_those_who_ask() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        body = request_body("openai_chat", "sim")
        for included in (True, False):
            body["stream_options"] = {"include_usage": included}
            await client.send("POST", "/v1/chat/completions", msgspec.json.encode(body))
            assert (b'"usage":{' in (await client.answer()).body) == included


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
async def test_without_stream_the_answer_is_json(dialect: str) -> None:
    async with Simulator() as simulator:
        said = await answer(simulator, dialect, "sim", stream=False)
        assert said.headers["content-type"] == "application/json"
        assert expected(Scenario()).text in str(msgspec.json.decode(said.body))


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize(
    ("model", "status", "says"),
    [("gpt-5", 404, "sim-tool"), ("sim:colour=red", 400, "tokens"), ("sim:fault=fire", 400, "cut_event")],
)
async def test_a_model_that_is_not_there_is_said_in_the_dialect(
    dialect: str, model: str, status: int, says: str
) -> None:
    async with Simulator() as simulator:
        said = await answer(simulator, dialect, model)
        assert said.status == status
        assert says in msgspec.json.decode(said.body)["error"]["message"]
        assert simulator.stats()["completed"] == 1


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b"[" * 100_000, 400),
        (b'{"model": 3}', 400),
        (b" " * 2001, 413),
    ],
    ids=["nothing", "half", "list", "empty", "deep", "number", "large"],
)
async def test_a_wrong_body_is_refused_in_the_dialect(dialect: str, body: bytes, status: int) -> None:
    async with Simulator(max_body=200_000 if status == 400 else 2000) as simulator, connected(simulator) as client:
        await client.send("POST", PATHS[dialect], body)
        said = await client.answer()
        assert said.status == status
        assert msgspec.json.decode(said.body)["error"]["message"]
        await client.ask(dialect, "sim")
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("prefix", ["", "/proxy/anything"])
async def test_any_base_url_will_do(prefix: str) -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        for dialect, path in PATHS.items():
            await client.send("POST", prefix + path, msgspec.json.encode(request_body(dialect, "sim")))
            assert (await client.answer()).status == 200
        await client.send("POST", prefix + "/chat/completions", msgspec.json.encode(request_body("openai_chat", "sim")))
        assert (await client.answer()).status == 200
        await client.send("GET", prefix + "/v1/models")
        assert (await client.answer()).status == 200
        assert simulator.open_connections == 1


async def test_where_there_is_no_door() -> None:
    async with Simulator() as simulator:
        async with connected(simulator) as client:
            await client.send("DELETE", "/v1/messages")
            assert (await client.answer()).status == 404
            await client.send("POST", "/v1/nothing")
            said = await client.answer()
            assert said.status == 404
            assert "/v1/messages" in msgspec.json.decode(said.body)["error"]["message"]
        assert simulator.requests == []


async def test_what_is_no_http_is_answered_and_closed() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        client.writer.write(b"nonsense\r\n\r\n")
        assert (await client.head())[0] == 400
        assert await client.reader.read() == b""


async def test_the_models_are_listed() -> None:
    async with Simulator() as simulator:
        status, models = await get(simulator, "/v1/models")
        assert status == 200
        assert [model["id"] for model in models["data"]] == model_names()
        status, models = await get(simulator, "/v1beta/models")
        assert [model["name"] for model in models["models"]] == [f"models/{name}" for name in model_names()]


async def test_a_page_of_another_origin_may_ask_but_not_look_behind() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        await client.send("OPTIONS", "/v1/messages", b"", "access-control-request-headers: x-api-key, content-type")
        allowed = await client.answer()
        assert allowed.status == 200
        assert allowed.headers["access-control-allow-headers"] == "x-api-key, content-type"
        await client.ask("anthropic", "sim")
        assert (await client.answer()).headers["access-control-allow-origin"] == "*"
        await client.ask("anthropic", "no model")
        assert (await client.answer()).headers["access-control-allow-origin"] == "*"
        for path in ("/simulator", "/simulator/requests"):
            await client.send("GET", path)
            assert "access-control-allow-origin" not in (await client.answer()).headers


async def test_any_model_can_be_let_in() -> None:
    async with Simulator(scenario=Scenario(shape="tool"), any_model=True) as simulator:
        said = await answer(simulator, "anthropic", "claude-haiku-4-5")
        assert said.body == bytes_of(Scenario(name="claude-haiku-4-5", shape="tool"), "anthropic")


async def test_the_counts() -> None:
    async with Simulator() as simulator:
        sent = len((await answer(simulator, "anthropic", "sim")).body)
        sent += len((await answer(simulator, "openai_chat", "sim:fault=cut@10")).body)
        status, counts = await get(simulator, "/simulator")
        assert status == 200
        assert counts == {
            "requests": 2,
            "open": 0,
            "completed": 1,
            "faults": 1,
            "client_closed": 0,
            "connections": 1,
            "bytes_sent": sent,
            "blocked": 0,
            "blocked_seconds": 0.0,
        }


async def test_requests_are_shown_without_their_headers_values() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        body = msgspec.json.encode(request_body("anthropic", "sim"))
        await client.send("POST", "/v1/messages", body, "x-api-key: canary", "anthropic-version: 2023-06-01")
        await client.answer()
        assert simulator.requests[0].headers["x-api-key"] == "canary"
        await client.send("GET", "/simulator/requests")
        said = await client.answer()
        assert b"canary" not in said.body
        (shown,) = msgspec.json.decode(said.body)
        assert shown["headers"] == ["anthropic-version", "content-length", "host", "x-api-key"]
        assert msgspec.json.decode(shown["body"])["model"] == "sim"
        assert shown["state"] == "completed"
        assert "canary" not in repr(simulator.requests)


async def test_only_the_last_requests_are_remembered() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        for _ in range(300):
            await client.send("POST", "/v1/messages", b"{}")
            await client.answer()
        assert simulator.stats()["requests"] == 300
        assert [record.id for record in simulator.requests] == list(range(45, 301))


async def test_requests_on_one_connection_are_answered_in_turn() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        for seed in range(10):
            await client.ask("anthropic", f"sim:seed={seed}")
        for seed in range(10):
            scenario = Scenario(name=f"sim:seed={seed}", seed=seed)
            assert (await client.answer()).body == bytes_of(scenario, "anthropic")


async def test_too_many_waiting_requests_are_not_kept() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        for _ in range(18):
            await client.ask("anthropic", "sim:fault=hang")
        assert (await client.head())[0] == 429
        await simulator.until(lambda s: s.open_connections == 0)


async def test_an_old_client_gets_an_unframed_body() -> None:
    async with Simulator() as simulator, connected(simulator) as client:
        body = msgspec.json.encode(request_body("anthropic", "sim"))
        client.writer.write(b"POST /v1/messages HTTP/1.0\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        said = await client.answer()
        assert said.headers["connection"] == "close"
        assert said.body == bytes_of(Scenario(), "anthropic")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_the_rate_is_kept_by_the_clock() -> None:
    clock = Clock()
    async with Simulator(sleep=clock.sleep, clock=clock) as simulator:
        await answer(simulator, "anthropic", "sim:tokens=101,rate=50,ttft=3")
        assert clock.now == pytest.approx(5.0)
        assert clock.slept[0] == 3.0
        assert simulator.requests[0].since == 0.0


async def test_a_late_wake_up_is_made_up_for() -> None:
    clock = Clock()

    async def oversleep(seconds: float) -> None:
        await clock.sleep(seconds + 0.005)

    async with Simulator(sleep=oversleep, clock=clock) as simulator:
        await answer(simulator, "anthropic", "sim:tokens=101,rate=50")
        assert clock.now == pytest.approx(2.0, abs=0.01)


async def test_time_spent_blocked_is_not_made_up_for() -> None:
    clock = Clock()

    class Slow(Connection):
        """A connection whose reader takes 100 seconds for the first write."""

        def head(self, _head: Head) -> None:
            pass

        def body(self, _data: bytes) -> None:
            pass

        async def writable(self) -> bool:
            clock.now = max(clock.now, 100.0)
            return True

    simulator = Simulator(sleep=clock.sleep, clock=clock)
    actions = plan(Scenario(tokens=11, rate=10.0), DIALECTS["anthropic"])
    assert await simulator._play(Slow(simulator), actions, None) == Close("end")
    assert clock.now == pytest.approx(101.0)
    assert len(clock.slept) == 10


async def test_stopping_the_simulator_ends_what_is_open() -> None:
    simulator = Simulator()
    async with simulator, connected(simulator) as client:
        await client.ask("anthropic", "sim:fault=stall@10")
        await client.head()
        (record,) = simulator.requests
        await simulator.close()
        assert (record.state, record.closed.is_set()) == ("stopped", True)
        assert simulator.open_connections == 0


async def test_a_mistake_of_the_simulator_is_loud_and_no_endless_wait() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    async with Simulator() as simulator, connected(simulator) as client:
        simulator.scenario = Scenario(shape="no such shape")
        await client.ask("anthropic", "sim")
        assert (await client.answer()).end == "fin"
        assert simulator.requests[0].state == "crashed"
    assert [type(context["exception"]) for context in told] == [KeyError]
