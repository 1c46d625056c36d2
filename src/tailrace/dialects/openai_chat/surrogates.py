r"""Characters that a server has cut in two.

JSON may write a character beyond U+FFFF as two escapes, ``\ud83d\ude00``. Servers that count in UTF-16 (JavaScript,
Java) sometimes end a chunk between the two, and no Unicode text can hold half a character: the JSON decoder refuses
it. Here the halves are put together again; a half that stays alone becomes U+FFFD.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_LONE = b"\\ufffd"
_HIGH, _LOW, _SURROGATE = range(0xD800, 0xDC00), range(0xDC00, 0xE000), range(0xD800, 0xE000)


class Mender:
    """Puts the halves of one answer's characters together. It holds at most one half."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = b""

    def mend(self, data: bytes) -> bytes | None:
        """Return ``data``, one JSON document, without halves of characters; None when it has none."""
        mended = bytearray()
        done = paired = 0
        for escape in _ESCAPE.finditer(data):
            start, end = escape.span()
            if start < paired or not _is(_SURROGATE, escape):
                continue
            following = _ESCAPE.match(data, end) if _is(_HIGH, escape) else None
            if following is not None and _is(_LOW, following):
                paired = following.end()
                continue
            mended += data[done:start]
            mended += self._whole(escape, data[start - 1 : start], data[end : end + 1])
            done = end
        return bytes(mended + data[done:]) if done else None

    def _whole(self, escape: re.Match[bytes], before: bytes, after: bytes) -> bytes:
        """Return what stands for a half: nothing for one that waits, the character for one whose other half waits."""
        waiting, self._half = self._half, b""
        if _is(_LOW, escape):
            return waiting + escape[0] if waiting and before == b'"' else _LONE
        if after != b'"':
            return _LONE
        self._half = escape[0]
        return b""


def _is(units: range, escape: re.Match[bytes]) -> bool:
    return escape[1] is not None and int(escape[1], 16) in units
