"""What these tests share: following in fragments, and what may be said of two states of one document."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from tailrace.errors import InvalidOutput
from tailrace.structured import Follower, Partial, shape


def follow(of: Any, fragments: Iterable[str]) -> Any:
    """Return the whole; raises `InvalidOutput`."""
    follower = Follower(shape(of))
    for fragment in fragments:
        follower.feed(fragment)
    return follower.close()


def states(of: Any, fragments: Iterable[str]) -> Iterator[Any]:
    """Yield what is shown after each fragment, kept; ends where the document turns out invalid."""
    follower = Follower(shape(of))
    for fragment in fragments:
        try:
            follower.feed(fragment)
        except InvalidOutput:
            return
        yield copy.deepcopy(follower.value)


def refused(of: Any, text: str) -> InvalidOutput:
    """Return the exception that ``text`` ends with, which is the same in any fragments."""
    told = []
    for fragments in ([text], text):
        try:
            value = follow(of, fragments)
        except InvalidOutput as error:
            told.append(error)
        else:
            raise AssertionError(f"{value!r} was accepted")
    assert (told[0].path, told[0].reason) == (told[1].path, told[1].reason)
    return told[0]


def extends(later: Any, earlier: Any) -> bool:
    """Whether nothing that ``earlier`` shows is taken back in ``later``."""
    if earlier is None:
        return True
    if isinstance(earlier, Partial):
        return type(later) is type(earlier) and extends(vars(later), vars(earlier))
    if isinstance(earlier, dict):
        return list(later)[: len(earlier)] == list(earlier) and all(
            extends(later[key], earlier[key]) for key in earlier
        )
    if isinstance(earlier, list):
        return len(later) >= len(earlier) and all(map(extends, later, earlier))
    if type(earlier) is str:
        return type(later) is str and later.startswith(earlier)
    return repr(later) == repr(earlier)
