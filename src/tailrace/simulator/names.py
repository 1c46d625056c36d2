"""A scenario as a model's name.

The name is the one field that every SDK, page and relay passes on untouched, so the whole scenario fits in it::

    model = [ anything "/" ] "sim" [ "-" shape ] [ ":" pair *( "," pair ) ]
    pair  = key "=" value                key: tokens | rate | seed | ttft | tool | fault (may be repeated)
    fault = name [ ( "@" | "=" ) number ] [ ":" argument ]

For example ``sim``, ``sim-tool``, ``sim:tokens=200,rate=50,seed=7`` and ``sim-thinking:fault=cut@120,fault=split``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from tailrace.errors import BadRequest, NotFound
from tailrace.simulator.faults import MAX_SECONDS, checked
from tailrace.simulator.scenario import Fault, Scenario
from tailrace.simulator.shapes import SHAPES

PREFIX = "sim"

MAX_TOKENS = 1_000_000
"""Most tokens of one answer: five times the longest that a real model gives."""

MAX_SEED = 1 << 48
"""Seeds are below this, so that they have one length in the answer's id."""

MAX_NAME = 1024
"""Longest model name in characters: room for every fault at once."""


def model_names() -> list[str]:
    """Return the names to list: the plain one and one for each shape."""
    return [PREFIX, *(f"{PREFIX}-{shape}" for shape in SHAPES)]


def parse(model: str, base: Scenario | None = None, *, any_model: bool = False) -> Scenario:
    """Return the scenario that ``model`` names, over the values of ``base``.

    With ``any_model`` a name that is not the simulator's means ``base`` too, so that a page can keep the name it
    will use in earnest. Otherwise raises `NotFound` for such a name or shape, and always `BadRequest` for a wrong key
    or value; both name what is known.
    """
    if len(model) > MAX_NAME:
        raise BadRequest(f"a model name of more than {MAX_NAME} characters", param="model")
    head, _, options = model.partition(":")
    prefix, dash, shape = head.rpartition("/")[2].partition("-")
    if prefix != PREFIX or (dash and shape not in SHAPES):
        if any_model:
            return msgspec.structs.replace(base or Scenario(), name=model)
        raise NotFound(
            f"no model {head!r} here; the simulator has {', '.join(model_names())}, each with options, "
            f"as in sim:tokens=40,rate=50,seed=7,fault=cut@120",
            code="model_not_found",
            param="model",
        )
    changes: dict[str, Any] = {"name": model}
    if dash:
        changes["shape"] = shape
    faults: list[Fault] = []
    for pair in filter(None, options.split(",")):
        key, _, text = pair.partition("=")
        if key == "fault":
            faults.append(_fault(text))
        elif key in _KEYS:
            changes[key] = _KEYS[key](key, text)
        else:
            known = ", ".join((*_KEYS, "fault"))
            raise BadRequest(f"no option {key!r} in a simulated model's name; known: {known}", param="model")
    if faults:
        changes["faults"] = tuple(faults)
    return msgspec.structs.replace(base or Scenario(), **changes)


def check(scenario: Scenario) -> Scenario:
    """Return ``scenario``; raise `BadRequest` where its shape or a fault is none that is known."""
    if scenario.shape not in SHAPES:
        raise BadRequest(f"no shape {scenario.shape!r}; known: {', '.join(SHAPES)}", param="model")
    return msgspec.structs.replace(scenario, faults=tuple(map(checked, scenario.faults)))


def _fault(text: str) -> Fault:
    what, colon, argument = text.partition(":")
    name, mark, number = what.replace("=", "@", 1).partition("@")
    at = _whole(f"fault={name}", number) if mark else None
    return checked(Fault(name, at, argument if colon else None))


def _whole(key: str, text: str) -> int:
    # 18 digits: below 2**63, and far below where Python refuses to convert.
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(f"{key} wants a whole number, not {text!r}", param="model")
    return int(text)


def _below(limit: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        value = _whole(key, text)
        if value > limit:
            raise BadRequest(f"{key} is at most {limit}, not {value}", param="model")
        return value

    return read


def _rate(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # Slower than one token a day is a stall, and has its own name.
    if value != 0 and not 1 / MAX_SECONDS <= value < math.inf:
        raise BadRequest(f"{key} wants tokens per second, or 0 for no limit, not {text!r}", param="model")
    return value


def _seconds(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise BadRequest(f"{key} wants seconds from 0 to {MAX_SECONDS:g}, not {text!r}", param="model")
    return value


def _word(key: str, text: str) -> str:
    if not text:
        raise BadRequest(f"{key} wants a name", param="model")
    return text


_KEYS: dict[str, Callable[[str, str], Any]] = {
    "tokens": _below(MAX_TOKENS),
    "rate": _rate,
    "seed": _below(MAX_SEED - 1),
    "ttft": _seconds,
    "tool": _word,
}
"""``option → reader of its value``."""
