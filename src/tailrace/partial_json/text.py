"""The inside of a JSON string: what may be decoded now, and what must wait for its other half.

RFC 8259 section 7. At most 11 characters ever wait: the escape of a high surrogate (6), whose partner may be the next
escape, and the beginning of that escape (5).
"""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined]

# Possessive: a string of a megabyte leaves no trail of positions to go back to.
_body = re.compile(r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+').match
_waiting = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?").match

_SURROGATE_ESCAPE = 6


def inside(text: str) -> str:
    """Decode a fragment that lies inside a string from end to end; "" when it does not, or part of it must wait."""
    if text[-1] != "\\":
        try:
            run: str
            run, stop = scanstring(text + '"', 0)
        except ValueError:
            return ""
        if stop > len(text) and not "\ud800" <= run[-1] <= "\udbff":
            return run
    return ""


def read(text: str, at: int) -> tuple[str, int]:
    """Decode the part of a string's inside that begins at ``at``; ``text`` has a quote after its end.

    Returns the characters and the index of the first one not decoded: the closing quote (that of the string, or the
    one after the end), or what `first_fault` is to judge. A lone surrogate is kept, as `json.loads` does.
    """
    if text[-2] == "\\" and text.find('"', at) == len(text) - 1:  # it would make that quote part of the string
        run = text[at:-2]
        if "\\" not in run and run.isprintable():
            return run, len(text) - 2
    else:
        try:
            run, stop = scanstring(text, at)
        except ValueError:
            pass
        else:
            if stop < len(text) or not run or not "\ud800" <= run[-1] <= "\udbff":
                return run, stop - 1
    end = len(text) - 1
    stop = _body(text, at, end).end()  # type: ignore[union-attr]
    run = text[at:stop]
    if "\\" not in run:
        return run, stop
    decoded = scanstring(run + '"', 0)[0]
    if (stop == end or text[stop] != '"') and "\ud800" <= decoded[-1] <= "\udbff" and run[-1] != decoded[-1]:
        return decoded[:-1], stop - _SURROGATE_ESCAPE
    return decoded, stop


def first_fault(text: str, at: int) -> int | None:
    """Return the index of the character that no string may have; None when all that is left may yet be decoded."""
    end = len(text) - 1
    if at == end - 1 and text[at] == "\\":
        return None
    stop: int = _waiting(text, at, end).end()  # type: ignore[union-attr]
    return None if stop == end else stop
