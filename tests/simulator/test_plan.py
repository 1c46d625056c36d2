"""A scenario in each dialect: the bytes, and what a reader makes of them."""

from __future__ import annotations

import msgspec
import pytest

from tailrace.dialects import DIALECTS
from tailrace.simulator import SHAPES, Fault, Scenario, bytes_of, expected, frames_of
from tailrace.simulator.actions import Send, Wait
from tailrace.simulator.plan import plan
from tests.simulator.reading import PATHS, decode, said_in

DIALECT_NAMES = sorted(PATHS)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tokens", [0, 1, 40])
def test_a_reader_gets_what_was_said(dialect: str, shape: str, tokens: int) -> None:
    scenario = Scenario(shape=shape, tokens=min(tokens, 4) if shape == "long_lines" else tokens)
    fold, ended = decode(dialect, frames_of(scenario, dialect))
    assert ended
    assert fold.message() == said_in(dialect, expected(scenario))


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"long_lines"}))
def test_the_same_byte_by_byte(dialect: str, shape: str) -> None:
    scenario = Scenario(shape=shape)
    body = bytes_of(scenario, dialect)
    fold, ended = decode(dialect, (body[at : at + 1] for at in range(len(body))))
    assert ended
    assert fold.message() == said_in(dialect, expected(scenario))


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_seed_gives_the_same_bytes(dialect: str, shape: str) -> None:
    scenario = Scenario(shape=shape, tokens=10)
    assert bytes_of(scenario, dialect) == bytes_of(scenario, dialect)
    if dialect in PATHS:  # the plain feed has no tool calls
        assert bytes_of(scenario, dialect) != bytes_of(Scenario(shape=shape, tokens=10, seed=2), dialect)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_an_answer_in_one_piece_takes_as_long_as_the_stream(dialect: str) -> None:
    scenario = Scenario(tokens=11, rate=10.0, ttft=0.5)
    kinds = {
        stream: sum(
            action.seconds for action in plan(scenario, DIALECTS[dialect], stream=stream) if isinstance(action, Wait)
        )
        for stream in (True, False)
    }
    assert kinds[True] == pytest.approx(kinds[False]) == pytest.approx(1.5)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_an_answer_in_one_piece_says_the_same(dialect: str) -> None:
    scenario = Scenario(tokens=11)
    (body,) = (action.data for action in plan(scenario, DIALECTS[dialect], stream=False) if isinstance(action, Send))
    assert expected(scenario).text in str(msgspec.json.decode(body))


def test_usage_is_written_only_where_it_is_asked_for() -> None:
    assert b'"usage"' in bytes_of(Scenario(), "openai_chat")
    assert b'"usage"' not in bytes_of(Scenario(), "openai_chat", include_usage=False)


def test_frames_are_wire_events() -> None:
    for frame in frames_of(Scenario(), "anthropic"):
        assert frame.startswith(b"event: ")
        assert frame.endswith(b"\n\n")
        assert frame.count(b"\n\n") == 1


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_the_order_in_which_faults_are_given_does_not_matter(dialect: str) -> None:
    faults = (Fault("cut", 300), Fault("split"), Fault("crlf"), Fault("pings"), Fault("junk"))
    assert bytes_of(Scenario(faults=faults), dialect) == bytes_of(Scenario(faults=faults[::-1]), dialect)
