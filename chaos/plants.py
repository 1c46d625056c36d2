"""Is the proof worth anything? Bugs planted in a copy of the code, each of which the cells must find.

A plant is an exact text that stands exactly once in a file of the package, and what takes its place. A copy of ``src``
with that one change is run through a fault's sample in a process of its own; it must be caught with the promise it
breaks. The same sample passes on an unchanged copy: the scorecard itself says so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

SECONDS = 300.0
"""Most that one sample may take; it is as bad a sign as a miss."""


class Plant(NamedTuple):
    """One bug: where, what stands there, what will, the fault whose sample must find it, and the promise it breaks."""

    name: str
    file: str
    old: str
    new: str
    fault: str
    promise: str


PLANTS: tuple[Plant, ...] = (
    Plant(
        "an event is dropped on its way to a reader",
        "server/sink.py",
        "            self.cursor = number\n",
        "            self.cursor = number + (number == 12)\n",
        "F1",
        "I1",
    ),
    Plant(
        "what is written is repeated",
        "server/sink.py",
        "            self._write(data)\n        self._measure()",
        "            self._write(data if number % 9 else data + data)\n        self._measure()",
        "F1",
        "I1",
    ),
    Plant(
        "a resumed stream begins one event too late",
        "log/cursor.py",
        "    return int(text)\n",
        "    return int(text) + (int(text) > 3)\n",
        "F1",
        "I1",
    ),
    Plant(
        "usage is swallowed on its way to the ledger",
        "engine/settlement.py",
        "            usage=usage.usage,\n",
        "            usage=type(usage.usage)(),\n",
        "F1",
        "I4",
    ),
    Plant(
        "a row is opened twice",
        "engine/attempts.py",
        "            await self._ledger.open(row)\n",
        "            await self._ledger.open(row)\n"
        "            await self._ledger.open(msgspec.structs.replace(row, id=row.id + 'x'))\n",
        "F1",
        "I4",
    ),
    Plant(
        "an upstream that was cut is called complete",
        "engine/attempt.py",
        "            self._end(TRUNCATED, [])\n",
        "            self._end(None, [])\n",
        "F2",
        "I2",
    ),
    Plant(
        "the end is told twice",
        "engine/generation.py",
        "            return [*self._encoder.encode(usage), *self._encoder.encode(error)]\n",
        "            return [*self._encoder.encode(usage), *self._encoder.encode(error) * 2]\n",
        "F2",
        "I2",
    ),
    Plant(
        "a timer that never fires",
        "engine/deadlines.py",
        '            if now >= due[-1]:\n                return Expired("idle", limits.idle)\n',
        '            if now >= due[-1] + 60:\n                return Expired("idle", limits.idle)\n',
        "F13",
        "I2",
    ),
    Plant(
        "a stop leaves the provider running",
        "engine/generation.py",
        "            else:\n                self.task.cancel()\n",
        "            else:\n                self._loop.call_later(2.0, self.task.cancel)\n",
        "F20",
        "I5",
    ),
    Plant(
        "a repeated request asks the provider again",
        "log/memory.py",
        "            if holder is not None:\n",
        "            if holder is not None and claim.key == '':\n",
        "F21",
        "I4",
    ),
    Plant(
        "anybody may read anybody's stream",
        "engine/relay.py",
        "        if log is None or log.info.owner != owner:\n",
        "        if log is None or not owner:\n",
        "F22",
        "I8",
    ),
    Plant(
        "a reader that lags holds nobody back",
        "server/sink.py",
        "        if self._blocked is not None and lag > self._high:\n",
        "        if self._blocked is not None and lag > self._high << 20:\n",
        "F7",
        "I6",
    ),
    Plant(
        "events are sent before they are stored",
        "log/redis/log.py",
        "            self._frames.add(frames, capped=True)\n            self._wait()\n",
        "            self._frames.add(frames, capped=True)\n            self._wait()\n"
        "            self.tail = len(self._frames)\n            self._watchers.call()\n",
        "F3",
        "I1",
    ),
)
"""Every bug that must be found."""


def planted(plant: Plant, folder: Path) -> None:
    """Copy the package into ``folder`` with the bug in it; raises `LookupError` where its text is not there once."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "src" / "tailrace" / plant.file
    text = path.read_text(encoding="utf-8")
    if text.count(plant.old) != 1:
        raise LookupError(f"{plant.name}: its text is {text.count(plant.old)} times in {plant.file}")
    path.write_text(text.replace(plant.old, plant.new), encoding="utf-8")


async def caught(plant: Plant) -> list[str]:
    """Return why the bug was not caught; nothing when it was."""
    with tempfile.TemporaryDirectory(prefix="tailrace-plant-") as name:
        planted(plant, Path(name))
        said, code = await _sample(plant.fault, Path(name) / "src")
    missed = [line for line in said.splitlines() if "missed:" in line]
    if code == 0:
        return [f"not found by the sample of {plant.fault}"]
    if not any(f" {plant.promise}: " in line for line in missed):
        return [f"{plant.promise} was not named: {' | '.join(missed)[:300] or said[-300:]}"]
    return []


async def _sample(fault: str, source: Path) -> tuple[str, int]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT)])}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chaos",
        fault,
        "--sample",
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return "no end", 0
    return out.decode(errors="replace"), process.returncode or 0
