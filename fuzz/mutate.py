"""JSON with one thing wrong in it: what a search over bytes alone would take for ever to find."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**53, 2**64, 1e308, 0.5, "", " ", "a", "none", "auto", "\U0001f30a", "\0",
    "data:image/png;base64,AA==", "data:,", "{}", "[", [], [[]], [None], [{}], {}, {"": None}, {"type": "text"},
    {"type": ""}, {"type": 7},
)  # fmt: skip
"""Values where another was expected."""

Slot = tuple[Any, Any]
"""A container and the key or index of a value in it."""


def slots(value: Any) -> Iterator[Slot]:
    """Yield the place of every value in ``value``."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        yield value, key
        yield from slots(inner)


def mutated(value: Any, rng: Random) -> Any:
    """Return a copy of ``value`` with one to three of its places changed."""
    changed = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        places = list(slots(changed))
        if not places:
            return rng.choice(ODD)
        rng.choice(_CHANGES)(*rng.choice(places), places, rng)
    return changed


def _replace(container: Any, key: Any, _places: list[Slot], rng: Random) -> None:
    container[key] = copy.deepcopy(rng.choice(ODD))


def _graft(container: Any, key: Any, places: list[Slot], rng: Random) -> None:
    """Put here what stands somewhere else."""
    other, place = rng.choice(places)
    container[key] = copy.deepcopy(other[place])


def _remove(container: Any, key: Any, _places: list[Slot], _rng: Random) -> None:
    del container[key]


def _repeat(container: Any, key: Any, _places: list[Slot], rng: Random) -> None:
    if isinstance(container, list):
        container.insert(rng.randint(0, len(container)), copy.deepcopy(container[key]))
    else:
        container[f"{key}_"] = copy.deepcopy(container[key])


def _wrap(container: Any, key: Any, _places: list[Slot], rng: Random) -> None:
    container[key] = [container[key]] if rng.random() < 0.5 else {"value": container[key]}


_CHANGES = (_replace, _replace, _graft, _remove, _repeat, _wrap)
