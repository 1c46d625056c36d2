"""Node, and the npm packages of this workspace: found, or the tests say why not."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from tests.clients.outcome import Outcome, Way

HERE = Path(__file__).parent
MODULES = HERE.parent.parent / "node_modules"

SECONDS = 60.0
"""Longest run of a script; the longest that is meant takes three."""


@functools.cache
def node() -> str:
    """Return Node's path. Without Node or its packages the test is skipped; with CI=true it fails."""
    path = shutil.which("node")
    if path is None:
        missing("node is not installed")
    if not (MODULES / "eventsource").is_dir():
        missing("the npm packages are not installed: run `npm ci`")
    return str(path)


def missing(reason: str) -> NoReturn:
    """Skip the test for ``reason``; with CI=true fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


async def run(script: str, *arguments: str) -> bytes:
    """Run ``script`` of this folder to its end and return what it printed."""
    return await execute(node(), HERE / script, *arguments)


async def execute(program: str, script: Path, *arguments: str) -> bytes:
    """Run ``script`` with ``program`` to its end and return what it printed; an exit code or a late end fails."""
    process = await asyncio.create_subprocess_exec(
        program,
        str(script),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out


def way(script: str, name: str) -> Way:
    """Return the way ``name`` of ``script``."""

    async def ask(url: str, models: Sequence[str]) -> list[Outcome]:
        lines = (await run(script, url, name, *models)).splitlines()
        return [msgspec.json.decode(line, type=Outcome) for line in lines]

    return ask
