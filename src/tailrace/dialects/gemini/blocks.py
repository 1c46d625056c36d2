"""Blocks of the vocabulary to parts, alike for a stream and for a whole answer.

Signatures must be base64: Google's Python SDK reads them as bytes, and sends those back in the URL-safe alphabet. One
that is anything else, as another provider's may be, travels in an envelope that is.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from tailrace.dialects.gemini.names import NAME
from tailrace.dialects.gemini.wire import an_object, to_json

_ENVELOPE = b"tailrace:"
_STANDARD = str.maketrans("-_", "+/")


def seal(signature: str) -> str:
    """Return ``signature`` as base64 that comes back as `unseal` wants it."""
    if _canonical(signature):
        return signature
    return base64.b64encode(_ENVELOPE + signature.encode("utf-8", "surrogatepass")).decode()


def unseal(signature: str) -> str:
    """Return the signature that a client sent back, in whichever alphabet, as its provider wrote it."""
    standard = standard_base64(signature)
    try:
        data = base64.b64decode(standard, validate=True)
        if data.startswith(_ENVELOPE):
            return data[len(_ENVELOPE) :].decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        # No client of this dialect gets such a one from here: a word of Google's own.
        return signature
    return standard


def standard_base64(data: str) -> str:
    """Return ``data`` in base64's standard alphabet and padded (RFC 4648 section 4)."""
    standard = data.translate(_STANDARD)
    return standard + "=" * (-len(standard) % 4)


def _canonical(text: str) -> bool:
    """Whether ``text`` is base64 that is the same after it has been read and written, and no envelope."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64.b64encode(data).decode() == text and not data.startswith(_ENVELOPE)


def text_part(text: str, signature: str | None = None, *, thought: bool = False) -> dict[str, Any]:
    """Return the part that says ``text``."""
    part: dict[str, Any] = {"text": text}
    if thought:
        part["thought"] = True
    return part if signature is None else {**part, "thoughtSignature": seal(signature)}


def call_part(identity: str, name: str, arguments: str, signature: str | None) -> bytes | None:
    """Return the JSON of the part that says a call; None when its arguments are no JSON object.

    A client that got a call without its arguments, or with others, would run it.
    """
    args = an_object(arguments or "{}")
    if args is None:
        return None
    said = b'{"functionCall":{"id":%b,"name":%b,"args":%b}' % (to_json(identity), to_json(name), args.encode())
    return said + (b"}" if signature is None else b',"thoughtSignature":%b}' % to_json(seal(signature)))


def own_part(data: Any, dialect: str | None, signature: str | None = None) -> dict[str, Any] | None:
    """Return a part that was carried as this dialect wrote it; None for one of another dialect."""
    if dialect != NAME or not isinstance(data, dict) or not data:
        return None
    return data if signature is None else {**data, "thoughtSignature": seal(signature)}


def is_citation(citation: dict[str, Any]) -> bool:
    """Whether ``citation`` is one of this dialect, which has no types; others have one."""
    return "type" not in citation
