"""Any order of appends, closes, names, looks from another node and faults leaves one log, the same for everybody."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.log import RedisSpec, StreamLog
from tailrace.testing.log_parts import Listener, everything, info, soon, stamped, until
from tests.log.conftest import opened
from tests.redis_servers import Proxy, RedisServer, needs_redis, proxied

pytestmark = needs_redis

_runs = itertools.count()

STEP = st.one_of(
    st.tuples(st.just("append"), st.lists(st.integers(0, 3000), max_size=6)),
    st.tuples(st.just("append"), st.lists(st.just(10), min_size=1200, max_size=1200)),
    st.tuples(st.sampled_from(["turn", "drop", "mute", "unmute", "flush", "look", "call", "kill scripts"])),
)


class Run:
    """One stream through one schedule; checks at every step what must hold at every step."""

    def __init__(self, log: StreamLog, proxy: Proxy, server: RedisServer, there: Any) -> None:
        self.log, self.proxy, self.server, self.there = log, proxy, server, there
        self.said: list[bytes] = []
        self.names: list[str] = []
        self.tails = [0]
        self.wrong: list[int] = []
        log.watch(self.check)

    def check(self) -> None:
        """A watcher: what it raised would be the store's to log, so it notes what is wrong."""
        moved = self.log.tail > self.tails[-1] or self.log.ending is not None
        if not moved or everything(self.log) != stamped(self.said[: self.log.tail]):
            self.wrong.append(self.log.tail)
        self.tails.append(self.log.tail)

    async def step(self, what: str, *more: Any) -> None:
        if what == "append":
            frames = [b"data: %d %b\n\n" % (len(self.said) + n, b"x" * size) for n, size in enumerate(more[0])]
            self.said += frames
            self.log.append(frames)
        elif what == "turn":
            await asyncio.sleep(0.003)
        elif what == "drop":
            self.proxy.drop()
        elif what in {"mute", "unmute"}:
            self.proxy.mute = what == "mute"
            # Those whose replies were swallowed wait for ever.
            self.proxy.drop()
        elif what == "flush":
            await asyncio.to_thread(self.server.command, "FLUSHALL")
        elif what == "kill scripts":
            await asyncio.to_thread(self.server.command, "SCRIPT", "FLUSH")
        elif what == "call":
            self.names.append(f"name {len(self.names)}")
            self.log.call(self.names[-1])
        elif what == "look":
            tail = self.log.tail
            copy = await self.there.find(self.log.info.id)
            if copy is not None:
                whole = stamped(self.said)
                assert whole.startswith(everything(copy))
                # A flushed Redis is told again within an interval; else all that can be read here is there.
                assert copy.tail >= tail or self.flushed

    flushed = False


async def play(server: RedisServer, steps: list[tuple[Any, ...]]) -> None:
    prefix = f"p{next(_runs)}:"
    listener = Listener()
    async with proxied(server.port) as proxy:
        spec = RedisSpec(url=proxy.url, prefix=prefix, lease=3.0, write_wait=20.0)
        async with (
            opened(spec, listener) as here,
            opened(RedisSpec(url=server.url, prefix=prefix, lease=3.0), listener) as there,
        ):
            log = await here.create(info(), ids=True)
            run = Run(log, proxy, server, there)
            for step in steps:
                run.flushed = run.flushed or step[0] == "flush"
                await run.step(*step)
            proxy.mute = False
            proxy.drop()
            run.said.append(b"data: last\n\n")
            log.close("completed", run.said[-1:])
            await until(lambda: log.ending is not None, "the end")
            assert everything(log) == stamped(run.said)

            async def same() -> bool:
                copy = await there.find(log.info.id)
                return copy is not None and copy.ending == "completed" and everything(copy) == stamped(run.said)

            await soon(same, "the same log elsewhere")
            for name in run.names:
                named = await there.find_named("me", name)
                assert named is not None
            assert (run.wrong, listener.cut, listener.ended) == ([], [], [])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=st.lists(STEP, max_size=14))
def test_whatever_happens_there_is_one_log(server: RedisServer, steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(play(server, steps))
