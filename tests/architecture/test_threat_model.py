"""The threat model names files, tests and constants: each exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
FILES = [path for folder in ("src", "tests", "chaos") for path in (ROOT / folder).rglob("*.py")]
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
NAMES = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".py")])
def test_a_named_file_exists(name: str) -> None:
    assert [path for path in FILES if str(path).endswith(f"/{name}")]


@pytest.mark.parametrize(
    "name", [name for name in NAMES if re.fullmatch(r"test_\w+|Test\w+|[A-Z]+_[A-Z_]+|_[a-z_]+", name)]
)
def test_a_named_test_or_constant_exists(name: str) -> None:
    assert re.search(rf"\b(def|class) {name}\b|^{name}\b", SOURCES, re.MULTILINE) or f"socket.{name}" in SOURCES


@pytest.mark.parametrize("name", [name for name in NAMES if re.fullmatch(r"(Limits|Deadlines)\.\w+", name)])
def test_a_named_limit_exists(name: str) -> None:
    from tailrace.engine import Deadlines, Limits

    assert hasattr({"Limits": Limits(), "Deadlines": Deadlines()}[name.partition(".")[0]], name.partition(".")[2])


def test_every_row_has_a_default_and_a_proof() -> None:
    rows = re.findall(r"^\| (\d+\.\d+) \|(.*)\|$", TEXT, re.MULTILINE)
    assert len(rows) > 30
    for number, row in rows:
        cells = [cell.strip() for cell in row.split("|")]
        assert len(cells) == 4, number
        assert all(cells), number
