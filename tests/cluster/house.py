"""Two nodes behind nginx, one Redis behind both, and the simulator as their provider."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiohttp

from tailrace.simulator import Simulator
from tests.cluster.nodes import Node, nginx, settings
from tests.redis_servers import RedisServer, redis_server


class House(NamedTuple):
    """The whole of it; ``url`` is the balancer's."""

    url: str
    nodes: tuple[Node, Node]
    sim: Simulator
    redis: RedisServer
    http: aiohttp.ClientSession

    async def live(self, node: Node) -> int:
        """Return how many streams ``node`` is writing."""
        async with self.http.get(f"{node.url}/health/ready") as response:
            return int((await response.json())["streams"])


@contextlib.asynccontextmanager
async def cluster(grace: float, **more: str) -> AsyncIterator[House]:
    """Open a house whose nodes have ``grace`` seconds to drain."""
    with tempfile.TemporaryDirectory(prefix="tailrace-cluster-") as folder, redis_server(Path(folder)) as redis:
        async with Simulator() as sim, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            made = settings(sim.url, redis.url, grace=grace, **more)
            nodes = (Node("one", made), Node("two", made))
            try:
                async with asyncio.TaskGroup() as group:
                    for node in nodes:
                        group.create_task(node.start())
                async with nginx(*nodes) as url:
                    yield House(url, nodes, sim, redis, http)
            finally:
                for node in nodes:
                    await node.stop()
