"""What is not begun: work beyond what can be kept."""

from __future__ import annotations

import asyncio

import pytest

from tailrace.engine import Limits
from tailrace.errors import Overloaded
from tests.engine.scripted import READS, Scripted, ask, relay_of, running

pytestmark = pytest.mark.anyio


async def test_no_more_answers_are_begun_than_may_be_kept() -> None:
    upstream = Scripted(open_ended=True, reads=())
    async with relay_of(upstream, Limits(logs=2)) as relay:
        begun = [await running(relay, ask("plain", max_tokens=9)) for _ in range(2)]
        with pytest.raises(Overloaded):
            await relay.open(ask("plain"))
        begun[0].stop()
        await relay.open(ask("plain"))


async def test_none_is_begun_while_those_that_run_fill_the_memory_for_all() -> None:
    upstream = Scripted(open_ended=True, reads=(*READS[:4], READS[3] * 100))
    async with relay_of(upstream, Limits(logs_bytes=1000)) as relay:
        begun = await running(relay, ask("anthropic"))
        while begun.log.size < 1000:
            await asyncio.sleep(0)
        relay.store.sweep()
        with pytest.raises(Overloaded):
            await relay.open(ask("anthropic"))
        begun.stop()
        relay.store.sweep()
        await relay.open(ask("anthropic"))
