"""The real model, where it is installed; with CI=true it must be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from tailrace.demo import LocalModel, LocalUpstream, available
from tailrace.dialects import DIALECTS, Quirks
from tailrace.events import Message, fold
from tests.demo.fakes import FakeSource, asking

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.system,
    pytest.mark.skipif(not available() and not os.environ.get("CI"), reason="the local model is not installed"),
]


@pytest.fixture(scope="module")
def local() -> Iterator[LocalUpstream]:
    weights = available().weights
    assert weights is not None, available().reason
    model = LocalModel(weights)
    model.load()
    yield LocalUpstream(model)
    model.close()


def message(data: bytes) -> Message:
    decoder = DIALECTS["openai_chat"].decoder(Quirks())
    received = [*decoder.feed(data), *decoder.close()]
    assert decoder.ended
    return fold(event for one in received for event in one.events)


async def test_an_answer_decodes_as_any_provider_s(local: LocalUpstream, capfd: pytest.CaptureFixture[str]) -> None:
    source = FakeSource()
    await local.run(asking(max_tokens=12, temperature=0, seed=1, stream_options={"include_usage": True}), source)
    answer = message(source.data)
    assert len(answer.text.split()) >= 4
    assert (answer.model, answer.stop_reason) == ("smollm2-135m", "max_tokens")
    assert (answer.usage.output_tokens, answer.usage_label) == (12, "exact")
    assert b".gguf" not in source.data
    assert source.data.count(b"data: ") > 10
    assert capfd.readouterr().err == ""


async def test_two_requests_are_answered_one_after_the_other(local: LocalUpstream) -> None:
    sources = [FakeSource(), FakeSource()]
    await asyncio.gather(*(local.run(asking(max_tokens=4), source) for source in sources))
    assert [message(source.data).stop_reason for source in sources] == ["max_tokens"] * 2


async def test_a_stop_in_the_middle_frees_the_model_for_the_next(local: LocalUpstream) -> None:
    source = FakeSource()
    task = asyncio.create_task(local.run(asking("Tell me a long story.", max_tokens=2000), source))
    await source.first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    said = source.data.count(b"data: ")
    assert said < 100
    following = FakeSource()
    await local.run(asking(max_tokens=2), following)
    assert message(following.data).text
    assert source.data.count(b"data: ") == said


async def test_a_stop_is_heard_while_a_long_prompt_is_read(local: LocalUpstream) -> None:
    class Accepting(FakeSource):
        def __init__(self) -> None:
            super().__init__()
            self.begun = asyncio.Event()

        def accepted(self) -> None:
            super().accepted()
            self.begun.set()

    source = Accepting()
    task = asyncio.create_task(local.run(asking("word " * 1800), source))
    await source.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.data == b""


async def test_the_event_loop_turns_while_the_model_computes(local: LocalUpstream) -> None:
    turns = 0
    running = asyncio.create_task(local.run(asking(max_tokens=30), FakeSource()))
    while not running.done():
        turns += 1
        await asyncio.sleep(0.001)
    await running
    # Were the lock held while it computes, the loop would turn once for each token.
    assert turns > 5 * 30


async def test_a_prompt_beyond_the_context_is_refused_before_anything_is_accepted(local: LocalUpstream) -> None:
    from tailrace.errors import StatusError

    source = FakeSource()
    with pytest.raises(StatusError, match="exceeds the available context") as caught:
        await local.run(asking("word " * 3000), source)
    assert caught.value.status == 400
    assert source.accepted_times == 0
