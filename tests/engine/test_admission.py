"""What is not begun: work beyond what can be kept."""

from __future__ import annotations

import pytest

from tailrace.engine import Limits
from tailrace.errors import Overloaded
from tests.engine.scripted import Scripted, ask, relay_of

pytestmark = pytest.mark.anyio


async def test_no_more_answers_are_begun_than_may_be_kept() -> None:
    upstream = Scripted(open_ended=True, reads=())
    async with relay_of(upstream, Limits(logs=2)) as relay:
        running = [relay.open(ask("plain", max_tokens=9)).generation for _ in range(2)]
        with pytest.raises(Overloaded):
            relay.open(ask("plain"))
        running[0].stop()
        relay.open(ask("plain"))


async def test_none_is_begun_while_those_that_run_fill_the_memory_for_all() -> None:
    upstream = Scripted(open_ended=True, reads=(b'event: ping\ndata: {"type": "ping"}\n\n' * 100,))
    async with relay_of(upstream, Limits(logs_bytes=1000)) as relay:
        running = relay.open(ask("anthropic")).generation
        while running.log.size < 1000:
            await running.ready()
            running.feed(upstream.reads[0])
        relay.store.sweep()
        with pytest.raises(Overloaded):
            relay.open(ask("anthropic"))
        running.stop()
        relay.store.sweep()
        relay.open(ask("anthropic"))
