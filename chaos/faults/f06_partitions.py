"""F6: the network between a relay and its Redis, or its clients, is cut for a while, in both directions or in one.

Exactly one node owns a stream: whoever was cut off for longer than its lease can store nothing more, and the other ends
the stream. Readers hear of it, or come back elsewhere. `chaos.partitions` does it in a network namespace of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

from chaos.card import Fault, Run
from chaos.partitions import WAYS

ROOT = Path(__file__).parents[2]

LENGTHS = (1.0, 5.0, 30.0)
"""Seconds: shorter than a lease (2 s here), longer than it and as long as a write may wait (5 s), far longer."""

SECONDS = 1500.0
"""Most that all of it may take."""


async def run(this: Run) -> None:
    if os.geteuid() != 0 or shutil.which("iptables") is None or shutil.which("unshare") is None:
        this.cell("partitions", ["unknown: needs root, iptables and unshare"])
        return
    ways = this.pick(list(WAYS), 1)
    lengths = LENGTHS[1:2] if this.sample else LENGTHS
    paths = os.pathsep.join([os.environ.get("PYTHONPATH") or str(ROOT / "src"), str(ROOT)])
    process = await asyncio.create_subprocess_exec(
        "unshare",
        "--net",
        sys.executable,
        "-m",
        "chaos.partitions",
        json.dumps(lengths),
        json.dumps(ways),
        "3" if this.sample else "6",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        this.cell("partitions", [f"unknown: no end in {SECONDS:g} s"])
        return
    for line in said.splitlines():
        if line.startswith(b'{"cell"'):
            told = json.loads(line)
            this.cell(told["cell"], told["violations"])
    if process.returncode:
        this.cell("partitions", [f"unknown: {complaints[-300:].decode(errors='replace')}"])


FAULT = Fault("F6", "partition of a relay from its Redis or its clients", "one owner, nobody left in the dark", run)
