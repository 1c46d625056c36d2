"""What every SDK must do on every path: checks for the Python tests and for those that drive Node.

Each goes in at the house's door by one `Way` and compares with what the simulator knows of itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from tailrace.events import TextDelta
from tailrace.simulator import frames_of, parse, script
from tests.clients.outcome import PROMPT, Door, Way, truth
from tests.server.conftest import House

PROVIDERS = {"ant": "anthropic", "oai": "openai_chat", "res": "openai_responses"}
"""``provider of the house → its dialect``."""


def _of_all(*names: str) -> list[str]:
    return [f"{provider}/{name}" for provider in PROVIDERS for name in names]


SHAPES = _of_all(
    "sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode", "sim-max_tokens", "sim-refusal"
)  # fmt: skip

REFUSALS: dict[str, tuple[int, str]] = {
    "sim:fault=status@401": (401, "authentication"),
    "sim:fault=status@404": (404, "not_found"),
    "sim:fault=status@429:7": (429, "rate_limit"),
    "sim:fault=status@500": (500, "internal"),
    "sim:fault=status@529": (529, "overloaded"),
}
"""``model → the status it answers with, and a word of its message``."""

BROKEN: dict[str, str] = {
    "sim:tokens=20,fault=cut_event@8": "closed",
    "sim:tokens=20,fault=rst_event@8": "closed",
    "sim:tokens=20,fault=end_event@8": "closed",
    "sim:tokens=20,fault=no_terminator": "closed",
    "sim:tokens=20,fault=cut@2000": "closed",
    "sim:tokens=20,fault=error@8": "asked to fail",
    "sim:tokens=20,fault=junk@8": "not ",
}
"""``model → a word of the error that it ends with``: answers that break off after some text, by the connection, by
the framing, by the provider's own word, by nonsense."""

WIRE: dict[Door, tuple[str, bytes]] = {
    "anthropic": ("/v1/messages", b"event: ping\n"),
    "openai": ("/v1/chat/completions", b": hb\n"),
    "responses": ("/v1/responses", b": hb\n"),
}
"""``door → its path, and what its heartbeats look like``."""

CUTS = [
    f"{provider}/sim:tokens=3,fault={cut}@{at}"
    for provider, dialect in PROVIDERS.items()
    for cut in ("cut_event", "end_event")
    for at in range(len(frames_of(parse("sim:tokens=3"), dialect)))
]
"""An answer cut at every event."""


async def answers_are_what_the_provider_sent(house: House, door: Door, way: Way, models: Sequence[str]) -> None:
    """Check text, thinking, calls, stop reason and usage; and, where it streams, that pieces stayed pieces."""
    for model, outcome in zip(models, await way(house.url, models), strict=True):
        assert outcome.failure is None, model
        assert outcome.answer == truth(door, model), model
        if outcome.pieces is not None:
            assert outcome.pieces == pieces(model), model


def pieces(model: str) -> int:
    """Return in how many pieces the simulator says the text of ``model``."""
    return sum(isinstance(step.event, TextDelta) for step in script(parse(model)))


async def refusals_are_typed(house: House, way: Way, classes: dict[int, str]) -> None:
    """Check class, status and message of what is raised for an HTTP error, the relay's own 404 among them."""
    wanted = {model: REFUSALS[model.partition("/")[2]] for model in _of_all(*REFUSALS)}
    wanted["nobody/sim"] = (404, "nobody/sim")
    for (model, (status, word)), outcome in zip(wanted.items(), await way(house.url, list(wanted)), strict=True):
        assert outcome.failure is not None, model
        assert (outcome.failure.kinds[0], outcome.failure.status) == (classes[status], status), model
        assert word in outcome.failure.message, model
        assert outcome.answer.text == "", model


async def what_breaks_off_raises(house: House, way: Way, raised: str, *, whole: bool = False) -> None:
    """Check that ``raised`` is raised wherever an answer breaks off, and that the caller has what came before."""
    broken = _of_all(*BROKEN)
    models = [*broken, *CUTS]
    outcomes = await way(house.url, models)
    for model, outcome in zip(models, outcomes, strict=True):
        assert outcome.failure is not None, (model, outcome.answer)
        assert raised in outcome.failure.kinds, (model, outcome.failure)
        assert truth("anthropic", model).text.startswith(outcome.answer.text), model
    for model, outcome in zip(broken, outcomes, strict=False):
        assert outcome.failure is not None
        assert BROKEN[model.partition("/")[2]] in outcome.failure.message, model
        assert bool(outcome.answer.text) is not whole, model


async def a_stop_in_the_middle_raises(
    house: House, way: Way, provider: str, raised: str, *, whole: bool = False
) -> None:
    """Ask, stop the stream from elsewhere when some of it has been said, and check that this is no success."""
    # Twenty seconds of an answer: the stop is in the middle of it however slow this machine is.
    model = f"{provider}/sim:tokens=4000,rate=200"
    asking = asyncio.ensure_future(way(house.url, [model]))
    await house.sim.until(lambda sim: bool(sim.requests) and sim.requests[-1].events_sent >= 10)
    async with house.http.get(house.url + "/streams") as listed:
        (stream,) = (await listed.json())["data"]
    async with house.http.post(f"{house.url}/streams/{stream['id']}/stop") as stopped:
        assert (await stopped.json())["ending"] == "cancelled"
    (outcome,) = await asking
    assert outcome.failure is not None, outcome.answer
    assert raised in outcome.failure.kinds, outcome.failure
    assert "stopped" in outcome.failure.message, outcome.failure
    assert bool(outcome.answer.text) is not whole
    assert truth("anthropic", model).text.startswith(outcome.answer.text)
    await house.sim.until(lambda sim: sim.open_connections == 0)
    assert house.sim.requests[-1].state == "closed_by_client"


async def heartbeats_break_nothing(house: House, door: Door, ways: Iterable[Way], provider: str) -> None:
    """Check, on all ``ways`` at once, an answer with silences before its first event and between its events."""
    model = f"{provider}/sim-tools:tokens=12,ttft=0.2,fault=stall_event@6:0.2"
    await asyncio.gather(*(answers_are_what_the_provider_sent(house, door, way, [model]) for way in ways))
    # The same once more without an SDK: heartbeats did stand in both silences, between events with ids.
    path, beat = WIRE[door]
    asked = (
        {"input": PROMPT}
        if door == "responses"
        else {"max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]}
    )
    async with house.http.post(house.url + path, json={"model": model, "stream": True, **asked}) as response:
        data = await response.read()
    before, id_line, after = data.partition(b"id: 1\n")
    assert id_line
    assert beat in before
    assert beat in after
