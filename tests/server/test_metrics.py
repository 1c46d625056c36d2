"""``/metrics``: the numbers after things have happened, who may see them, and what they cost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tailrace.engine import Limits, Readers, Relay, RouteSpec, Secret, Target
from tailrace.server import ServerSpec, create_app
from tailrace.server.measures import MEASURES
from tailrace.simulator import Simulator, bytes_of, parse
from tailrace.testing import serving
from tests.server.conftest import House, providers
from tests.server.test_backpressure import open_lazy_client
from tests.server.test_doors import body
from tests.server.test_openapi import asked
from tests.server.test_sink import Connection, a_log, never, refuses, sink_of

pytestmark = pytest.mark.anyio

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def numbers(house: House, url: str | None = None) -> Numbers:
    """Everything that ``/metrics`` says, by name and labels."""
    async with house.http.get((url or house.url) + "/metrics") as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Numbers, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def answer(house: House, model: str, door: str = "/v1/messages") -> str:
    """Have one answered to its end; return the stream's id."""
    async with house.http.post(house.url + door, json=body(model)) as response:
        await response.read()
        return response.headers["tailrace-stream-id"]


async def test_every_measure_of_the_table_is_there_and_no_other(house: House) -> None:
    async with house.http.get(house.url + "/metrics") as response:
        text = await response.text()
    told = dict(re.findall(r"^# TYPE (tailrace_\S+) (\S+)$", text, re.MULTILINE))
    assert told == {measure.name: measure.kind for measure in MEASURES}
    assert re.search(r"^process_resident_memory_bytes \d", text, re.MULTILINE)


def test_names_say_their_unit_and_what_adds_up() -> None:
    for measure in MEASURES:
        assert (measure.kind == "counter") == measure.name.endswith("_total"), measure.name
        assert measure.help.endswith("."), measure.name
        assert (measure.kind == "histogram") == bool(measure.buckets), measure.name
        if measure.kind == "histogram":
            assert measure.name.endswith("_seconds")
            assert list(measure.buckets) == sorted(measure.buckets)


async def test_answers_are_counted_by_their_ending(house: House) -> None:
    await answer(house, "ant/sim:tokens=20")
    await answer(house, "oai/sim:tokens=20", "/v1/chat/completions")
    await answer(house, "ant/sim:tokens=20,fault=cut_event@9")
    found = await numbers(house)
    ended = "tailrace_generations_total"
    assert of(found, ended, dialect="anthropic", provider="ant", ending="completed") == 1
    assert of(found, ended, dialect="openai_chat", provider="oai", ending="completed") == 1
    assert of(found, ended, dialect="anthropic", provider="ant", ending="truncated") == 1
    assert of(found, "tailrace_first_content_seconds_count", provider="ant") == 2
    assert of(found, "tailrace_generation_seconds_count", provider="ant") == 2
    assert of(found, "tailrace_streams_open") == 0
    assert of(found, "tailrace_logs") == 3
    logs = [await house.relay.store.find(stream) for stream in [*house.relay._ended]]
    assert of(found, "tailrace_log_bytes") == sum(log.size for log in logs if log is not None)


async def test_tokens_are_those_that_the_provider_said(house: House) -> None:
    await answer(house, "ant/sim")
    await answer(house, "ant/sim")
    found = await numbers(house)
    tokens = {"provider": "ant", "model": "sim", "usage": "exact"}
    assert of(found, "tailrace_tokens_total", kind="output", **tokens) == 80
    assert of(found, "tailrace_tokens_total", kind="input", **tokens) == 24


async def test_names_that_clients_make_up_are_one_series(house: House) -> None:
    for tokens in range(3, 9):
        await answer(house, f"ant/sim:tokens={tokens}")
    models = {dict(labels)["model"] for name, labels in await numbers(house) if name == "tailrace_attempts_total"}
    assert models == {"other"}


class TestAttempts:
    @pytest.fixture
    def make_relay(self, limits: Limits) -> Callable[[Simulator], Relay]:
        bad, good = Target("oai", "sim:fault=status@500"), Target("ant", "sim")
        routes = {"two": RouteSpec(name="two", targets=(bad, good))}
        return lambda sim: Relay(providers(sim), routes, limits=limits)

    async def test_each_is_counted_the_answer_once(self, house: House) -> None:
        await answer(house, "two")
        found = await numbers(house)
        attempts = "tailrace_attempts_total"
        failed = {"provider": "oai", "model": "sim:fault=status@500", "ending": "failed"}
        tries = [
            value
            for (name, labels), value in found.items()
            if name == attempts and failed.items() <= dict(labels).items()
        ]
        assert sum(tries) >= 1
        assert of(found, attempts, provider="ant", model="sim", ending="completed", error="") == 1
        assert of(found, "tailrace_generations_total", dialect="anthropic", provider="ant", ending="completed") == 1


async def test_readers_come_leave_and_resume(house: House) -> None:
    stream = await answer(house, "ant/sim")
    async with house.http.get(f"{house.url}/streams/{stream}?after=3") as response:
        rest = await response.read()
    found = await numbers(house)
    assert of(found, "tailrace_readers_total", how="first") == 1
    assert of(found, "tailrace_readers_total", how="resumed") == 1
    assert of(found, "tailrace_readers_open") == 0
    # ``retry:`` is written for the reader alone.
    assert of(found, "tailrace_replayed_bytes_total") == len(rest) - len(b"retry: 1000\n")


async def test_a_running_answer_is_open_and_its_stop_is_measured(house: House) -> None:
    async with house.http.post(
        house.url + "/v1/messages", json=body("ant/sim:tokens=9,fault=stall_event@5")
    ) as response:
        await response.content.readany()
        stream = response.headers["tailrace-stream-id"]
        found = await numbers(house)
        assert of(found, "tailrace_streams_open") == 1
        assert of(found, "tailrace_readers_open") == 1
        async with house.http.post(f"{house.url}/streams/{stream}/stop"):
            pass
        await response.read()
    async with asyncio.timeout(10):
        while of(found := await numbers(house), "tailrace_stop_seconds_count") == 0:
            await asyncio.sleep(0.01)
    assert of(found, "tailrace_stop_seconds_bucket", le="0.25") == 1
    assert of(found, "tailrace_generations_total", dialect="anthropic", provider="ant", ending="cancelled") == 1


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02)

    async def test_they_are_counted(self, house: House) -> None:
        model = "ant/sim:tokens=9,fault=stall_event@5:0.2"
        async with house.http.post(house.url + "/v1/messages", json=body(model)) as response:
            data = await response.read()
        # The provider has none of its own.
        assert b"ping" not in bytes_of(parse("sim:tokens=9"), "anthropic")
        assert of(await numbers(house), "tailrace_heartbeats_total") == data.count(b"event: ping") > 0


async def test_seconds_held_back_are_told_while_they_pass_and_stay_told(house: House) -> None:
    _, writer = await open_lazy_client(house, "ant/sim:tokens=20000")
    blocked = "tailrace_blocked_on_clients_seconds_total"
    async with asyncio.timeout(60):
        while of(found := await numbers(house), "tailrace_streams_blocked") == 0:
            await asyncio.sleep(0.01)
        first = of(found, blocked)
        await asyncio.sleep(0.05)
        second = of(await numbers(house), blocked)
        assert second >= first + 0.05
        house.relay.running[0].stop()
        writer.transport.abort()
        while of(found := await numbers(house), "tailrace_readers_open"):
            await asyncio.sleep(0.01)
    assert of(found, "tailrace_streams_blocked") == 0
    assert of(found, blocked) >= second


@pytest.mark.parametrize(("fault", "stall", "reason"), [(never, 0.01, "stalled"), (refuses, 60.0, "OSError")])
async def test_a_reader_that_is_cut_is_counted_by_its_reason_once(
    fault: Callable[[], Awaitable[None]], stall: float, reason: str
) -> None:
    readers, log = Readers(), a_log()
    log.append([b"data: x\n\n"])
    reader = sink_of(log, Connection(0, fault), stall=stall, readers=readers)
    reader.open()
    async with asyncio.timeout(5):
        await asyncio.wait([reader.finished])
    reader.close()
    assert (readers.open, readers.first, readers.cut) == (0, 1, {reason: 1})


async def test_refusals_are_counted_by_their_reason(house: House) -> None:
    async with house.http.post(house.url + "/v1/messages", json=body("nobody/x")) as response:
        assert response.status == 404
    async with house.http.post(house.url + "/v1/messages", json={}) as response:
        assert response.status == 400
    house.relay.draining = True
    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim")) as response:
        assert response.status == 503
    found = await numbers(house)
    assert of(found, "tailrace_refusals_total", reason="model_not_found") == 1
    assert of(found, "tailrace_refusals_total", reason="invalid_request") == 1
    assert of(found, "tailrace_refusals_total", reason="overloaded") == 1
    assert of(found, "tailrace_draining") == 1


async def test_two_apps_in_one_process_count_for_themselves(house: House) -> None:
    await answer(house, "ant/sim")
    async with serving(Relay(providers(house.sim))) as url:
        other = await numbers(house, url)
    assert not [labels for name, labels in other if name == "tailrace_generations_total"]


async def test_one_of_several_workers_says_which_and_lets_the_next_be_asked() -> None:
    alone = await asked(create_app(Relay({})), "GET", "/metrics")
    assert b"connection" not in alone.headers
    assert b"worker=" not in alone.body
    one = await asked(create_app(Relay({}), worker=3), "GET", "/metrics")
    assert one.headers[b"connection"] == b"close"
    samples = [line for line in one.body.decode().splitlines() if not line.startswith("#")]
    assert samples
    assert all('worker="3"' in line for line in samples)


class TestWhoMaySee:
    async def test_with_keys_only_who_has_one(self, house: House) -> None:
        spec = ServerSpec(port=0, shutdown_grace=0.0, keys=(Secret("sk-client"),))
        async with serving(Relay(providers(house.sim)), spec) as url:
            for headers, status in (({}, 401), ({"x-api-key": "sk-other"}, 401), ({"x-api-key": "sk-client"}, 200)):
                async with house.http.get(url + "/metrics", headers=headers) as response:
                    assert response.status == status

    @pytest.mark.parametrize(("client", "status"), [(("127.0.0.1", 5), 200), (("192.0.2.7", 5), 403), (None, 403)])
    async def test_without_keys_only_this_machine(self, client: tuple[str, int] | None, status: int) -> None:
        assert (await asked(create_app(Relay({})), "GET", "/metrics", client)).status == status


async def test_no_secret_and_no_word_of_a_client_is_in_it(house: House) -> None:
    await answer(house, "ant/sim:tokens=3")
    async with house.http.post(house.url + "/v1/messages", json=body("sk-canary-in-a-model")) as response:
        assert response.status in {400, 404}
    async with house.http.get(house.url + "/metrics") as response:
        assert "canary" not in await response.text()
