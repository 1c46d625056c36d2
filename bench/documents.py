"""The two documents that the JSON benchmark streams, from a seed.

A is a nested report: objects, arrays of objects, strings of 20 to 800 characters, numbers and booleans; about half of
its 4-character fragments are plain text inside a string, and 0.3 % of its characters are backslashes. B is the call
of a file-writing tool: one long string of source code, 4 % of it escapes; four in five fragments are plain text.
"""

from __future__ import annotations

import json
import random
from typing import Any

_WORDS = (
    "latency", "stream", "token", "reader", "provider", "answer", "buffer", "cursor", "ledger", "route", "frame",
    "cost", "total", "region", "team", "customer", "quarter", "revenue", "because", "although", "measured", "between",
    "without", "request", "response", "after", "under", "first", "second", "a", "the", "of", "to",
)  # fmt: skip


def nested(size: int, seed: int = 1) -> str:
    """Return document A, of at least ``size`` characters."""
    rng = random.Random(seed)
    sections: list[Any] = []
    report = {"title": _sentence(rng, 40), "draft": False, "version": 3, "sections": sections}
    length = len(json.dumps(report))
    while length < size:
        section = _section(rng, min(1.0, size / 10_000))
        sections.append(section)
        length += len(json.dumps(section)) + 2
    return json.dumps(report)


def long_string(size: int, seed: int = 1) -> str:
    """Return document B, of at least ``size`` characters."""
    rng = random.Random(seed)
    lines: list[str] = []
    length = 0
    while length < size:
        lines.append(_line(rng))
        length += len(json.dumps(lines[-1]))
    return json.dumps({"path": "src/report/summary.py", "content": "\n".join(lines) + "\n"})


def _sentence(rng: random.Random, size: int) -> str:
    words: list[str] = []
    length = 0
    while length < size:
        words.append(rng.choice(_WORDS))
        length += len(words[-1]) + 1
    return " ".join(words)


def _section(rng: random.Random, scale: float) -> dict[str, Any]:
    paragraph = _sentence(rng, rng.randint(60, int(80 + 720 * scale)))
    return {
        "heading": _sentence(rng, 20),
        "body": paragraph.replace(" because ", "\nbecause "),
        "reviewed": rng.random() < 0.5,
        "score": round(rng.uniform(-3, 10), 3),
        "figures": [
            {
                "id": rng.randrange(10_000),
                "label": _sentence(rng, rng.randint(20, 60)),
                "unit": rng.choice(["ms", "EUR", "tokens"]),
                "share": round(rng.random(), 4),
                "final": rng.random() < 0.5,
                "range": [rng.randrange(100), rng.randrange(100, 1000)],
            }
            for _ in range(rng.randint(1, 1 + int(5 * scale)))
        ],
        "tags": [rng.choice(_WORDS) for _ in range(rng.randint(0, 4))],
        "owner": None,
    }


def _line(rng: random.Random) -> str:
    indent = "    " * rng.randrange(3)
    name = f"{rng.choice(_WORDS)}_{rng.choice(_WORDS)}"
    match rng.randrange(5):
        case 0:
            return f'{indent}{name} = report["{name}"]'
        case 1:
            return f'{indent}print("{_sentence(rng, 20)}", {name})'
        case 2:
            return f"{indent}# {_sentence(rng, rng.randint(30, 60))}"
        case 3:
            return f'{indent}while "{name}" not in report and total < {rng.randrange(1000)}:'
        case _:
            return f"{indent}return {rng.random():.3f}"
