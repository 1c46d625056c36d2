r"""Characters that a server has cut in two.

JSON may write a character beyond U+FFFF as two escapes, ``\ud83d\ude00``. Servers that count in UTF-16 (JavaScript,
Java) sometimes end a chunk between the two, and no Unicode text can hold half a character: the JSON decoder refuses
it. Here the halves are put together again; a half that stays alone becomes U+FFFD.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_LONE = b"\\ufffd"


class Mender:
    """Puts the halves of one answer's characters together. It holds at most one half."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = b""

    def mend(self, data: bytes) -> bytes | None:
        """Return ``data``, one JSON document, without halves of characters; None when it has none."""
        pieces: list[bytes] = []
        done = 0
        escapes = list(_ESCAPE.finditer(data))
        for i, escape in enumerate(escapes):
            start, end = escape.span()
            unit = int(escape[1], 16) if escape[1] else 0
            if start < done or not 0xD800 <= unit <= 0xDFFF:
                continue
            if unit < 0xDC00:
                following = escapes[i + 1] if i + 1 < len(escapes) else None
                if following and following.start() == end and following[1] and _is_low(following[1]):
                    pieces.append(data[done : following.end()])
                    done = following.end()
                    continue
                whole = b""
                if data[end : end + 1] == b'"':
                    self._half = data[start:end]
                else:
                    whole = _LONE
            else:
                whole = self._half + data[start:end] if self._half and data[start - 1 : start] == b'"' else _LONE
                self._half = b""
            pieces += (data[done:start], whole)
            done = end
        return b"".join((*pieces, data[done:])) if done else None


def _is_low(digits: bytes) -> bool:
    return 0xDC00 <= int(digits, 16) <= 0xDFFF
