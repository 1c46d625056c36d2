"""``TAILRACE__SECTION__KEY`` variables as a layer over the file.

Names are matched without regard to case, and ``_`` also stands for ``-``: ``TAILRACE__ROUTES__MY_ROUTE__GRACE``
reaches ``[routes.my-route]``. A value that begins with ``[`` or ``{`` is JSON; any other is text, which the field's
type turns into what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "TAILRACE__"

Path = tuple[str, ...]


def variables(environ: Mapping[str, str]) -> Iterator[tuple[str, Path, str]]:
    """Yield ``(variable, path, value)`` for each variable that is meant for us, in the order of their names."""
    for name in sorted(environ):
        if name.upper().startswith(PREFIX):
            yield name, tuple(part.lower() for part in name[len(PREFIX) :].split("__")), environ[name]


def value_of(text: str) -> Any:
    """Return what ``text`` says; raises ``ValueError`` for JSON that is none, without repeating it."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not valid JSON (a value that begins with [ or { must be)") from None


def put(tree: dict[str, Any], path: Path, value: Any) -> Path:
    """Set ``value`` at ``path`` in ``tree`` and return the path by the names that ``tree`` already had.

    A value in the way that is no table stays as it is: the reader of the tree reports it.
    """
    spelled: list[str] = []
    for part in path[:-1]:
        name = _spelling(part, tree)
        spelled.append(name)
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            return tuple(spelled)
        tree = below
    name = _spelling(path[-1], tree)
    tree[name] = value
    return (*spelled, name)


def _spelling(part: str, tree: Mapping[str, Any]) -> str:
    return next((name for name in tree if name.lower().replace("-", "_") == part), part)
