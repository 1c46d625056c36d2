"""What storing an event on Redis costs, and how long it takes until it can be read here and at another node.

    PYTHONPATH=src python -m bench.redis_log [--url redis://…] [--streams 100] [--rate 30] [--seconds 5]

Starts a redis-server of its own (append-only file, synced each second) unless one is named. Each of the streams says
one event of 250 bytes ``rate`` times a second, as a model does; ``--rate 0`` says one to each stream in every turn of
the event loop, which is the cost under full load. CPU is this process's own: the writer's and, with a reader at the
second node, both nodes'.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from pathlib import Path

from tests.redis_servers import redis_server

from tailrace.log import Durability, LogStore, RedisSpec, StreamLog, redis_store
from tailrace.testing.log_parts import Listener, info

FRAME = b"event: content_block_delta\ndata: " + b"x" * 215 + b"\n\n"


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Clock:
    """When each frame of a log was said, and how long after that it could be read."""

    def __init__(self, said: list[float], log: StreamLog) -> None:
        self.said = said
        self.log = log
        self.seen = 0
        self.took: list[float] = []
        self.unwatch = log.watch(self._look)

    def _look(self) -> None:
        now = time.perf_counter()
        self.took += [now - at for at in self.said[self.seen : self.log.tail]]
        self.seen = self.log.tail


async def run(
    url: str, streams: int, rate: float, seconds: float, level: Durability, *, follow: bool
) -> dict[str, object]:
    async with contextlib.AsyncExitStack() as stack:
        stores: list[LogStore] = []
        prefix = f"bench{time.monotonic_ns()}:"
        for _ in range(2):
            spec = RedisSpec(url=url, durability=level, prefix=prefix)
            store = redis_store(spec, ttl=10, max_logs=10**4, max_total=2**30, max_bytes=2**26, max_frames=10**6)
            await store.start(Listener())
            stack.push_async_callback(store.aclose)
            stores.append(store)
        here, there = stores
        logs = [await here.create(info(), ids=True) for _ in range(streams)]
        said: list[list[float]] = [[] for _ in logs]
        local = [Clock(times, log) for times, log in zip(said, logs, strict=True)]
        remote = []
        if follow:
            for times, log in zip(said, logs, strict=True):
                copy = await there.find(log.info.id)
                assert copy is not None
                remote.append(Clock(times, copy))
            await asyncio.sleep(0.2)
        loop = asyncio.get_running_loop()
        cpu, began = time.process_time(), loop.time()
        count = 0
        while loop.time() - began < seconds:
            due = int((loop.time() - began) * rate * streams) if rate else count + streams
            while count < due:
                at = count % streams
                said[at].append(time.perf_counter())
                logs[at].append([FRAME])
                count += 1
            if rate:
                await asyncio.sleep(0.001)
            else:
                # Full load, held back as the engine holds its providers: by what is not stored yet.
                await asyncio.sleep(0)
                while sum(log.backlog for log in logs) > 64 * 1024 * streams:  # noqa: ASYNC110 - as an engine would look
                    await asyncio.sleep(0.001)
        while any(log.backlog for log in logs):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        cpu, took = time.process_time() - cpu, loop.time() - began
        await asyncio.sleep(0.3)
        here_ms = [ms * 1000 for clock in local for ms in clock.took]
        there_ms = [ms * 1000 for clock in remote for ms in clock.took]
        return {
            "level": level,
            "streams": streams,
            "rate": rate,
            "followed": follow,
            "events": count,
            "per_second": round(count / took),
            "cpu_us_per_event": round(cpu / count * 1e6, 1),
            "here_ms": [round(percentile(here_ms, share), 2) for share in (0.5, 0.99)],
            "there_ms": [round(percentile(there_ms, share), 2) for share in (0.5, 0.99)] if there_ms else None,
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--level", default="D1")
    parser.add_argument("--fsync", default="everysec")
    parser.add_argument("--follow", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url = options.url
        if not url:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = redis_server(folder, {"appendonly": "yes", "appendfsync": options.fsync})
            url = stack.enter_context(server).url
        work = run(url, options.streams, options.rate, options.seconds, options.level, follow=options.follow)
        print(json.dumps(asyncio.run(work)))


if __name__ == "__main__":
    main()
