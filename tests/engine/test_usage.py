"""What an answer that was cut short is said to have cost."""

from __future__ import annotations

import pytest

from tailrace.engine.usage import closing_usage
from tailrace.events import BlockStart, Event, Finish, Fold, MessageStart, TextDelta, Usage, UsageReport


def cut(*deltas: str, more: tuple[Event, ...] = ()) -> UsageReport:
    fold = Fold()
    for event in (MessageStart("", ""), BlockStart(0, "text"), *(TextDelta(0, text) for text in deltas), *more):
        fold.add(event)
    return closing_usage(fold)


@pytest.mark.parametrize(
    ("deltas", "tokens"),
    [
        (("The", " quiet", " river", "."), 4),
        (("川", "は", "流", "れる"), 4),
        (("The quiet river crosses", " the old bridge at dawn."), 12),
    ],
    ids=["one token a delta", "one token a delta, in Japanese", "several tokens a delta"],
)
def test_an_estimate_counts_deltas_where_they_are_tokens_else_characters(deltas: tuple[str, ...], tokens: int) -> None:
    assert cut(*deltas) == UsageReport(Usage(output_tokens=tokens), "estimated")


def test_an_estimate_is_never_below_what_the_provider_has_said() -> None:
    assert cut("The", more=(UsageReport(Usage(9, 30)),)) == UsageReport(Usage(9, 30), "estimated")


def test_figures_behind_a_reason_to_stop_are_exact() -> None:
    figures = UsageReport(Usage(9, 30))
    assert cut("The", more=(Finish("end_turn"), figures)).label == "exact"


def test_nothing_said_is_not_nothing_used() -> None:
    assert cut() == UsageReport(Usage(), "unknown")
