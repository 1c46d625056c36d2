"""F4: Redis is stopped, killed, frozen, flushed, or comes back without its data, while answers are being written.

Readers go on from memory; writes wait up to their cap; whoever can no longer be served is told so: by last words, by a
410 or a 404. Nobody waits in silence, and nobody gets frames that do not fit what they hold.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from tests.redis_servers import RedisServer

from chaos.card import Fault, Run
from chaos.checker import Stream, Violation, check
from chaos.client import Client
from chaos.fleet import Fleet, fleet
from chaos.house import seed
from chaos.truth import truth
from tailrace.simulator import parse

STREAMS = 24
TOKENS, RATE = 60, 15.0
"""Four seconds of answer: the fault comes in the middle of all of them, and every one is at another place."""

TOLD = 20.0
"""Seconds within which everybody has heard something: the cap of writes (5 s), twice the lease (4 s), and their sum
again for a machine that does other things."""


class Blow(NamedTuple):
    """What is done to Redis; ``loses`` says that its data may be gone afterwards."""

    name: str
    deal: Callable[[RedisServer], Awaitable[None]]
    loses: bool = False


async def _term(redis: RedisServer, away: float = 0.0) -> None:
    await asyncio.to_thread(redis.stop)
    await asyncio.sleep(away)
    await asyncio.to_thread(redis.start)


async def _kill(redis: RedisServer, away: float = 0.0, *, lose: bool = False) -> None:
    await asyncio.to_thread(redis.kill)
    if lose:
        for data in redis.folder.iterdir():
            if data.is_dir():
                shutil.rmtree(data)
    await asyncio.sleep(away)
    await asyncio.to_thread(redis.start)


async def _freeze(redis: RedisServer, seconds: float) -> None:
    redis.pause()
    await asyncio.sleep(seconds)
    redis.go_on()


async def _flush(redis: RedisServer) -> None:
    await asyncio.to_thread(redis.command, "FLUSHALL")


BLOWS = (
    Blow("SIGTERM, started again", _term),
    Blow("SIGTERM, started again after 3 s", lambda redis: _term(redis, 3)),
    Blow("SIGTERM, started again after 8 s", lambda redis: _term(redis, 8)),
    Blow("kill -9, started again", _kill),
    Blow("kill -9, started again after 3 s", lambda redis: _kill(redis, 3)),
    Blow("kill -9, started again without its data", lambda redis: _kill(redis, lose=True), loses=True),
    Blow("frozen for 1 s", lambda redis: _freeze(redis, 1)),
    Blow("frozen for 5 s", lambda redis: _freeze(redis, 5)),
    Blow("frozen for 9 s", lambda redis: _freeze(redis, 9)),
    Blow("FLUSHALL", _flush, loses=True),
)


async def run(this: Run) -> None:
    async with fleet(2) as ships:
        for blow in this.pick(list(BLOWS), 1):
            await _dealt(this, ships, blow)


async def _dealt(this: Run, ships: Fleet, blow: Blow) -> None:
    assert ships.redis is not None
    urls = ships.urls
    mine = [seed() for _ in range(STREAMS // (3 if this.sample else 1))]
    clients = []
    reading = []
    for place, number in enumerate(mine):
        # Every other one loses nothing but its Redis; the rest come back at the other relay whenever they must.
        client = Client(urls if place % 2 else urls[:1], f"client {number}", patience=TOLD, deadline=60)
        clients.append(client)
        reading.append(asyncio.ensure_future(client.read(f"ant/{_model(number)}")))
        await asyncio.sleep(2.0 / len(mine))
    begun = clients[: len(mine) // 2]
    while not all(client.exchange and b"\n\n" in client.exchange.raw for client in begun):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    followers = []
    watching = []
    for client in begun:
        assert client.exchange is not None
        stream = client.exchange.answer.headers["tailrace-stream-id"]
        follower = Client(urls[1:], f"follower of {stream[:8]}", patience=TOLD, deadline=60)
        followers.append(follower)
        watching.append(asyncio.ensure_future(follower.follow(stream)))
    await blow.deal(ships.redis)
    results: list[Any] = await asyncio.gather(*reading, return_exceptions=True)
    views: list[Any] = await asyncio.gather(*watching, return_exceptions=True)
    views += [None] * (len(results) - len(views))
    for client, number, result, view in zip(clients, mine, results, views, strict=True):
        named = f"{blow.name}, stream {number}"
        await this.one(named, _judged(ships, blow, client, number, [r for r in (result, view) if r is not None]))


def _model(number: int) -> str:
    return f"sim:tokens={TOKENS},rate={RATE:g},seed={number}"


async def _judged(ships: Fleet, blow: Blow, client: Client, number: int, results: list[Any]) -> list[Violation]:
    for result in results:
        if isinstance(result, BaseException):
            raise result
    records = ships.asked(number)
    told = truth(parse(_model(number)), "anthropic", records[-1].bytes_sent if records else 0)
    stream = await ships.evidence(
        ships.nodes[0].url, client.stream, results, seeded=number, truth=told, last_words=True
    )
    if stream.ending == "gone" and blow.loses:
        return _without_a_log(stream, results)
    if stream.ending != "completed":
        stream.cause = "interrupted"
        assert stream.truth is not None
        stream.truth = stream.truth._replace(either=True)
    return check([stream])


def _without_a_log(stream: Stream, results: list[Any]) -> list[Violation]:
    """The stream's data is gone: its readers must agree on every frame, and have been told."""
    held: dict[int, bytes] = {}
    seen = [frame for reader in results for connection in reader.connections for frame in connection.frames]
    found = [
        Violation("I1", f"frame {frame.number} differs between readers")
        for frame in seen
        if frame.number and held.setdefault(frame.number, frame.data) != frame.data
    ]
    stream.log = [held[number] for number in sorted(held)]
    if sorted(held) != list(range(1, len(held) + 1)):
        found.append(Violation("I1", "there are gaps"))
    return found


FAULT = Fault("F4", "Redis stopped, killed, frozen, flushed", "readers go on, or are told; never silence", run)
