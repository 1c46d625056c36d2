"""View tokens: one stream, for a while, without the key."""

from __future__ import annotations

import msgspec


class ViewToken(msgspec.Struct, frozen=True):
    """What ``POST /streams/{id}/tokens`` answers; ``expires`` in Unix seconds."""

    token: str
    stream: str
    scope: str
    expires: int

    def __repr__(self) -> str:
        return f"ViewToken(…, stream={self.stream!r}, scope={self.scope!r}, expires={self.expires})"
