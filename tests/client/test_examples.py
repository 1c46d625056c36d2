"""The examples run as they are shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import House

EXAMPLES = Path(__file__).parents[2] / "examples"
LONGEST = 40
"""Lines of an example: what fits on one screen."""


def run(name: str, *arguments: str, url: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TAILRACE_URL": url, "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(
        command, input=stdin, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_fits_on_one_screen(example: Path) -> None:
    assert len(example.read_text().splitlines()) <= LONGEST


def test_ask_prints_the_answer_and_what_it_cost(house: House) -> None:
    done = run("ask.py", "Why is the sky blue?", url=house.url)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 5
    assert "[40 tokens in " in done.stderr


def test_ask_says_how_a_broken_answer_ended(house: House) -> None:
    done = run("ask.py", "Why?", "ant/sim:fault=cut_event@9", url=house.url)
    assert done.returncode == 1
    assert done.stdout.strip()
    assert "[truncated: " in done.stderr


def test_chat_keeps_the_conversation(house: House) -> None:
    done = run("async_chat.py", "ant/sim-thinking:tokens=8", url=house.url, stdin="Hello.\nAnd then?\n")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) >= 2
    assert done.stderr.strip()
    turns = house.simulator.requests[-1].body.decode()
    assert turns.count('"role"') == 3
    assert "And then?" in turns


def test_partial_shows_the_places_as_they_come(house: House) -> None:
    done = run("partial.py", "Which river?", "ant/sim-json:tokens=60", url=house.url)
    assert done.returncode == 0, done.stderr
    shown, deepest = done.stdout.rstrip("\n").rsplit("\n", 1)
    assert [f": {count} places" in shown for count in (0, 3, 7, 8)] == [True, True, True, False]
    assert deepest.startswith("deepest: ")


def test_partial_says_what_is_no_river(house: House) -> None:
    done = run("partial.py", "Which river?", "ant/sim", url=house.url)
    assert done.returncode == 1
    assert "[no river: the document: not JSON" in done.stderr
