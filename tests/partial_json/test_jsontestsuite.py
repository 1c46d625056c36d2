"""nst/JSONTestSuite: what must be read, what must not, and what is the parser's own to decide.

The files are no part of this project: they are read from where they lie, and left out where they do not. In CI the
folder of such data must hold them if it is there at all.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tailrace.errors import JSONError
from tests.conftest import data_folder
from tests.partial_json.reading import parsed, same

FOLDER = data_folder("TAILRACE_CONFORMANCE", "conformance")
FILES = FOLDER and FOLDER / "jsontestsuite" / "test_parsing"
SIZES = [1, 4, 1 << 30]

# The policy for what the standard leaves open, which docs/structured.md states: what Python's `json` reads from text
# is read, except a byte order mark.
REFUSED_OPEN = {"i_structure_UTF-8_BOM_empty_object.json"}


def load(kind: str) -> list[Any]:
    if FILES is None or not (FILES.is_dir() or os.environ.get("CI")):
        return []
    return [pytest.param(path, id=path.name) for path in sorted(FILES.glob(f"{kind}_*.json"))]


def is_text(path: Path) -> bool:
    """Whether it is UTF-8: other bytes never become fragments of text."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("path", load("y"))
def test_documents_that_must_be_read_are_read_as_json_loads_reads_them(path: Path) -> None:
    text = path.read_bytes().decode()
    for size in SIZES:
        assert same(parsed(text, size), json.loads(text))


@pytest.mark.parametrize("path", load("n"))
def test_documents_that_must_not_be_read_are_refused_at_the_same_place_in_any_split(path: Path) -> None:
    # What is not UTF-8 is decoded here as a lenient caller might, to give the parser something to refuse.
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    places = set()
    for size in SIZES:
        with pytest.raises(JSONError) as refused:
            parsed(text, size)
        places.add((type(refused.value), refused.value.position))
    assert len(places) == 1


@pytest.mark.skipif(not load("n"), reason="the suite is not here")
def test_most_are_dead_and_the_others_only_cut_short() -> None:
    refusals: Counter[str] = Counter()
    for case in load("n"):
        try:
            parsed(case.values[0].read_bytes().decode("utf-8", "surrogateescape"))
        except JSONError as error:
            refusals[type(error).__name__] += 1
    # The two that pass a cap open 50,000 and 100,000 brackets and close none.
    assert refusals == {"InvalidJSON": 156, "TruncatedJSON": 30, "JSONLimitExceeded": 2}


@pytest.mark.parametrize("path", [case for case in load("i") if is_text(case.values[0])])
def test_what_is_open_follows_the_stated_policy(path: Path) -> None:
    text = path.read_bytes().decode()
    for size in SIZES:
        if path.name in REFUSED_OPEN:
            with pytest.raises(JSONError):
                parsed(text, size)
        else:
            assert same(parsed(text, size), json.loads(text))
