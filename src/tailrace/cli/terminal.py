"""Data to stdout, everything else to stderr, each piece flushed as it comes."""

from __future__ import annotations

import os
import sys

# What could move the cursor, change colours or paste into the shell: all controls but tab and line end.
_HARMLESS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def put(text: str) -> None:
    """Write a model's words to stdout, at once. On a terminal, control characters cannot act."""
    if sys.stdout.isatty():
        text = text.replace("\r\n", "\n").translate(_HARMLESS)
    _write(text)


def line(text: str) -> None:
    """Write one line of data of our own to stdout."""
    _write(f"{text}\n")


def say(text: str) -> None:
    """Write a line about the work to stderr."""
    sys.stderr.write(f"{text.translate(_HARMLESS)}\n")
    sys.stderr.flush()


def aside(text: str) -> None:
    """Write a line to stderr that may be overlooked: dim where colours are wanted."""
    say_plain = text.translate(_HARMLESS)
    sys.stderr.write(f"\x1b[2m{say_plain}\x1b[0m\n" if _colours() else f"{say_plain}\n")
    sys.stderr.flush()


def interactive() -> bool:
    """Whether somebody sits there and can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _colours() -> bool:
    # https://no-color.org: any value but the empty one.
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
