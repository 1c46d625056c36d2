"""Every client dialect in, every provider dialect out: one test a cell, through real sockets.

What is to be seen is what the simulator says of itself, less what `tests.matrix.verdicts` says is left out; the table
in ``docs/dialects.md`` is written from the same tables.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any, NamedTuple

import aiohttp
import pytest

from tailrace.dialects import DIALECTS
from tailrace.events import TextPart
from tailrace.server.doors import DOORS
from tailrace.simulator import Record, expected, parse
from tests.matrix.cells import CELLS, INGRESS, UPSTREAM, Cell
from tests.matrix.clients import CLIENTS
from tests.matrix.conftest import Street
from tests.matrix.features import FEATURES, SYSTEM
from tests.matrix.seen import Seen, of_message, read_stream, read_whole
from tests.matrix.verdicts import RULES, Rule, rules_for, wanted

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)


class Tried(NamedTuple):
    """A cell's answer: the HTTP side of it, and what the provider remembers of it (None: it was not asked)."""

    status: int
    headers: dict[str, str]
    data: bytes
    record: Record | None
    truth: Seen


async def attempt(street: Street, cell: Cell) -> Tried:
    """Ask; stop the answer when it has begun, where the cell wants that."""
    model = cell.feature.model.replace(":", f":seed={next(_numbers)},", 1)
    asked = f"{cell.upstream}/{model}"
    client = CLIENTS[cell.door]
    body = client.body(asked, cell.feature.wish, cell.stream)
    # A path's colon and commas are the model's own; nothing is to be encoded a second time.
    path = street.url + client.path(asked, cell.stream)
    asking = street.http.post(path, json=body)
    if cell.feature.ends == "stopped" and not cell.stream:
        response, data = await _stopped_whole(street, model, asked, asking)
    else:
        async with asking as response:
            if cell.feature.ends == "stopped":
                await _stop(street, response.headers["tailrace-stream-id"])
            data = await response.read()
    headers = {name.lower(): value for name, value in response.headers.items()}
    truth = of_message(expected(parse(model)))
    return Tried(response.status, headers, data, _record(street, model), truth)


async def _stopped_whole(street: Street, model: str, asked: str, asking: Any) -> tuple[aiohttp.ClientResponse, bytes]:
    """Stop an answer of which nothing is sent before its end, once its provider has begun."""

    async def ask() -> tuple[aiohttp.ClientResponse, bytes]:
        async with asking as response:
            return response, await response.read()

    waiting = asyncio.ensure_future(ask())
    await street.sim.until(lambda _: (record := _record(street, model)) is not None and record.events_sent >= 8)
    async with street.http.get(street.url + "/streams") as listed:
        (stream,) = (one for one in (await listed.json())["data"] if one["model"] == asked)
    await _stop(street, stream["id"])
    return await waiting


async def _stop(street: Street, stream_id: str) -> None:
    async with street.http.post(f"{street.url}/streams/{stream_id}/stop") as stopped:
        assert (await stopped.json())["ending"] == "cancelled"


def _record(street: Street, model: str) -> Record | None:
    found = [record for record in street.sim.requests if record.scenario and record.scenario.name == model]
    return found[-1] if found else None


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_cell(street: Street, cell: Cell) -> None:
    rules = rules_for(cell.feature, cell.door, cell.upstream, cell.stream)
    tried = await attempt(street, cell)
    refusal = next((rule.refused for rule in rules if rule.refused), None)
    if refusal is not None:
        assert tried.status == 400, tried.data
        assert refusal in tried.data.decode()
        assert tried.record is None, "a refused request reached the provider"
        return
    assert _ignored(tried) == {rule.listed for rule in rules if rule.listed}
    if not any(rule.untold for rule in rules):
        _told(cell, tried)
    _CHECKS[cell.feature.ends](cell, tried, wanted(tried.truth, rules))


def _ignored(tried: Tried) -> set[str]:
    return set(filter(None, tried.headers.get("tailrace-ignored", "").split(", ")))


def _told(cell: Cell, tried: Tried) -> None:
    """Check the request that the provider received, as its own dialect reads it."""
    record = tried.record
    assert record is not None, tried.data
    assert record.scenario is not None, record.body
    request = DIALECTS[cell.upstream].parse({"model": record.scenario.name, **json.loads(record.body)})
    assert request.system == (TextPart(SYSTEM),), record.body
    told = cell.feature.told(request)
    assert told, record.body


def _well(cell: Cell, tried: Tried, truth: Seen) -> None:
    assert tried.status == 200, tried.data
    assert _read(cell, tried) == truth


def _refused(cell: Cell, tried: Tried, _truth: Seen) -> None:
    assert tried.status == 429, tried.data
    assert tried.headers["retry-after"] == "7"
    assert "asked to fail: rate_limit" in tried.data.decode()
    if cell.door in UPSTREAM:
        error = DIALECTS[cell.door].read_error(tried.status, tried.data)
        assert (error.kind, error.message) == ("rate_limit", "the simulator was asked to fail: rate_limit")


def _broken(cell: Cell, tried: Tried, truth: Seen) -> None:
    word = "asked to fail: overloaded" if cell.feature.name == "error mid-stream" else "closed"
    _ends_badly(cell, tried, truth, word)


def _stopped(cell: Cell, tried: Tried, truth: Seen) -> None:
    _ends_badly(cell, tried, truth, "stopped")
    assert tried.record is not None
    assert tried.record.events_sent < 20, "the provider went on"


def _ends_badly(cell: Cell, tried: Tried, truth: Seen, word: str) -> None:
    if not cell.stream:
        assert tried.status >= 400, tried.data
        assert word in tried.data.decode()
        return
    assert tried.status == 200, tried.data
    seen = _read(cell, tried)
    assert not seen.ended
    assert seen.error is not None, tried.data
    assert word in seen.error
    assert seen.text
    assert truth.text.startswith(seen.text)
    assert seen.text != truth.text
    assert seen.calls == ()


def _read(cell: Cell, tried: Tried) -> Seen:
    if cell.stream:
        assert tried.headers["content-type"].partition(";")[0] == DIALECTS[cell.door].content_type.partition(";")[0]
        return read_stream(cell.door, tried.data)
    return read_whole(cell.door, json.loads(tried.data))


_CHECKS = {"well": _well, "refused": _refused, "broken": _broken, "stopped": _stopped}


# ---- the tables ---------------------------------------------------------------------------------------------------


def test_every_door_has_a_client_here() -> None:
    assert {door.dialect for door in DOORS} - set(INGRESS) == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why)
def test_every_rule_speaks_of_a_cell(rule: Rule) -> None:
    assert set(rule.features) <= set(FEATURES)
    pairs = itertools.product(INGRESS, UPSTREAM, rule.features, (True, False))
    assert any(rule.holds(FEATURES[name], door, upstream, stream) for door, upstream, name, stream in pairs)
