"""A provider that is a list: what it brings, read by read, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tailrace.engine import Ask, Call, Generation, Limits, ProviderSpec, Relay, Source
from tailrace.simulator import frames_of, parse

READS = tuple(frames_of(parse("sim:tokens=6"), "anthropic"))
"""A whole answer in Anthropic's dialect, event by event."""


class Scripted:
    """An `Upstream` that brings ``reads``, then raises ``failure``, or waits for its end, or closes."""

    def __init__(
        self, reads: Sequence[bytes] = READS, *, failure: Exception | None = None, open_ended: bool = False
    ) -> None:
        self.reads = reads
        self.failure = failure
        self.open_ended = open_ended
        self.runs = 0
        self.cancelled = False

    async def run(self, call: Call, source: Source) -> None:
        """Bring the answer."""
        self.runs += 1
        try:
            source.accepted()
            for data in self.reads:
                source.feed(data)
                await source.ready()
            if self.failure is not None:
                raise self.failure
            if self.open_ended:
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    async def aclose(self) -> None:
        """Nothing is kept."""


def relay_of(upstream: Scripted, limits: Limits | None = None) -> Relay:
    """Return a relay whose one provider is ``upstream``."""
    spec = ProviderSpec(name="ant", dialect="anthropic", models=("m",))
    return Relay({"ant": spec}, upstreams={"ant": upstream}, limits=limits)


async def running(relay: Relay, asked: Ask) -> Generation:
    """Begin an answer; return what carries it."""
    opened = await relay.open(asked)
    generation = relay.generation(opened.log.info.id)
    assert generation is not None
    return generation


def ask(dialect: str, **more: object) -> Ask:
    """Return a request for that provider at the door of ``dialect``."""
    question = [{"role": "user", "content": "Hello?"}]
    body = {"model": "ant/m", "messages": question, "max_tokens": 9, "stream": True, **more}
    if dialect == "openai_responses":
        body = {"model": "ant/m", "input": "Hello?", "stream": True, **more}
    return Ask(dialect=dialect, body=body, owner="me")
