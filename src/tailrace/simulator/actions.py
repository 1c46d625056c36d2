"""What the provider does on its connection, one action after the other."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

FOREVER = math.inf


class Wait(NamedTuple):
    """Do nothing for ``seconds``; `FOREVER` is until the client leaves."""

    seconds: float


class Head(NamedTuple):
    """The status line and headers.

    The body is ``length`` bytes where that is known; else it comes in chunks, or, with ``chunked`` False, lasts
    until the connection closes.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    length: int | None = None
    chunked: bool = True


class Send(NamedTuple):
    """Write ``data``, a part of the body, in one piece.

    ``event`` says that this is one whole wire event of the dialect, ``terminal`` that it is the terminal marker.
    """

    data: bytes
    event: bool = False
    terminal: bool = False


class Close(NamedTuple):
    """The end: properly (``end``), by closing in the middle of the body (``fin``), or by a reset (``rst``).

    ``early`` says that the script had more to say.
    """

    how: Literal["end", "fin", "rst"]
    early: bool = False


Action: TypeAlias = Wait | Head | Send | Close
