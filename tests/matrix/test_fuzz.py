"""Random answers, requests and damage, in every dialect; `make fuzz` looks for longer, guided by coverage."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutate import mutated
from fuzz.properties import CHECKS, REPLY, answer, read, request
from fuzz.seeds import answers, of, requests
from tailrace.dialects import DIALECTS
from tailrace.events import Event, Fold
from tests.conftest import ROOT
from tests.matrix.grammar import events, kept

FOUND = sorted(path for path in (ROOT / "spec" / "fuzz").glob("*/*") if path.is_file())

CODECS = sorted(name for name in DIALECTS if answers(name))
"""Dialects that can be written and read."""

each = pytest.mark.parametrize("dialect", CODECS)
many = settings(max_examples=40, deadline=None, derandomize=True)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_broke_something_no_longer_does(path: Path) -> None:
    CHECKS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", CHECKS)
def test_the_seeds_hold(target: str) -> None:
    for seed in of(target):
        CHECKS[target](seed)


@each
@many
@given(said=events(), size=st.integers(1, 60))
def test_what_a_dialect_can_say_comes_back(dialect: str, said: list[Event], size: int) -> None:
    """Any legal answer, written and read again in any split, is what it was less what the dialect has no word for."""
    encoder = DIALECTS[dialect].encoder(REPLY)
    stream = b"".join(frame for event in said for frame in encoder.encode(event))
    back = read(dialect, [stream[at : at + size] for at in range(0, len(stream), size)])
    assert (back.failure, back.ended) == (None, True)
    before, after = Fold(), Fold()
    for event in said:
        before.add(event)
    for event in back.events:
        after.add(event)
    assert kept(after.message(), dialect) == kept(before.message(), dialect)


@each
@many
@given(data=st.data(), junk=st.binary(max_size=40), cut=st.integers(0, 40))
def test_damaged_bytes_are_read_or_refused_alike_in_any_split(
    dialect: str, data: st.DataObject, junk: bytes, cut: int
) -> None:
    stream = data.draw(st.sampled_from(answers(dialect)))
    at = data.draw(st.integers(0, len(stream)))
    answer(dialect, stream[:at] + junk + stream[at + cut :])


@each
@many
@given(data=st.data(), rng=st.randoms(use_true_random=False))
def test_damaged_json_is_read_or_refused_alike_in_any_split(dialect: str, data: st.DataObject, rng: Random) -> None:
    """Lines with a wrong value, a missing field, one too many: JSON still, but not the one that was promised."""
    lines = data.draw(st.sampled_from(answers(dialect))).split(b"\n")
    for number, line in enumerate(lines):
        head, mark, body = line.rpartition(b"data: ")
        if body.startswith(b"{") and rng.random() < 0.3:
            try:
                value = json.loads(body)
            except ValueError:
                continue
            lines[number] = head + mark + json.dumps(mutated(value, rng)).encode()
    answer(dialect, b"\n".join(lines))


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data(), rng=st.randoms(use_true_random=False))
def test_a_damaged_request_is_understood_or_refused_by_name(dialect: str, data: st.DataObject, rng: Random) -> None:
    body = json.loads(data.draw(st.sampled_from(requests(dialect))))
    request(dialect, mutated(body, rng))
