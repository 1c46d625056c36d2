"""Real Redis servers for tests: on free ports, in temporary folders, to be paused, killed and brought back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

WAIT = 10.0


def missing() -> str | None:
    """Return why there can be no Redis here; with CI=true a missing one fails the tests instead."""
    if shutil.which("redis-server") is None and not os.environ.get("CI"):
        return "redis-server is not installed"
    return None


needs_redis = pytest.mark.skipif(missing() is not None, reason=missing() or "")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def call(port: int, *words: str, timeout: float = 1.0) -> bytes:
    """Send one command over a connection of its own and return the raw reply: independent of the code under test."""
    with socket.create_connection(("127.0.0.1", port), timeout) as sock:
        parts = [word.encode() for word in words]
        sock.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        sock.settimeout(timeout)
        return sock.recv(65536)


class RedisServer:
    """One redis-server. ``options`` are lines of its configuration file: ``{"appendonly": "yes"}``."""

    def __init__(self, folder: Path, options: dict[str, str] | None = None, *, password: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.password = password
        self.options = options or {}
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it on its port, with the data that its folder holds."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "save": '""'} | self.options
        if self.password:
            options |= {"requirepass": self.password, "masterauth": self.password}
        config = self.folder / "redis.conf"
        if not config.exists():
            # Sentinels have their decisions written into it: later starts must find them.
            config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self._run(["redis-server", str(config)])

    def _run(self, command: list[str]) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + WAIT
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            # "-NOAUTH" is an answer, too; "-LOADING" is not.
            return call(self.port, "PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def command(self, *words: str) -> bytes:
        return call(self.port, *words)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()


class Sentinel(RedisServer):
    """A redis-sentinel that watches one master."""

    def __init__(self, folder: Path, master: RedisServer, *, name: str, down_after: float) -> None:
        super().__init__(folder)
        self.master = master
        self.name = name
        self.down_after = down_after

    def start(self) -> None:
        ms = int(self.down_after * 1000)
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.folder}",
            f"sentinel monitor {self.name} 127.0.0.1 {self.master.port} 2",
            f"sentinel down-after-milliseconds {self.name} {ms}",
            f"sentinel failover-timeout {self.name} {ms * 4}",
        ]
        config = self.folder / "sentinel.conf"
        if not config.exists():
            config.write_text("\n".join(lines) + "\n")
        self._run(["redis-server", str(config), "--sentinel"])


class Cluster:
    """A master, a replica and three sentinels, which take about ``down_after`` seconds to notice a dead master."""

    name = "mymaster"

    def __init__(self, folder: Path, options: dict[str, str] | None = None, *, down_after: float = 0.5) -> None:
        self.redis = [RedisServer(folder / "a", dict(options or {})), RedisServer(folder / "b", dict(options or {}))]
        self.redis[1].options["replicaof"] = f"127.0.0.1 {self.redis[0].port}"
        for server in self.redis:
            server.options |= {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}
        self.sentinels = [
            Sentinel(folder / f"s{n}", self.redis[0], name=self.name, down_after=down_after) for n in range(3)
        ]

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple(("127.0.0.1", sentinel.port) for sentinel in self.sentinels)

    def start(self) -> None:
        for server in (*self.redis, *self.sentinels):
            server.start()
        self.wait_synced()

    def master(self) -> RedisServer:
        """Return the server that most sentinels call the master."""
        told = [call(one.port, "SENTINEL", "get-master-addr-by-name", self.name) for one in self.sentinels]
        return max(self.redis, key=lambda server: sum(b"%d" % server.port in reply for reply in told))

    def fail_over(self) -> None:
        """Have the sentinels make the replica the master, as soon as they think that it can be one."""
        before, deadline = self.master(), time.monotonic() + 4 * WAIT
        while not call(self.sentinels[0].port, "SENTINEL", "FAILOVER", self.name).startswith(b"+OK"):
            assert time.monotonic() < deadline, "no failover was begun"
            time.sleep(0.1)
        while self.master() is before:
            assert time.monotonic() < deadline, "no failover took place"
            time.sleep(0.02)

    def replica(self) -> RedisServer:
        master = self.master()
        return next(server for server in self.redis if server is not master)

    def wait_synced(self) -> None:
        """Wait until the replica follows the master and every sentinel knows it and its fellows."""
        deadline = time.monotonic() + 3 * WAIT
        while not self._synced():
            assert time.monotonic() < deadline, "the replica does not follow"
            time.sleep(0.05)

    def _synced(self) -> bool:
        with contextlib.suppress(OSError):
            if b"state=online" not in call(self.master().port, "INFO", "replication"):
                return False
            told = [call(one.port, "SENTINEL", "masters") for one in self.sentinels]
            return all(
                b"num-slaves\r\n$1\r\n1" in one and b"num-other-sentinels\r\n$1\r\n2" in one and b"_down" not in one
                for one in told
            )
        return False

    def stop(self) -> None:
        for server in (*self.sentinels, *self.redis):
            server.stop()


@contextlib.contextmanager
def redis_server(folder: Path, options: dict[str, str] | None = None, *, password: str = "") -> Iterator[RedisServer]:
    server = RedisServer(folder, options, password=password)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def redis_cluster(folder: Path, options: dict[str, str] | None = None, *, down_after: float = 0.5) -> Iterator[Cluster]:
    cluster = Cluster(folder, options, down_after=down_after)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class Proxy:
    """A TCP proxy in front of a server, in the test's own event loop, that breaks connections in chosen ways.

    ``cut``: refuse and drop all connections. ``mute``: swallow what the server says, so that commands are executed and
    their replies lost. ``hang``: pass nothing either way and close nothing: a partition.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.cut = self.mute = False
        self.swallowed = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def hang(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def drop(self) -> None:
        """Reset every connection there is."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        downstream = writer
        try:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(downstream)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, downstream, replies=False))
                group.create_task(self._pump(upstream, writer, replies=True))
        except* OSError:
            pass
        except* asyncio.CancelledError:
            # The test is over. A cancelled task would have asyncio's streams log a traceback.
            pass
        finally:
            for one in (writer, downstream):
                one.transport.abort()
                self._writers.discard(one)
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            if replies and self.mute:
                self.swallowed += 1
                continue
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


@contextlib.asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        # Connections that were accepted and not yet served close themselves: those that are, are told to.
        proxy.cut = True
        proxy.flow()
        proxy.drop()
        for task in list(proxy._tasks):
            task.cancel()
        serving = [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == "_serve"]
        await asyncio.gather(*serving, return_exceptions=True)
