"""How what clients name becomes part of a key: hashed, so that it has one length and says nothing to who lists keys."""

from __future__ import annotations

import hashlib


def hashed(*parts: str) -> str:
    """Return 32 hexadecimal characters (128 bits) that stand for ``parts``."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
