"""What is checked before a store is used, and what is said when it cannot be: one sentence, no secret."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tailrace.errors import ConfigError
from tailrace.log import Durability, RedisSpec
from tailrace.log.redis.connection import Away, Lane
from tailrace.log.redis.durability import Barrier
from tailrace.log.redis.lua import Command
from tailrace.testing.log_parts import Listener, frames, info, soon, until
from tests.log.conftest import opened
from tests.redis_servers import RedisServer, free_port, needs_redis, redis_server

pytestmark = [pytest.mark.anyio, needs_redis]

CANARY = "canary-4711-pässword"


async def refused(spec: RedisSpec) -> str:
    with pytest.raises(ConfigError) as caught:
        async with opened(spec, Listener()):
            pass
    return str(caught.value)


async def test_an_unreachable_redis_is_said() -> None:
    port = free_port()
    told = await refused(RedisSpec(url=f"redis://:{CANARY}@127.0.0.1:{port}/0"))
    assert told == f"the Redis at 127.0.0.1:{port} cannot be used: no connection"


async def test_an_address_that_is_none_is_said() -> None:
    assert await refused(RedisSpec(url=f"redis://:{CANARY}@host:port")) == (
        "log.url: must be an address like redis://localhost:6379/0 (rediss:// with TLS)"
    )


async def test_a_wrong_password_is_said_and_no_password_is_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with redis_server(tmp_path / "locked", password="right") as server:
        where = f"127.0.0.1:{server.port}"
        told = await refused(RedisSpec(url=f"redis://:{CANARY}@{where}/0"))
        assert told == f"the Redis at {where} cannot be used: it refuses the user name or password"
        assert await refused(RedisSpec(url=f"redis://{where}/0")) == (
            f"the Redis at {where} cannot be used: it refuses the user name or password"
        )
        spec = RedisSpec(url=server.url)
        async with opened(spec, Listener()) as store:
            log = await store.create(info(), ids=True)
            log.append(frames(1))
            await until(lambda: log.tail == 1)
            assert "right" not in repr(store) + repr(spec) + repr(vars(store))
    assert CANARY not in caplog.text
    assert "right" not in caplog.text


@contextlib.asynccontextmanager
async def pretending(version: str) -> AsyncIterator[int]:
    """A server that knows INFO and nothing else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(1000):
                told = f"# Server\r\nredis_version:{version}\r\n".encode()
                writer.write(b"$%d\r\n%b\r\n" % (len(told), told))
            writer.close()

    over = asyncio.Event()

    async def until_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        over.set()

    server = await asyncio.start_server(until_over, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await over.wait()


async def test_an_old_server_is_said() -> None:
    async with pretending("5.0.14") as port:
        told = await refused(RedisSpec(url=f"redis://127.0.0.1:{port}"))
        assert told == f"the Redis at 127.0.0.1:{port} is 5.0, logs need 6.2"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "bare") as running:
        yield running


@pytest.mark.parametrize(("level", "warned"), [("D0", []), ("D1", ["redis_not_durable"])])
async def test_a_redis_without_a_file_is_d0_and_that_is_said(
    bare: RedisServer, level: Durability, warned: list[str]
) -> None:
    with capture_logs() as logs:
        async with opened(RedisSpec(url=bare.url, durability=level), Listener()):
            pass
    assert [entry["event"] for entry in logs] == warned


async def test_what_d2_and_d3_need_is_said(bare: RedisServer) -> None:
    where = f"127.0.0.1:{bare.port}"
    for level in ("D2", "D3"):
        told = await refused(RedisSpec(url=bare.url, durability=level))
        assert told == f'log.durability = "{level}" needs `appendonly yes` at the Redis at {where}'
    bare.command("CONFIG", "SET", "appendonly", "yes")
    told = await refused(RedisSpec(url=bare.url, durability="D2"))
    if b"redis_version:7.0" in bare.command("INFO", "server"):
        assert told.startswith(
            f'log.durability = "D2" needs `appendfsync always` at the Redis at {where} (or Redis 7.2'
        )
    bare.command("CONFIG", "SET", "appendfsync", "always")
    async with opened(RedisSpec(url=bare.url, durability="D2"), Listener()) as store:
        log = await store.create(info(), ids=True)
        log.append(frames(1))
        await until(lambda: log.tail == 1)
    told = await refused(RedisSpec(url=bare.url, durability="D3"))
    assert told == (f'log.durability = "D3" needs a replica of the Redis at {where}: no replica has confirmed in time')


async def test_a_server_that_tells_nothing_about_itself_is_taken_at_its_word(tmp_path: Path) -> None:
    options = {"rename-command": 'CONFIG ""', "appendonly": "yes", "appendfsync": "always"}
    with redis_server(tmp_path / "closed", options) as server, capture_logs() as logs:
        async with opened(RedisSpec(url=server.url, durability="D2"), Listener()):
            pass
    assert [entry["event"] for entry in logs] == ["redis_durability_unchecked"]


def test_without_the_extra_the_command_to_get_it_is_said(tmp_path: Path) -> None:
    """And a relay in memory needs none of it: in a process of its own, because here redis-py is loaded already."""
    script = """
import json, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "redis":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import tailrace.cli.compose
from tailrace.errors import ConfigError
from tailrace.log import RedisSpec, redis_store
try:
    redis_store(RedisSpec(url="redis://x"), ttl=1, max_logs=1, max_total=1, max_bytes=1, max_frames=1)
except ConfigError as error:
    print(json.dumps(str(error)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == (
        'log.backend = "redis" needs a package that is not installed: pip install "tailrace[redis]"'
    )


async def test_a_replica_that_goes_away_holds_d3_up_and_no_lower_level(tmp_path: Path) -> None:
    """An acknowledgement that is missing is not stored yet: it is waited for, then said."""
    synced = {"appendonly": "yes", "appendfsync": "always", "repl-diskless-sync-delay": "0"}
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(redis_server(tmp_path / "master", synced))
        replica = stack.enter_context(redis_server(tmp_path / "replica", {"replicaof": f"127.0.0.1 {master.port}"}))

        async def online() -> bool:
            return b"state=online" in await asyncio.to_thread(master.command, "INFO", "replication")

        await soon(online, "the replica")
        listener = Listener()
        strict = RedisSpec(url=master.url, durability="D3", lease=2.0, write_wait=2.0)
        async with (
            opened(strict, listener) as store,
            opened(strict, Listener()) as there,
            opened(RedisSpec(url=master.url, durability="D2"), Listener()) as lax,
        ):
            log, other, easy = [await one.create(info(), ids=True) for one in (store, store, lax)]
            copy = await there.find(log.info.id)
            assert copy is not None
            unwatch = copy.watch(lambda: None)
            replica.pause()
            for one in (log, easy):
                one.append(frames(1))
            await until(lambda: easy.tail == 1)
            # Longer than each node asks the replica for once.
            await asyncio.sleep(0.8)
            # The master has the frame; nobody is shown it, neither here nor at a node that reads it there.
            assert (log.tail, log.read(0, 100), copy.tail) == (0, (b"", 0), 0)
            replica.go_on()
            await until(lambda: log.tail == copy.tail == 1, "the frame")
            unwatch()
            replica.pause()
            other.append(frames(1))
            await until(lambda: other.ending is not None, "the end")
            assert (other.ending, other.tail, listener.cut) == ("interrupted", 0, [other.info.id])
            replica.go_on()


class Told(Lane):
    """A lane to a server that is not here: Debian 12 has no Redis 7.2."""

    def __init__(self, version: str, settings: dict[str, str], confirmed: dict[str, object]) -> None:
        self.version, self.settings, self.confirmed = version, settings, confirmed
        self.sent: list[Command] = []

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        self.sent += commands
        return [self._reply(command) for command in commands]

    async def attempt(self, command: Command) -> Any:
        value = self.settings.get(str(command[2]))
        return value and [b"name", value.encode()]

    def _reply(self, command: Command) -> Any:
        return (
            f"redis_version:{self.version}\r\n".encode()
            if command[0] == "INFO"
            else self.confirmed.get(str(command[0]))
        )


async def test_a_redis_that_can_be_asked_is_asked_whether_it_has_synced() -> None:
    barrier = Barrier(RedisSpec(url="redis://x", durability="D3"))
    lane = Told("7.2.4", {"appendonly": "yes", "appendfsync": "everysec"}, {"WAITAOF": [1, 0], "WAIT": 1})
    await barrier.probe(lane)
    assert [command[:-1] for command in barrier.commands] == [("WAITAOF", 1, 0), ("WAIT", 1)]
    barrier.check([b"whatever", [1, 0], 1])
    for replies, reason in (
        ([b"whatever", [0, 1], 1], "the file was not synced in time"),
        ([b"whatever", [1, 0], 0], "no replica has confirmed in time"),
    ):
        with pytest.raises(Away, match=reason):
            barrier.check(replies)
    lane.settings["appendonly"] = "no"
    with pytest.raises(Away, match="needs `appendonly yes`"):
        await barrier.recheck(lane)


async def test_a_redis_cluster_is_said() -> None:
    with pytest.raises(ConfigError, match="the Redis at x:6379 is a node of a Redis Cluster"):
        await Barrier(RedisSpec(url="redis://x")).probe(Told("7.0.1\r\nredis_mode:cluster", {}, {}))
