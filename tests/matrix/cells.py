"""The cells of the matrix: every door that has a client here, every dialect that a provider can be asked in."""

from __future__ import annotations

from typing import NamedTuple

from tailrace.dialects import DIALECTS, Dialect
from tailrace.errors import BadRequest
from tailrace.events import Request, TextPart, Turn
from tailrace.server.doors import DOORS
from tests.matrix.clients import CLIENTS
from tests.matrix.features import FEATURES, Feature
from tests.matrix.verdicts import rules_for


class Cell(NamedTuple):
    """One thing to try: a client of ``door`` asks for ``feature``, a provider that speaks ``upstream`` answers."""

    door: str
    upstream: str
    feature: Feature
    stream: bool

    def __str__(self) -> str:
        return f"{self.door}-{self.upstream}-{self.feature.name}-{'stream' if self.stream else 'whole'}"


def _has_providers(dialect: Dialect) -> bool:
    try:
        dialect.build(Request(model="m", turns=(Turn("user", (TextPart("?"),)),), max_tokens=1))
    except BadRequest as error:
        if error.code == "unsupported_dialect":
            return False
        raise
    return True


INGRESS: list[str] = [name for name in DIALECTS if name in {door.dialect for door in DOORS} and name in CLIENTS]
"""Dialects in which an answer can be asked for, in the registry's order."""

UPSTREAM: list[str] = [name for name, dialect in DIALECTS.items() if _has_providers(dialect)]
"""Dialects that providers speak."""

CELLS: list[Cell] = [
    Cell(door, upstream, feature, stream)
    for door in INGRESS
    for upstream in UPSTREAM
    for feature in FEATURES.values()
    for stream in (True, False)
    if not any(rule.absent for rule in rules_for(feature, door, upstream, stream))
]
