"""What is wrong with a configuration, said so that one can go and mend it: place, key, sentence, suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic_core import ErrorDetails

from tailrace.config.tables import TABLES
from tailrace.errors import ConfigError

Where = Callable[[tuple[str | int, ...]], str | None]
"""Path of a key → its place (``tailrace.toml:12`` or a variable's name)."""


def from_pydantic(errors: Iterable[ErrorDetails], where: Where) -> list[ConfigError]:
    """Return pydantic's findings in this project's words. The values themselves are never repeated."""
    return [ConfigError(f"{_dotted(error['loc'])}: {_sentence(error)}", where=where(error["loc"])) for error in errors]


def together(problems: list[ConfigError]) -> ConfigError:
    """Return one error that says all of ``problems``, in the order of their lines."""
    if len(problems) == 1:
        return problems[0]
    problems = sorted(problems, key=_line)
    return ConfigError("\n".join(map(str, problems)), problems=tuple(problems))


def closest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean …?)`` for a misspelt ``name``, or nothing."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def fields(table: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the table at this path may have."""
    model = TABLES.get(_pattern(table))
    return list(model.model_fields) if model else []


def _sentence(error: ErrorDetails) -> str:
    kind, loc = error["type"], error["loc"]
    if kind == "extra_forbidden":
        known = fields(loc[:-1])
        return "unknown key" + (closest(str(loc[-1]), known) or f"; there are: {', '.join(known)}")
    if kind == "missing":
        return "is required"
    if kind in {"model_type", "dict_type", "model_attributes_type"}:
        return "must be a table"
    if kind == "tuple_type":
        return "must be a list"
    if kind == "literal_error" and loc == ("log", "backend"):
        return "there is no such backend here; there are: 'memory', 'redis'"
    return error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


def _line(problem: ConfigError) -> int:
    _, _, line = (problem.where or "").rpartition(":")
    return int(line) if line.isdecimal() else 0


def _dotted(loc: tuple[str | int, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _pattern(table: tuple[str | int, ...]) -> tuple[Any, ...]:
    return tuple(
        "*" if at == 1 and table[0] in {"keys", "providers", "routes"} else part for at, part in enumerate(table)
    )
