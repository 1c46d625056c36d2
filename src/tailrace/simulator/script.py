"""The script: a scenario as events with the delay before each, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from tailrace.events import (
    CONTENT,
    Event,
    Message,
    MessageEnd,
    MessageStart,
    Usage,
    UsageReport,
    fold,
)
from tailrace.simulator.scenario import Scenario
from tailrace.simulator.shapes import SHAPES

INPUT_TOKENS = 12
"""Prompt tokens that every answer reports: the simulator has no tokenizer, and a script knows no request."""


class Step(NamedTuple):
    """Wait ``delay`` seconds, then say ``event``."""

    delay: float
    event: Event


def script(scenario: Scenario) -> Iterator[Step]:
    """Yield the answer's steps, without its faults; the same scenario always yields the same."""
    rng = Random(scenario.seed)  # noqa: S311 (nothing secret: a repeatable sequence is what is wanted)
    # Before the start, so that a dialect whose start bears the prompt's tokens can write them there.
    yield Step(scenario.ttft, UsageReport(Usage(input_tokens=INPUT_TOKENS, output_tokens=min(1, scenario.tokens))))
    yield Step(0.0, MessageStart(answer_id(scenario), scenario.name))
    gap = 1 / scenario.rate if scenario.rate else 0.0
    tokens = 0
    for event in SHAPES[scenario.shape](rng, scenario):
        counts = isinstance(event, CONTENT)
        yield Step(gap if counts and tokens else 0.0, event)
        tokens += counts
    yield Step(0.0, UsageReport(Usage(input_tokens=INPUT_TOKENS, output_tokens=tokens)))
    yield Step(0.0, MessageEnd())


def answer_id(scenario: Scenario) -> str:
    """Return the answer's id: the same for the same seed, since the bytes must be."""
    return f"sim_{scenario.seed:012x}"


def expected(scenario: Scenario) -> Message:
    """Return the whole message that ``scenario`` says before anything goes wrong with it: the truth to compare with.

    A dialect that has no word for a part of it (a citation, a signature) cannot carry that part.
    """
    return fold(step.event for step in script(scenario))
