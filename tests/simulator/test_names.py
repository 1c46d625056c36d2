"""Scenarios as model names."""

from __future__ import annotations

import pytest

from tailrace.errors import BadRequest, NotFound
from tailrace.simulator import FAULTS, SHAPES, Fault, Scenario, Simulator, model_names, parse

GOOD = [
    ("sim", {}),
    ("sim:", {}),
    ("sim-tool", {"shape": "tool"}),
    ("provider/sim-tool", {"shape": "tool"}),
    ("sim:tokens=40,rate=50,seed=7", {"tokens": 40, "rate": 50.0, "seed": 7}),
    ("sim:rate=0.5,ttft=1.25", {"rate": 0.5, "ttft": 1.25}),
    ("sim:rate=0", {"rate": 0.0}),
    ("sim-tools:tool=lookup,tokens=0", {"shape": "tools", "tool": "lookup", "tokens": 0}),
    ("sim:fault=cut@120", {"faults": (Fault("cut", 120),)}),
    ("sim:fault=chunk=7", {"faults": (Fault("chunk", 7),)}),
    ("sim:fault=stall@9", {"faults": (Fault("stall", 9),)}),
    ("sim:fault=stall@9:2.5", {"faults": (Fault("stall", 9, "2.5"),)}),
    ("sim:fault=status=429:3", {"faults": (Fault("status", 429, "3"),)}),
    ("sim:fault=error@4:rate_limit", {"faults": (Fault("error", 4, "rate_limit"),)}),
    ("sim:fault=junk", {"faults": (Fault("junk", 2),)}),
    ("sim:fault=hang", {"faults": (Fault("hang", 0),)}),
    ("sim:fault=split,fault=cut@3", {"faults": (Fault("split", 0), Fault("cut", 3))}),
]


@pytest.mark.parametrize(("name", "values"), GOOD, ids=[name for name, _ in GOOD])
def test_a_name_is_a_scenario(name: str, values: dict[str, object]) -> None:
    assert parse(name) == Scenario(**{"name": name, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "gpt-5", "simulator", "sim-", "sim-nothing", "Sim", "sim tool"])
def test_an_unknown_model_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        parse(name)
    assert all(known in caught.value.message for known in model_names())


def test_an_unknown_model_may_be_taken_for_the_default() -> None:
    base = Scenario(shape="tool", tokens=3)
    assert parse("gpt-5", base, any_model=True) == Scenario(name="gpt-5", shape="tool", tokens=3)
    with pytest.raises(BadRequest):
        parse("sim:tokens=x", base, any_model=True)


BAD = [
    ("sim:colour=red", "tokens, rate, seed, ttft, tool, fault"),
    ("sim:tokens", "tokens"),
    ("sim:tokens=-1", "whole number"),
    ("sim:tokens=1.5", "whole number"),
    ("sim:tokens=٣", "whole number"),
    ("sim:tokens=1000001", "1000000"),
    ("sim:tokens=" + "9" * 30, "whole number"),
    ("sim:seed=" + "9" * 18, "at most"),
    ("sim:rate=fast", "tokens per second"),
    ("sim:rate=nan", "tokens per second"),
    ("sim:rate=inf", "tokens per second"),
    ("sim:rate=-1", "tokens per second"),
    ("sim:rate=1e-300", "tokens per second"),
    ("sim:ttft=nan", "seconds"),
    ("sim:ttft=1e9", "seconds"),
    ("sim:tool=", "name"),
    ("sim:fault=", "no_usage"),
    ("sim:fault=fire", ", ".join(FAULTS)),
    ("sim:fault=cut", "cut@3"),
    ("sim:fault=cut@", "whole number"),
    ("sim:fault=cut@x", "whole number"),
    ("sim:fault=cut@9:2", "no argument"),
    ("sim:fault=cut@99999999999999", "from 0 to"),
    ("sim:fault=stall@9:", "seconds"),
    ("sim:fault=stall@9:-1", "seconds"),
    ("sim:fault=stall@9:nan", "seconds"),
    ("sim:fault=error@1:bad_luck", "rate_limit"),
    ("sim:fault=status=200", "from 400 to 599"),
    ("sim:" + "," * 2000, "1024"),
]


@pytest.mark.parametrize(("name", "says"), BAD, ids=[name[:40] for name, _ in BAD])
def test_a_wrong_option_is_told_what_is_right(name: str, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(name)
    assert says in caught.value.message
    assert caught.value.param == "model"


def test_a_name_changes_only_what_it_says() -> None:
    base = Scenario(shape="thinking", rate=5.0, faults=(Fault("crlf"),))
    assert parse("sim:seed=3", base) == Scenario(
        name="sim:seed=3", shape="thinking", rate=5.0, seed=3, faults=(Fault("crlf"),)
    )
    assert parse("sim-text:fault=bom", base).faults == (Fault("bom", 0),)


@pytest.mark.parametrize("scenario", [Scenario(shape="fire"), Scenario(faults=(Fault("fire"),))])
def test_a_scenario_made_by_hand_is_checked_too(scenario: Scenario) -> None:
    with pytest.raises(BadRequest):
        Simulator(scenario=scenario)


def test_every_shape_is_listed() -> None:
    assert model_names() == ["sim", *(f"sim-{shape}" for shape in SHAPES)]
    assert [parse(name).name for name in model_names()] == model_names()
