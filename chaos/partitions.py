"""F6 from inside: a relay cut off from its Redis, or from its clients, by packets that are dropped.

Run by `chaos.faults.f06_partitions` in a network namespace of its own (``unshare --net``), where everything is on
loopback and iptables may do what it likes. The two relays reach Redis by different addresses of it, 127.0.0.2 and
127.0.0.3, so that a rule cuts off one of them. Prints one line of JSON for each cell: its name and what was found.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from chaos.checker import Violation, check
from chaos.client import Client, Silence
from chaos.fleet import AOF, Fleet, fleet
from chaos.house import seed
from chaos.truth import truth
from tailrace.simulator import parse

TOKENS, RATE = 60, 15.0
"""Four seconds of answer, the cut in its middle."""

HEAL = 30.0
"""Seconds after the cut is over within which everybody has heard how it ends."""


def _to_redis(redis: int, _relay: int) -> str:
    return f"OUTPUT -p tcp -d 127.0.0.2 --dport {redis} -j DROP"


def _from_redis(redis: int, _relay: int) -> str:
    return f"OUTPUT -p tcp -s 127.0.0.2 --sport {redis} -j DROP"


def _to_clients(_redis: int, relay: int) -> str:
    return f"OUTPUT -p tcp --sport {relay} -j DROP"


def _from_clients(_redis: int, relay: int) -> str:
    return f"OUTPUT -p tcp --dport {relay} -j DROP"


WAYS: dict[str, tuple[Callable[[int, int], str], ...]] = {
    "relay and Redis": (_to_redis, _from_redis),
    "relay to Redis": (_to_redis,),
    "Redis to relay": (_from_redis,),
    "relay and clients": (_to_clients, _from_clients),
    "relay to clients": (_to_clients,),
    "clients to relay": (_from_clients,),
}


async def iptables(change: str, rules: list[str]) -> None:
    """Add (``-A``) or delete (``-D``) rules of this namespace."""
    for rule in rules:
        command = ["iptables", "-w", change, *rule.split()]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)


async def start(ships: Fleet, address: str) -> None:
    """Start one more relay, which knows Redis by ``address``."""
    assert ships.redis is not None
    ships.reaching(f"redis://{address}:{ships.redis.port}/0")
    await ships.start()


async def cut(ships: Fleet, way: str, seconds: float, streams: int) -> list[tuple[str, list[Violation | str]]]:
    """Cut the first relay off for ``seconds`` in the middle of ``streams`` answers; return what became of each."""
    assert ships.redis is not None
    first, second = ships.urls
    numbers = [seed() for _ in range(streams)]
    # A client that hears nothing comes back, at the other relay first.
    clients = [Client([first, second], f"client {number}", patience=4.0, deadline=HEAL + seconds) for number in numbers]
    reading = [
        asyncio.ensure_future(_patiently(client, f"ant/{model(number)}", second))
        for client, number in zip(clients, numbers, strict=True)
    ]
    async with asyncio.timeout(20):
        while not all(client.exchange and b"\nid: 8\n" in client.exchange.raw for client in clients):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    for client in clients:
        assert client.exchange is not None
        client.stream = client.exchange.answer.headers["tailrace-stream-id"]
    port = int(first.rpartition(":")[2])
    rules = [rule(ships.redis.port, port) for rule in WAYS[way]]
    await iptables("-A", rules)
    try:
        await asyncio.sleep(seconds)
    finally:
        await iptables("-D", rules)
    found: list[tuple[str, list[Violation | str]]] = []
    for client, number, read in zip(clients, numbers, reading, strict=True):
        name = f"{way} for {seconds:g} s, stream {client.stream[:6]}"
        try:
            async with asyncio.timeout(HEAL + seconds):
                readers = await read
                found.append((name, await judged(ships, second, client, number, readers)))
        except Exception as error:
            found.append((name, [f"unknown: {type(error).__name__}: {error}"]))
    return found


async def _patiently(client: Client, asked: str, other: str) -> list[Any]:
    """Read to the end; a client that was left in silence is succeeded by one that follows at the other relay."""
    try:
        return [await client.read(asked)]
    except Silence:
        heir = Client([other], f"{client.name}, again", patience=20.0, deadline=60.0)
        return [client.left(), await heir.follow(client.stream)]


async def judged(ships: Fleet, url: str, client: Client, number: int, readers: list[Any]) -> list[Violation | str]:
    """Judge one stream, as the relay that was not cut off tells it: one log, one ending, one bill."""
    records = ships.asked(number)
    told = truth(parse(model(number)), "anthropic", records[-1].bytes_sent if records else 0)
    stream = await ships.evidence(url, client.stream, readers, seeded=number, truth=told, last_words=True)
    if stream.ending != "completed":
        stream.cause = "interrupted"
        assert stream.truth is not None
        stream.truth = stream.truth._replace(either=True)
    return list(check([stream]))


def model(number: int) -> str:
    """Return the simulator's model for one answer."""
    return f"sim:tokens={TOKENS},rate={RATE:g},seed={number}"


async def main(lengths: list[float], ways: list[str], streams: int) -> None:
    """Run the cells and print them."""
    options = {**AOF, "bind": "127.0.0.1 127.0.0.2 127.0.0.3"}
    async with fleet(0, options=options) as ships:
        await start(ships, "127.0.0.2")
        await start(ships, "127.0.0.3")
        for way in ways:
            for seconds in lengths:
                for name, violations in await cut(ships, way, seconds, streams):
                    print(json.dumps({"cell": name, "violations": [str(one) for one in violations]}), flush=True)


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    asyncio.run(main(json.loads(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])))
