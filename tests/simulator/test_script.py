"""The script: what an answer says, and when."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.events import (
    CONTENT,
    MessageEnd,
    Order,
    StopReason,
    TextDelta,
    UsageReport,
)
from tailrace.simulator import SHAPES, Scenario, expected, script
from tailrace.simulator.words import fragments, sentences

REASONS: dict[str, StopReason] = {
    "tool": "tool_use",
    "tools": "tool_use",
    "refusal": "refusal",
    "max_tokens": "max_tokens",
}


def test_the_first_words_of_seed_1_never_change() -> None:
    message = expected(Scenario(tokens=12))
    assert message.text == "The hidden reed crosses the stone in spring! This quiet."
    assert message.id == "sim_000000000001"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tokens", [0, 1, 2, 3, 40])
def test_every_shape_is_legal_counted_and_repeatable(shape: str, tokens: int) -> None:
    scenario = Scenario(shape=shape, tokens=tokens)
    steps = list(script(scenario))
    order = Order()
    for step in steps:
        order.advance(step.event)
    assert order.state == "ended"
    assert steps == list(script(scenario))
    assert sum(isinstance(step.event, CONTENT) for step in steps) == tokens
    message = expected(scenario)
    assert message.usage.output_tokens == tokens
    assert message.stop_reason == REASONS.get(shape, "end_turn")
    assert all(call.complete for call in message.tool_calls)


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"long_lines"}))
def test_another_seed_says_something_else(shape: str) -> None:
    assert expected(Scenario(shape=shape, seed=1)).blocks != expected(Scenario(shape=shape, seed=2)).blocks


def test_the_rate_is_in_the_delays() -> None:
    steps = list(script(Scenario(tokens=5, rate=10.0, ttft=2.0)))
    assert steps[0].delay == 2.0
    assert [step.delay for step in steps if isinstance(step.event, TextDelta)] == [0.0, 0.1, 0.1, 0.1, 0.1]
    assert sum(step.delay for step in steps) == pytest.approx(2.4)
    assert sum(step.delay for step in script(Scenario(tokens=5))) == 0


def test_the_last_usage_comes_before_the_end() -> None:
    *_, usage, end = script(Scenario())
    assert isinstance(usage.event, UsageReport)
    assert isinstance(end.event, MessageEnd)


def test_parallel_calls_end_with_one_without_arguments() -> None:
    message = expected(Scenario(shape="tools", tool="lookup", tokens=20))
    assert [(call.name, bool(call.input)) for call in message.tool_calls] == [
        ("lookup", True),
        ("lookup", True),
        ("get_time", False),
    ]
    assert len({call.id for call in message.tool_calls}) == 3


def test_text_is_made_of_sentences() -> None:
    text = expected(Scenario(tokens=200)).text
    assert text[0].isupper()
    assert text[-1] in ".!?;"
    assert "  " not in text


@given(st.integers(0, 2**32), st.text(min_size=1), st.integers(0, 50))
def test_fragments_are_the_text_and_none_is_empty(seed: int, text: str, count: int) -> None:
    cut = list(fragments(Random(seed), text, count))
    assert "".join(cut) == text
    assert all(cut)
    assert len(cut) == max(1, min(count, len(text)))


@given(st.integers(0, 2**32), st.integers(0, 100))
def test_sentences_have_as_many_pieces_as_asked_for(seed: int, count: int) -> None:
    assert len(list(sentences(Random(seed), count))) == count
