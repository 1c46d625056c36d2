"""The matrix of dialects as tables, from the same tables that its tests run (``tests/matrix``)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.matrix.cells import INGRESS, UPSTREAM
from tests.matrix.features import FEATURES, Feature
from tests.matrix.verdicts import Rule, rules_for


class Notes:
    """Footnotes, numbered in the order in which they are first needed."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def marks(self, rules: Iterable[Rule]) -> str:
        numbers = [self._numbers.setdefault(rule.why, len(self._numbers) + 1) for rule in rules]
        return ", ".join(f"[{number}]" for number in dict.fromkeys(numbers))

    def __str__(self) -> str:
        return "".join(f"{number}. {why}\n" for why, number in self._numbers.items())


def cell(feature: Feature, door: str, upstream: str, notes: Notes) -> str:
    """Return what stands in a cell: streamed and whole together, since a rule says itself where they differ."""
    ways = [rules_for(feature, door, upstream, stream) for stream in (True, False)]
    works = any(not any(rule.refused or rule.absent for rule in way) for way in ways)
    return " ".join(part for part in ("✓" if works else "", notes.marks(rule for way in ways for rule in way)) if part)


def matrix() -> str:
    """Return one table for each dialect of clients, and the reasons of all that is not a bare ✓."""
    notes = Notes()
    parts = []
    for door in INGRESS:
        parts.append(f"\n### Clients of `{door}`\n\n")
        parts.append("| | " + " | ".join(f"`{upstream}`" for upstream in UPSTREAM) + " |\n")
        parts.append("|" + "---|" * (len(UPSTREAM) + 1) + "\n")
        for feature in FEATURES.values():
            cells = [cell(feature, door, upstream, notes) for upstream in UPSTREAM]
            parts.append(f"| {feature.name} | " + " | ".join(cells) + " |\n")
    return "".join(parts) + f"\n### Notes\n\n{notes}"
