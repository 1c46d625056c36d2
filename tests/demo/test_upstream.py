"""The local model's upstream, with a runtime that is scripted."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tailrace.demo import LocalModel, LocalUpstream
from tailrace.demo.handover import CAPACITY
from tailrace.errors import ConnectError, ProviderError, StatusError
from tests.demo.fakes import PROGRESS, FakeRuntime, FakeSource, Gate, asking, chunk

pytestmark = pytest.mark.anyio

WEIGHTS = Path("/somewhere/weights.gguf")


def upstream(runtime: FakeRuntime, **options: Any) -> LocalUpstream:
    return LocalUpstream(LocalModel(WEIGHTS, loader=lambda _: runtime, **options))


def events(data: bytes) -> list[Any]:
    *frames, tail = data.decode().split("\n\n")
    assert tail == ""
    assert frames.pop() == "data: [DONE]"
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


async def test_chunks_become_server_sent_events_without_the_file_s_path() -> None:
    runtime, source = FakeRuntime([PROGRESS, chunk("Hé"), chunk("llo\n")]), FakeSource()
    await upstream(runtime).run(asking(), source)
    assert [event["choices"][0]["delta"]["content"] for event in events(source.data)] == ["Hé", "llo\n"]
    assert {event["model"] for event in events(source.data)} == {"smollm2-135m"}
    assert b"somewhere" not in source.data
    assert source.accepted_times == 1
    assert runtime.thread.startswith("tailrace-local-model")


async def test_a_request_without_a_limit_gets_one_and_a_sign_of_life_is_asked_for() -> None:
    runtime = FakeRuntime([chunk("a")])
    await upstream(runtime).run(asking(user="u", temperature=None), FakeSource())
    (request,) = runtime.requests
    assert request["max_tokens"] == 512
    assert request["return_progress"] is True
    assert request["stream"] is True
    assert not {"model", "user", "temperature"} & set(request)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_that_is_asked_for_is_kept(name: str) -> None:
    runtime = FakeRuntime([chunk("a")])
    await upstream(runtime).run(asking().with_field(name, 3), FakeSource())
    assert {key: value for key, value in runtime.requests[0].items() if "max" in key} == {name: 3}


@pytest.mark.parametrize("field", ["return_progress", "id_slot", "n_predict", "lora", "verbose", "grammar"])
async def test_fields_of_the_runtime_s_own_are_refused_by_name(field: str) -> None:
    runtime = FakeRuntime([chunk("a")])
    with pytest.raises(StatusError, match=f"does not take {field}") as caught:
        await upstream(runtime).run(asking().with_field(field), FakeSource())
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request")
    assert runtime.requests == []


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
async def test_what_the_runtime_cannot_read_is_the_client_s_mistake(error: type[Exception]) -> None:
    source = FakeSource()
    with pytest.raises(StatusError, match="'messages' to be an array") as caught:
        await upstream(FakeRuntime(error=error(f"Expected 'messages' to be an array in {WEIGHTS}"))).run(
            asking(), source
        )
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request")
    assert str(WEIGHTS) not in str(caught.value)
    assert source.accepted_times == 0


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ({"code": 400, "message": "exceeds the context"}, 400, "invalid_request"),
        ({"code": 500, "message": "out of memory"}, 500, "upstream"),
        ({"message": "what"}, 500, "upstream"),
        ({"code": 0}, 500, "upstream"),
    ],
)
async def test_an_error_that_the_runtime_reports_keeps_its_status(
    error: dict[str, Any], status: int, kind: str
) -> None:
    source = FakeSource()
    with pytest.raises(StatusError) as caught:
        await upstream(FakeRuntime([{"error": error}])).run(asking(), source)
    assert (caught.value.status, caught.value.kind) == (status, kind)
    assert source.accepted_times == 0


async def test_an_error_in_the_middle_ends_without_the_terminal_marker() -> None:
    source = FakeSource()
    with pytest.raises(ProviderError):
        await upstream(FakeRuntime([chunk("a"), {"error": {"code": 500, "message": "m"}}])).run(asking(), source)
    assert b'"content":"a"' in source.data
    assert b"[DONE]" not in source.data


@pytest.mark.parametrize("error", [ImportError("no module"), RuntimeError(f"cannot read {WEIGHTS}")])
async def test_weights_that_cannot_be_loaded_are_an_unreachable_provider(error: Exception) -> None:
    def loader(_: Path) -> FakeRuntime:
        raise error

    model = LocalModel(WEIGHTS, loader=loader)
    with pytest.raises(ConnectError, match="could not be loaded") as caught:
        await LocalUpstream(model).run(asking(), FakeSource())
    assert str(WEIGHTS) not in str(caught.value)
    with pytest.raises(ConnectError):
        model.load()


async def test_the_weights_are_loaded_once() -> None:
    loads: list[Path] = []

    def loader(weights: Path) -> FakeRuntime:
        loads.append(weights)
        return FakeRuntime([chunk("a")])

    model = LocalModel(WEIGHTS, loader=loader)
    model.load()
    local = LocalUpstream(model)
    await asyncio.gather(*(local.run(asking(), FakeSource()) for _ in range(3)))
    assert loads == [WEIGHTS]


async def test_a_stop_reaches_the_runtime_with_its_next_chunk() -> None:
    gate = Gate(3)
    runtime, source = FakeRuntime([chunk("a")] * 9, before=gate), FakeSource()
    task = asyncio.create_task(upstream(runtime).run(asking(), source))
    await gate.reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (runtime.said, runtime.stops) == (3, 1)
    assert b"[DONE]" not in source.data


async def test_a_stop_waits_for_the_thread_however_often_it_is_cancelled() -> None:
    gate = Gate(1)
    runtime = FakeRuntime([chunk("a")] * 2, before=gate)
    task = asyncio.create_task(upstream(runtime).run(asking(), FakeSource()))
    await gate.reached.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert runtime.stops == 1


async def test_a_stop_while_the_prompt_is_read_is_heard_at_the_next_sign_of_life() -> None:
    gate = Gate(1)
    runtime, source = FakeRuntime([PROGRESS, PROGRESS, chunk("a")], before=gate), FakeSource()
    task = asyncio.create_task(upstream(runtime).run(asking(), source))
    await gate.reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (runtime.said, runtime.stops, source.data) == (1, 1, b"")


async def test_one_that_is_stopped_before_its_turn_never_reaches_the_runtime() -> None:
    gate = Gate(0)
    runtime = FakeRuntime([chunk("a")], before=gate)
    local = upstream(runtime)
    running = asyncio.create_task(local.run(asking("first"), FakeSource()))
    await gate.reached.wait()
    waiting = asyncio.create_task(local.run(asking("second"), FakeSource()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.open()
    await running
    assert len(runtime.requests) == 1


async def test_more_than_can_wait_are_told_to_come_back() -> None:
    gate = Gate(0)
    runtime = FakeRuntime([chunk("a")], before=gate)
    local = upstream(runtime, waiting=1)
    tasks = [asyncio.create_task(local.run(asking(), FakeSource())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StatusError, match="1 are waiting already") as caught:
        await local.run(asking(), FakeSource())
    assert (caught.value.status, caught.value.kind, caught.value.retry_after) == (503, "overloaded", 5.0)
    gate.open()
    await asyncio.gather(*tasks)
    await local.run(asking(), FakeSource())


async def test_a_reader_that_is_held_up_holds_the_runtime_up() -> None:
    begun = threading.Event()
    runtime = FakeRuntime([chunk("a")] * 100, before=lambda number: begun.set() if number == 1 else None)
    source = FakeSource(held=True)
    task = asyncio.create_task(upstream(runtime).run(asking(), source))
    await source.first.wait()
    await asyncio.to_thread(begun.wait)
    # Nothing is taken any more, so no more can ever be said than what lay ready at the pause and what fits since.
    assert runtime.said <= 1 + 2 * CAPACITY
    source.release()
    await task
    assert len(events(source.data)) == 100


async def test_closing_stops_what_runs_and_drops_what_waits() -> None:
    runtime = FakeRuntime([chunk("a")] * 10_000)
    local, source = upstream(runtime), FakeSource(held=True)
    running = asyncio.create_task(local.run(asking(), source))
    await source.first.wait()
    waiting = asyncio.create_task(local.run(asking(), FakeSource()))
    await asyncio.sleep(0)
    await local.aclose()
    source.release()
    done = await asyncio.gather(running, waiting, return_exceptions=True)
    assert runtime.stops == 1
    assert b"[DONE]" not in source.data
    assert isinstance(done[1], ConnectError)
