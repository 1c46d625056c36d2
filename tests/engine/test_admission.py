"""What is not begun: work beyond what can be kept."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tailrace.engine import Limits
from tailrace.errors import Mismatch, Overloaded
from tailrace.log import Claim
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


async def test_what_runs_already_can_be_joined_when_nothing_can_be_begun() -> None:
    upstream = Scripted(open_ended=True, reads=())
    mine = msgspec.structs.replace(ask("plain", max_tokens=9), claim=Claim("mine", "said"))
    another = msgspec.structs.replace(mine, claim=Claim("another", "said"))
    async with relay_of(upstream, Limits(logs=1)) as relay:
        begun = await running(relay, mine)
        joined = await relay.open(mine)
        assert joined.joined
        assert joined.log is begun.log
        with pytest.raises(Overloaded):
            await relay.open(another)
        held = await relay.store.find_claimed("me", "mine")
        assert held is not None
        assert relay.join(mine, held).log is begun.log
        with pytest.raises(Mismatch):
            relay.join(msgspec.structs.replace(mine, claim=Claim("mine", "other words")), held)
        assert await relay.store.find_claimed("me", "another") is None


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
