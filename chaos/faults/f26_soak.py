"""F26: many streams at once over two relays and one Redis, everything going wrong at random, all of it checked.

The seed decides what each stream asks for, how its provider fails, how its client behaves, and what befalls the relays
and their Redis; the same seed plays the same piece (the machine's own timing aside). One relay is never hurt: it is
weighed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence

import tailrace.simulator.server as simulator
from chaos import raw
from chaos.card import Fault, Run
from chaos.checker import Reader, Stream, Violation, check
from chaos.client import Client
from chaos.fleet import Fleet, fleet
from chaos.house import OWN, PROVIDERS, seed
from chaos.truth import truth
from tailrace.events import Ending
from tailrace.ledger import read
from tailrace.simulator import parse

STREAMS, SECONDS = 200, 1800.0

SLOPE = 1.0
"""Most MB of resident memory that a relay may gain in ten minutes once it is warm."""

TTL = 60.0
"""Seconds a finished stream stays: a relay is warm once the first have gone, after twice that."""

SWEPT = 75.0
"""Seconds within which a living relay closes the rows of one that was killed: it looks every 30 s."""

WEIGHED = 5.0
"""Seconds between two looks at the scales."""

PROVIDER_FAULTS = (
    *[""] * 10,
    ",fault=cut_event@{at}",
    ",fault=rst_event@{at}",
    ",fault=end_event@{at}",
    ",fault=no_terminator",
    ",fault=stall_event@{at}:1",
    ",fault=slow_headers:1",
    ",fault=chunk@16",  # every byte by itself is F1's and F10's: here it would measure the simulator
    ",fault=error@{at}:overloaded",
    ",ttft=1",
)
BEHAVIOURS = (
    *["reads on"] * 5,
    *["drops and comes back"] * 3,
    "is joined",
    "has a viewer",
    "stops it",
    "stops it twice",
)

BLOWS = ("a relay is killed", "a relay is drained", "Redis is frozen for 1 s", "Redis is started again")


class Soak:
    """One soak: its streams and its blows, until the time is over."""

    def __init__(self, this: Run, ships: Fleet, streams: int, seconds: float) -> None:
        self._this = this
        self._ships = ships
        self._streams = streams
        self._over = time.monotonic() + seconds
        self._weights: list[tuple[float, float]] = []
        self._began = time.monotonic()
        self.counts: Counter[str] = Counter()

    def over(self) -> bool:
        """Whether nothing new should begin."""
        return time.monotonic() >= self._over

    async def run(self) -> None:
        """Run everything; leave when all that was begun has been judged."""
        streams = [asyncio.ensure_future(self._one_after_the_other(number)) for number in range(self._streams)]
        blows = asyncio.ensure_future(self._blows())
        scales = asyncio.ensure_future(self._weigh())
        await asyncio.gather(*streams, blows)
        scales.cancel()

    async def _one_after_the_other(self, number: int) -> None:
        rng = random.Random(f"soak {self._this.seed} {number}")
        await asyncio.sleep(rng.uniform(0, 5))
        while not self.over():
            mine = seed()
            door = rng.choice(list(OWN))
            fault = rng.choice(PROVIDER_FAULTS).format(at=rng.randint(1, 20))
            model = f"sim:tokens={rng.randint(10, 80)},rate={rng.choice((5, 10, 20))},seed={mine}{fault}"
            behaviour = rng.choice(BEHAVIOURS)
            self.counts[behaviour] += 1
            await self._this.one(f"{door}, {model}, {behaviour}", self._judged(rng, door, model, mine, behaviour), 180)

    async def _judged(self, rng: random.Random, door: str, model: str, mine: int, behaviour: str) -> list[Violation]:
        ships, target = self._ships, f"{OWN[door]}/{model}"
        client = Client(_turns(rng, ships), "the client", patience=30, deadline=120)
        clients = [client]
        reading = [asyncio.ensure_future(client.read(target, door, f"soak-{mine}"))]
        allowed: set[Ending | str] = {"interrupted"}
        if behaviour == "is joined":
            other = Client(_turns(rng, ships), "who joined", patience=30, deadline=120)
            clients.append(other)
            reading.append(asyncio.ensure_future(other.read(target, door, f"soak-{mine}")))
        if behaviour in {"drops and comes back", "has a viewer", "stops it", "stops it twice"}:
            await asyncio.sleep(rng.uniform(0, 3))
            stream = _name(client)
            if behaviour == "drops and comes back" and client.exchange is not None:
                client.exchange.cut()
            elif behaviour == "has a viewer" and stream:
                viewer = Client(_turns(rng, ships), "a viewer", patience=30, deadline=120)
                clients.append(viewer)
                reading.append(asyncio.ensure_future(viewer.follow(stream, door)))
            elif stream:
                allowed |= {"cancelled", "completed", "truncated", "failed"}
                for _ in range(2 if behaviour == "stops it twice" else 1):
                    await self._stop(rng, stream)
        readers = await asyncio.gather(*reading)
        if client.gone:
            return [Violation("I1", "the stream is gone")]
        if not client.stream:
            return self._refused(client)
        # Whoever asks again for a stream that was lost before it was worth anything begins a new one.
        same = [reader for one, reader in zip(clients, readers, strict=True) if one.stream == client.stream]
        return await self._checked(client, same, door, model, mine, allowed)

    def _refused(self, client: Client) -> list[Violation]:
        self.counts["refused with a status"] += 1
        return [] if client.refused else [Violation("I2", f"never had a name: {client.statuses[-3:]}")]

    async def _stop(self, rng: random.Random, stream: str) -> None:
        try:
            await raw.fetch(rng.choice(self._ships.urls), "POST", f"/streams/{stream}/stop")
        except (OSError, ValueError):
            self.counts["a stop met a dead relay"] += 1

    async def _checked(
        self, client: Client, readers: Sequence[Reader], door: str, model: str, mine: int, allowed: set[str]
    ) -> list[Violation]:
        ships = self._ships
        records = ships.asked(mine)
        dialect = PROVIDERS[OWN[door]][0]
        told = truth(parse(model), dialect, records[-1].bytes_sent if records else 0)
        given = list(readers)
        stream = await ships.evidence(
            ships.urls[0], client.stream, given, door, seeded=mine, truth=told, last_words=True, swept=SWEPT
        )
        if stream.ending == "gone" or stream.ending is None:
            return [Violation("I2", f"its ending is {stream.ending}")]
        self.counts[stream.ending] += 1
        self._lenient(stream, model, allowed)
        return check([stream])

    def _lenient(self, stream: Stream, model: str, allowed: set[str]) -> None:
        """Say which endings are honest here: the truth decides, unless a stop or a dead relay came first."""
        assert stream.truth is not None
        if ",fault=error" in model:
            allowed = allowed | {"failed"}
        # Gemini has no last word but its connection's end, which a cut takes away.
        endless = stream.dialect == "gemini" and ",fault=cut" in model
        if ",fault=rst" in model or endless or stream.ending in allowed:
            stream.truth = stream.truth._replace(either=True)
        if endless or stream.ending in allowed:
            stream.cause = stream.ending
        stream.killed = self.counts["a relay is killed"] > 0
        stream.usage = False
        if stream.attempts != 1:
            # Two streams, or two attempts at one: the provider's record of the other may be the one that is at hand.
            stream.truth = stream.truth._replace(either=True, sure_text="", sure_arguments="")
            stream.cause = stream.ending
        stream.attempts = None  # counted at the end, over all streams: `_bill`

    # ---- what befalls them -----------------------------------------------------------------------------------

    async def _blows(self) -> None:
        rng = random.Random(f"blows {self._this.seed}")
        while not self.over():
            await asyncio.sleep(min(rng.uniform(8, 25), max(0.0, self._over - time.monotonic())))
            if self.over():
                return
            blow = rng.choice(BLOWS)
            self.counts[blow] += 1
            await self._deal(blow)

    async def _deal(self, blow: str) -> None:
        ships = self._ships
        assert ships.redis is not None
        if blow == "Redis is frozen for 1 s":
            ships.redis.pause()
            await asyncio.sleep(1)
            ships.redis.go_on()
        elif blow == "Redis is started again":
            await asyncio.to_thread(ships.redis.stop)
            await asyncio.to_thread(ships.redis.start)
        else:
            # The new one first, as a deploy does it; the first relay is left alone, to be weighed.
            old = ships.nodes[1:]
            await ships.start()
            for node in old:
                node.signal(signal.SIGKILL if blow == "a relay is killed" else signal.SIGTERM)
            await asyncio.gather(*(node.died() for node in old))
            ships.nodes[1:] = [node for node in ships.nodes[1:] if node.code is None]

    async def _weigh(self) -> None:
        while True:
            self._weights.append((time.monotonic() - self._began, self._ships.nodes[0].resident() / 1e6))
            await asyncio.sleep(WEIGHED)

    def slope(self) -> float | None:
        """Return MB gained in ten minutes, by least squares over the time after warming up; None when it was short."""
        warm = [(at, mb) for at, mb in self._weights if at > 2 * TTL + 60]
        if len(warm) < 60:
            return None
        mean_at = sum(at for at, _ in warm) / len(warm)
        mean_mb = sum(mb for _, mb in warm) / len(warm)
        across = sum((at - mean_at) * (mb - mean_mb) for at, mb in warm)
        return across / sum((at - mean_at) ** 2 for at, _ in warm) * 600

    @property
    def heaviest(self) -> float:
        """The most MB that the relay has weighed."""
        return max((mb for _, mb in self._weights), default=0.0)


def _turns(rng: random.Random, ships: Fleet) -> Turns:
    return Turns(rng, ships)


class Turns:
    """The relays there are at the moment, one after the other, beginning anywhere."""

    def __init__(self, rng: random.Random, ships: Fleet) -> None:
        self._turn = rng.randint(0, 1)
        self._ships = ships

    def __iter__(self) -> Turns:
        return self

    def __next__(self) -> str:
        self._turn += 1
        urls = self._ships.urls or [node.url for node in self._ships.nodes]
        return urls[self._turn % len(urls)]


def _name(client: Client) -> str:
    if client.stream or client.exchange is None:
        return client.stream
    return client.exchange.answer.headers.get("tailrace-stream-id", "")


async def _bill(ships: Fleet, dead: int) -> list[Violation]:
    """Every request has its row; a row without a request is one whose relay died between the two."""
    rows = len(await asyncio.to_thread(read, ships.ledger, limit=1_000_000))
    requests = ships.sim.stats()["requests"]
    fine = requests <= rows <= requests + dead * STREAMS
    return [] if fine else [Violation("I4", f"{rows} rows for {requests} requests")]


async def run(this: Run) -> None:
    streams = 20 if this.sample else STREAMS
    seconds = float(os.environ.get("SOAK_SECONDS", 60 if this.sample else SECONDS))
    remembered = simulator.RECENT  # type: ignore[attr-defined]
    simulator.RECENT = 16 * STREAMS  # type: ignore[attr-defined]  # as many as are judged at a time, retries included
    try:
        async with fleet(2, limits={"ttl": TTL}) as ships:
            soak = Soak(this, ships, streams, seconds)
            await soak.run()
            this.cell("every request has its row", await _bill(ships, soak.counts["a relay is killed"]))
    finally:
        simulator.RECENT = remembered  # type: ignore[attr-defined]
    this.figures["seconds"] = round(seconds)
    this.figures["streams at a time"] = streams
    this.figures |= dict(sorted(itertools.islice(soak.counts.items(), 40)))
    this.figures["MB resident, most"] = round(soak.heaviest)
    slope = soak.slope()
    if slope is not None:
        this.figures["MB gained in 10 min"] = round(slope, 2)
        this.cell("memory does not grow", [] if slope <= SLOPE else [Violation("I6", f"{slope:.2f} MB in 10 minutes")])


FAULT = Fault("F26", "everything at once, at random, for half an hour", "no violation; ≤ 1 MB in 10 minutes", run)
