"""Beginning an answer anew after its content has begun: only for clients that said they can take it back. Pure.

A *reset* stands in the stream as an event of its own between two frames; everything before it is void, and the answer
begins again behind it, as if nothing had come. Whoever reads a log back therefore begins at its last reset.
"""

from __future__ import annotations

import msgspec

from tailrace.events import Error
from tailrace.sse import encode

RESET = "tailrace.reset"
"""Name of the event, and the ``type`` in its data."""

_MARK = f"event: {RESET}\n".encode()


def reset_frame(failure: Error) -> bytes:
    """Return the event that voids what came; ``reason`` is the kind of ``failure``."""
    return encode(msgspec.json.encode({"type": RESET, "reason": failure.kind}), event=RESET)


def behind_reset(data: bytes) -> bytes | None:
    """Return what of ``data``, whole frames, stands behind its last reset; None where it has none."""
    mark = data.rfind(_MARK)
    if mark < 0 or (mark > 0 and data[mark - 1 : mark] != b"\n"):
        return None
    return data[data.index(b"\n\n", mark) + 2 :]
