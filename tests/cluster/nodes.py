"""Several relays as processes of their own on one Redis, and Debian's nginx in front with the file from ``deploy/``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.redis_servers import free_port

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "deploy" / "nginx.conf"

START = 120.0
"""Seconds that a process may take to be there, on a machine that is busy with other things."""


def missing() -> str | None:
    """Return why there can be no nginx here; with CI=true a missing one fails the tests instead."""
    if shutil.which("nginx", path=PATHS) is None and not os.environ.get("CI"):
        return "nginx is not installed"
    return None


PATHS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
needs_nginx = pytest.mark.skipif(missing() is not None, reason=missing() or "")


class Node:
    """One ``tailrace serve``, always at the same address; it can be ended and started again."""

    def __init__(self, name: str, settings: Mapping[str, str], *words: str) -> None:
        self.name = name
        self.port = free_port()
        self.said: list[str] = []
        self._settings = {"TAILRACE__SERVER__PORT": str(self.port), **settings}
        self._words = words
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it; return when it is ready."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE__")}
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tailrace", "serve", *self._words,
            stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE,
            env={**kept, "PYTHONUNBUFFERED": "1", **self._settings},
        )  # fmt: skip
        up = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen(process, up))
        async with asyncio.timeout(START):
            await up

    async def _listen(self, process: Process, up: asyncio.Future[None]) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.said.append(line.decode(errors="replace"))
            if b"listens on" in line and not up.done():
                up.set_result(None)
        if not up.done():
            up.set_exception(RuntimeError(f"{self.name} ended: {''.join(self.said[-20:])}"))

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the end; return the exit code."""
        assert self._process is not None
        assert self._listening is not None
        code = await self._process.wait()
        await self._listening
        return code

    async def end(self) -> tuple[int, float]:
        """End it as a deploy does; return the exit code and the seconds it took."""
        started = time.monotonic()
        self.signal()
        code = await self.ended()
        return code, time.monotonic() - started

    async def stop(self) -> None:
        """End it somehow, if it lives."""
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            await self.ended()


@contextlib.asynccontextmanager
async def nginx(*nodes: Node) -> AsyncIterator[str]:
    """Run the sample in front of ``nodes``; yield the address."""
    port = free_port()
    site = SAMPLE.read_text(encoding="utf-8")
    addresses = iter(nodes)
    site, count = re.subn(r"server 127\.0\.0\.1:\d+", lambda _: f"server 127.0.0.1:{next(addresses).port}", site)
    assert count == len(nodes)
    site, count = re.subn(r"listen 80;", f"listen 127.0.0.1:{port};", site)
    assert count == 1
    with tempfile.TemporaryDirectory(prefix="tailrace-nginx-") as name:
        folder = Path(name)
        (folder / "site.conf").write_text(site, encoding="utf-8")
        temporary = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)
        main = folder / "nginx.conf"
        main.write_text(
            f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log info;\nworker_processes 1;\n"
            f"events {{ worker_connections 4096; }}\n"
            f"http {{\n  access_log off;\n{temporary}  include {folder}/site.conf;\n}}\n",
            encoding="utf-8",
        )
        binary = shutil.which("nginx", path=PATHS)
        assert binary is not None, "nginx is not installed"
        process = await asyncio.create_subprocess_exec(binary, "-c", str(main), "-p", name, stderr=DEVNULL)
        try:
            await _listens(port, process, folder / "error.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await process.wait()


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


async def _listens(port: int, process: Process, log: Path) -> None:
    deadline = time.monotonic() + START
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert process.returncode is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


def settings(provider: str, redis: str, *, grace: float, **more: str) -> dict[str, str]:
    """Return the variables of a node in front of the simulator at ``provider``, with its log in ``redis``."""
    return {
        "TAILRACE__PROVIDERS__ANT__DIALECT": "anthropic",
        "TAILRACE__PROVIDERS__ANT__BASE_URL": provider,
        "TAILRACE__LOG__BACKEND": "redis",
        "TAILRACE__LOG__URL": redis,
        "TAILRACE__SERVER__SHUTDOWN_GRACE": str(grace),
        **more,
    }
