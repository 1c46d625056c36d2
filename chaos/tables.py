"""Faults that are proved by tables of tests: pytest runs them, each parametrised case is a cell.

Their conditions and what must hold are written in those tests; here they only count.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from chaos.card import Fault, Run

ROOT = Path(__file__).parent.parent

SECONDS = 1500.0
"""Most that one table may take."""


def table(number: str, title: str, target: str, *tests: str, **variables: str) -> Fault:
    """Return the fault that ``tests`` (files, folders or node ids) prove; ``variables`` are their environment."""

    async def run(this: Run) -> None:
        await counted(this, tests, variables)

    return Fault(number, title, target, run)


def with_table(fault: Fault, *tests: str) -> Fault:
    """Return ``fault`` with the cases of ``tests`` as further cells, where it is run in full."""
    own: Callable[[Run], Awaitable[None]] = fault.run

    async def run(this: Run) -> None:
        await own(this)
        if not this.sample:
            await counted(this, tests, {})

    return fault._replace(run=run)


async def counted(this: Run, tests: tuple[str, ...], variables: Mapping[str, str]) -> None:
    """Run ``tests`` and take note of each of their cases. One that was skipped was not proved: a miss."""
    missing = [test for test in tests if not (ROOT / test.partition("::")[0]).exists()]
    for test in missing:
        this.cell(test, ["unknown: there is no such test"])
    with tempfile.TemporaryDirectory(prefix="tailrace-chaos-") as folder:
        report = Path(folder) / "report.xml"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            f"--junitxml={report}",
            *(test for test in tests if test not in missing),
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(SECONDS):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            this.cell("the tests", [f"unknown: no end in {SECONDS:g} s"])
            return
        if not report.exists():
            this.cell("the tests", [f"unknown: {said[-300:].decode(errors='replace')}"])
            return
        for case in ET.parse(report).iter("testcase"):
            bad = [part.get("message", "")[:200] for part in case if part.tag in {"failure", "error", "skipped"}]
            this.cell(f"{case.get('classname', '').removeprefix('tests.')}: {case.get('name')}", bad)


FAILOVERS = "50"

SLOW_SECONDS = "60"
"""How long each mode of slowhttptest goes on: through every deadline of the server, several times."""

TABLES = (
    table(
        "F5",
        "Redis failover by sentinel",
        "what was acknowledged survives, no split log",
        "tests/log/test_redis_sentinel.py",
        TAILRACE_FAILOVERS=FAILOVERS,
    ),
    table(
        "F11",
        "compressed and mislabelled upstreams, bombs",
        "identity asked for, nothing inflated past a cap",
        "tests/server/test_hostile_provider_bodies.py",
    ),
    table(
        "F12",
        "header bombs, smuggling, slow clients, alone and behind nginx and haproxy",
        "4xx and closed; one request in, one out",
        "tests/server/test_raw_requests.py",
        "tests/server/test_hostile_client.py",
        TAILRACE_SLOW_SECONDS=SLOW_SECONDS,
    ),
    table(
        "F14",
        "names that do not resolve, slowly or differently",
        "a typed error in time, the loop never blocked",
        "tests/server/test_provider_names.py",
        "tests/server/test_connecting.py",
    ),
    table(
        "F15",
        "TLS: expired, wrong host, self-signed, cut",
        "typed errors, no key before the certificate is verified",
        "tests/server/test_tls_provider.py",
    ),
    table(
        "F16",
        "clocks that jump",
        "no timer early or late",
        "tests/server/test_clock_jumps.py",
        "tests/cli/test_clock_steps.py",
    ),
    table(
        "F17",
        "a ledger whose disk is full, broken or read-only",
        "streams go on, no row lost or doubled",
        "tests/ledger",
    ),
    table(
        "F19",
        "a blocked event loop",
        "noticed, and nothing of ours blocks it",
        "tests/server/test_lag.py",
        "tests/test_blocking.py",
    ),
    table(
        "F23",
        "other people's streams, revoked keys, view tokens",
        "404, 401 or 403; never a frame",
        "tests/server/test_keys_doors.py",
        "tests/server/test_keys_revoked.py",
        "tests/server/test_keys_nodes.py",
        "tests/server/test_keys.py",
        "tests/server/test_tokens.py",
        "tests/server/test_tokens_doors.py",
        "tests/server/test_access.py",
    ),
    table(
        "F24",
        "secrets in keys, prompts, headers, URLs, upstream errors",
        "in no output, in no form",
        "tests/server/test_canaries.py",
        "tests/cli/test_redaction.py",
    ),
)
"""The faults that other people's tables prove."""
