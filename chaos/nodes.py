"""Relays as processes of their own: what can be killed, frozen, cut off and weighed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.house import PROVIDERS

ROOT = Path(__file__).parent.parent

START = 120.0
"""Seconds a relay may take to say its address on a machine that is busy."""

_ADDRESS = re.compile(rb"http://[0-9.]+:[0-9]+")


def settings(provider_url: str, **tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in front of a simulator; ``tables`` are laid over it."""
    known = {
        name: {"dialect": dialect, "base_url": provider_url + path}
        for name, (dialect, path) in PROVIDERS.items()
        if name != "aws"
    }
    base: dict[str, Any] = {"server": {"port": 0, "shutdown_grace": 2}, "providers": known}
    for name, table in tables.items():
        base[name] = {**base.get(name, {}), **table}
    return base


def toml(table: Mapping[str, Any], name: str = "") -> str:
    """Return ``table`` as TOML: texts, numbers, lists and tables of these."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"[{name}]"] if name and plain else []
    lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines.append(toml(value, f"{name}.{json.dumps(key)}" if name else json.dumps(key)))
    return "\n".join(lines) + "\n"


class Node:
    """One relay process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, said: bytearray) -> None:
        self._process = process
        self.url = url
        self.said = said

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it lives."""
        return self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it is dead."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def died(self) -> int:
        """Wait for its end."""
        return await self._process.wait()

    def resident(self, line: str = "VmRSS") -> int:
        """Return resident bytes; ``VmHWM`` is their peak."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{line}:\s+([0-9]+) kB", status)
        return int(found[1]) * 1024 if found else 0

    def forget_peak(self) -> None:
        """Begin to measure the peak of resident memory anew (proc(5), ``clear_refs``)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    async def end(self) -> None:
        """End it, gently if it can be."""
        if self.code is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.died(), 10)
            except TimeoutError:
                self.signal(signal.SIGKILL)
                await self.died()


@contextlib.asynccontextmanager
async def node(
    config: Mapping[str, Any],
    *,
    launcher: Sequence[str] = ("-m", "tailrace"),
    before: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[Node]:
    """Start a relay; ``before`` are words in front of the interpreter (``ip netns exec …``)."""
    with tempfile.TemporaryDirectory(prefix="tailrace-chaos-") as folder:
        path = Path(folder) / "tailrace.toml"
        path.write_text(toml(config), encoding="utf-8")
        started = await started_with(path, launcher=launcher, before=before, variables=variables)
        try:
            yield started
        finally:
            await started.end()


async def started_with(
    path: Path,
    *,
    launcher: Sequence[str] = ("-m", "tailrace"),
    before: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Node:
    """Start a relay on the configuration at ``path``; the caller ends it."""
    source = os.environ.get("PYTHONPATH") or str(ROOT / "src")
    paths = os.pathsep.join([source, str(ROOT)])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE__")}
    environment |= {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **(variables or {})}
    process = await asyncio.create_subprocess_exec(
        *before,
        sys.executable,
        *launcher,
        "serve",
        "--config",
        str(path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    said = bytearray()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    reading = asyncio.ensure_future(_read(process, said, address))
    try:
        async with asyncio.timeout(START):
            url = await address
    except BaseException:
        process.kill()
        await process.wait()
        await reading
        raise
    started = Node(process, url, said)
    started.reading = reading  # type: ignore[attr-defined]  # kept from the garbage collector
    return started


SAID = 4 * 1024 * 1024
"""Bytes of a relay's own log that are kept, the newest: it is read for canaries and for the reasons of a miss."""


async def _read(process: asyncio.subprocess.Process, said: bytearray, address: asyncio.Future[str]) -> None:
    assert process.stderr is not None
    while data := await process.stderr.read(65536):
        said += data
        del said[:-SAID]
        if not address.done() and (found := _ADDRESS.search(bytes(said))):
            address.set_result(found[0].decode())
    if not address.done():
        address.set_exception(RuntimeError(f"the relay ended: {bytes(said[-500:]).decode(errors='replace')}"))
