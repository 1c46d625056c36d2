"""Where the keys of a TOML document stand: ``tomllib`` reads values but forgets their lines.

The text has already been accepted by ``tomllib``, so this scan only has to find keys, not to judge them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

Path = tuple[str, ...]
"""The names from the document's root to a table or key."""

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*")
_PARTS = re.compile(_PART)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")

# One piece of a value. A multi-line string may end in up to five quotes: two of them are its own
# (TOML 1.0, "String").
_PIECE = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*'''
    r"""|(?P<open>[\[{])|(?P<close>[\]}])|(?P<end>\n)|[^"'\#\[\]{}\n]+""",
    re.DOTALL,
)


def positions(text: str) -> dict[Path, int]:
    """Return the line (from 1) of every table and key of the TOML document ``text``: where it is first named.

    Keys inside an inline table are not listed: their line is that of the table (`line_of` falls back to it).
    """
    found: dict[Path, int] = {}
    table: Path = ()
    at = _BLANK.match(text, 0).end()  # type: ignore[union-attr]  # it matches the empty string too
    line, counted = 1, 0
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        header = text[at] == "["
        while text[at] in "[ \t":
            at += 1
        key = _KEY.match(text, at)
        if key is None:
            break
        path = _names(key[0])
        table, path = (path, path) if header else (table, table + path)
        for length in range(1, len(path) + 1):
            found.setdefault(path[:length], line)
        at = _BLANK.match(text, _line_end(text, key.end())).end()  # type: ignore[union-attr]
    return found


def line_of(path: tuple[str | int, ...], lines: Mapping[Path, int]) -> int | None:
    """Return the line of ``path``, or of the nearest table around it that the document names."""
    names = tuple(str(part) for part in path)
    for length in range(len(names), 0, -1):
        if (line := lines.get(names[:length])) is not None:
            return line
    return None


def _names(key: str) -> Path:
    return tuple(_unquoted(part) for part in _PARTS.findall(key))


def _unquoted(part: str) -> str:
    return str(tomllib.loads(f"k = {part}")["k"]) if part[0] in "\"'" else part


def _line_end(text: str, at: int) -> int:
    """Return where the value (or the rest of the header) that begins at ``at`` ends, its line end included."""
    depth = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            break
        at = piece.end()
        if piece["open"]:
            depth += 1
        elif piece["close"]:
            depth -= 1
        elif piece["end"] and depth <= 0:
            break
    return at
