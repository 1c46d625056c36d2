"""The page about structured streaming: its Python blocks run, in their order."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tailrace.partial_json import MAX_DEPTH, MAX_NUMBER, MAX_SIZE
from tailrace.simulator import in_thread
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "structured.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(BLOCKS) >= 11
    names: dict[str, Any] = {"__name__": "structured"}
    with in_thread() as simulator:
        monkeypatch.setenv("TAILRACE_URL", simulator.url)
        for number, block in enumerate(BLOCKS, 1):
            exec(compile(block, f"docs/structured.md, block {number}", "exec", dont_inherit=True), names)


def test_a_block_that_is_wrong_would_be_seen() -> None:
    [block] = [block for block in BLOCKS if '"/age": "42"' in block]
    broken = block.replace('"/age": "42"', '"/age": "4"')
    with pytest.raises(AssertionError):
        exec(compile(broken, "broken", "exec"), {"__name__": "broken"})


@pytest.mark.parametrize(
    ("name", "value"), [("max_depth", MAX_DEPTH), ("max_size", MAX_SIZE), ("max_number", MAX_NUMBER)]
)
def test_the_stated_caps_are_the_real_ones(name: str, value: int) -> None:
    assert re.search(rf"^\| `{name}` \| {value:,}\b", PAGE, re.MULTILINE)
