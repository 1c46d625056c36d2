"""Each row of the table of failures, through the door: its status, its kind, its ending, and whether to ask again."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest

from tailrace.dialects import DIALECTS
from tailrace.engine import Deadlines, Limits, Policy, ProviderSpec, Relay, Retry, RouteSpec, Target
from tailrace.engine.taxonomy import MEANING, TAXONOMY, Fate
from tailrace.events import ERROR_STATUS, Error, ErrorKind
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.server.conftest import providers
from tests.server.raw_provider import RawProvider
from tests.server.test_connecting import deaf_port  # noqa: F401 - a fixture
from tests.server.test_doors import DOORS, body, read

pytestmark = pytest.mark.anyio

SHORT = 0.2


class Provoked(NamedTuple):
    """How a row is brought about: what the simulator plays, or which other provider is asked; what it says itself."""

    model: str
    deadlines: Deadlines = Deadlines()
    provider: str = "ant"
    own: tuple[ErrorKind, int, bool] | None = None


ROWS: dict[tuple[str, str], Provoked] = {
    ("refused", "before"): Provoked("sim:fault=status@429", own=("rate_limit", 429, True)),
    ("unreachable", "before"): Provoked("sim", provider="gone"),
    ("unreachable", "accepted"): Provoked("sim:fault=cut_event@1"),
    ("unreachable", "answering"): Provoked("sim:fault=cut_event@5"),
    ("closed", "accepted"): Provoked("sim:fault=end_event@1"),
    ("closed", "answering"): Provoked("sim:fault=end_event@5"),
    ("reported", "accepted"): Provoked("sim:fault=error@0:overloaded", own=("overloaded", 503, True)),
    ("reported", "answering"): Provoked("sim:fault=error@5:overloaded", own=("overloaded", 503, True)),
    ("garbled", "before"): Provoked("sim", provider="raw"),
    ("garbled", "accepted"): Provoked("sim:fault=junk@1"),
    ("garbled", "answering"): Provoked("sim:fault=junk@5"),
    ("connect", "before"): Provoked("sim", Deadlines(connect=SHORT), provider="deaf"),
    ("first_content", "before"): Provoked("sim:fault=hang", Deadlines(first_content=SHORT)),
    ("first_content", "accepted"): Provoked("sim:fault=stall_event@1", Deadlines(first_content=SHORT)),
    ("idle", "answering"): Provoked("sim:fault=stall_event@5", Deadlines(idle=SHORT)),
    ("total", "before"): Provoked("sim:fault=hang", Deadlines(total=SHORT)),
    ("total", "accepted"): Provoked("sim:fault=stall_event@1", Deadlines(total=SHORT)),
    ("total", "answering"): Provoked("sim:fault=stall_event@5", Deadlines(total=SHORT)),
    ("floor", "answering"): Provoked("sim:tokens=1000,rate=20", Deadlines(floor=500.0, floor_window=SHORT)),
    ("circuit_open", "before"): Provoked("sim", provider="broken"),
}


def test_every_row_is_here() -> None:
    assert set(ROWS) == {(cause, when) for cause, fates in TAXONOMY.items() for when in fates}
    assert set(MEANING) == set(TAXONOMY)


def test_what_is_told_after_the_head_does_not_depend_on_the_content() -> None:
    """The code asks only whether the provider had begun."""
    for fates in TAXONOMY.values():
        assert len({fates[when] for when in ("accepted", "answering") if when in fates}) <= 1


@pytest.fixture
async def house(deaf_port: int) -> Any:  # noqa: F811 - the fixture
    raw = RawProvider()
    raw.says = b"220 mail.example.com ESMTP\r\n\r\n"
    server = await asyncio.start_server(raw.answer, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Simulator() as sim, server, aiohttp.ClientSession() as http:
        there = {
            **providers(sim),
            "gone": ProviderSpec(name="gone", dialect="anthropic", base_url="http://127.0.0.1:9"),
            "deaf": ProviderSpec(name="deaf", dialect="anthropic", base_url=f"http://127.0.0.1:{deaf_port}"),
            "raw": ProviderSpec(name="raw", dialect="anthropic", base_url=raw.url),
            "broken": ProviderSpec(name="broken", dialect="anthropic", base_url="http://127.0.0.1:9"),
        }
        # A route's only target is always asked, so it takes two for all of them to be left alone.
        there["twin"] = msgspec.structs.replace(there["broken"], name="twin")
        routes = {
            f"{cause}.{when}": RouteSpec(
                name=f"{cause}.{when}",
                targets=(Target(row.provider, row.model), *([Target("twin", "m")] if row.provider == "broken" else [])),
                policy=Policy(deadlines=row.deadlines, retry=Retry(attempts=1)),
            )
            for (cause, when), row in ROWS.items()
        }
        relay = Relay(there, routes, limits=Limits(breaker_failures=2, breaker_seconds=60.0))
        async with serving(relay) as url:
            yield http, url


def wanted(row: Provoked, fate: Fate) -> tuple[ErrorKind, int, bool]:
    if row.own is not None:
        return row.own
    assert fate.kind is not None
    return fate.kind, ERROR_STATUS[fate.kind], bool(fate.retryable)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("cause", "when"), ROWS)
async def test_a_row_is_told_as_the_table_says(house: Any, door: str, cause: Any, when: Any) -> None:
    http, url = house
    row, fate = ROWS[cause, when], TAXONOMY[cause][when]
    kind, status, retryable = wanted(row, fate)
    request = body(f"{cause}.{when}")
    if cause == "circuit_open":
        for _ in range(2):
            async with http.post(url + DOORS[door], json=request) as response:
                await response.read()
    async with asyncio.timeout(10), http.post(url + DOORS[door], json=request) as response:
        data, stream = await response.read(), response.headers["tailrace-stream-id"]
    async with http.get(f"{url}/streams/{stream}/message") as kept:
        said = await kept.json()
    assert said["ending"] == fate.ending
    # The word that the dialect has for this kind, whoever it was that failed.
    expected = word(DIALECTS[door].error_body(Error(kind, "…", status=status)))
    if when != "answering":
        assert response.status == status
        assert word(json.loads(data)) == expected
    else:
        assert response.status == 200
        assert f'"{expected}"'.encode() in data
        message, fold = read(door, data)
        assert message.text
        assert fold.error is not None
        assert (fold.error.ending, fold.error.retryable) == (fate.ending, retryable)


def word(answer: dict[str, Any]) -> Any:
    """What a program switches on in an error's body: its type, or its kind in the flat form."""
    error = answer["error"] if isinstance(answer.get("error"), dict) else answer
    return error.get("kind") or error.get("type")
