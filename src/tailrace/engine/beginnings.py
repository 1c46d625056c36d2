"""Whether a provider's answer begins like a stream, and what it is where it does not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tailrace.errors import RemoteProtocolError

COMPRESSED = {b"\x1f": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How compressed answers begin, whatever their header says (RFC 1952, RFC 8878)."""

DOCUMENTS = {"gemini": b"<", "ollama": b"<["}
"""First characters, by dialect, of what is no stream but one document. Elsewhere, in event streams, no line that means
anything begins with "<", "[" or "{"; Gemini may stream as an array, and Ollama's lines are objects."""

MARK = b"\xef\xbb\xbf"
"""A byte order mark, which an event stream may begin with."""

_ENCODING = re.compile(r"[A-Za-z0-9, ._-]{1,40}", re.ASCII)


def check_encoding(provider: str, labels: Iterable[str]) -> None:
    """Raise `RemoteProtocolError` when the answer's ``Content-Encoding`` fields name one: nothing is ever unpacked."""
    encoding = ",".join(labels)
    if encoding.strip().lower() not in {"", "identity"}:
        shown = encoding if _ENCODING.fullmatch(encoding) else "an encoding"
        raise RemoteProtocolError(f"{provider} answered in {shown}, although no encoding was asked for")


def is_document(provider: str, dialect: str, first: bytes) -> bool:
    """Whether an answer that begins with ``first`` is one JSON document.

    Raises `RemoteProtocolError` when it is compressed, or a web page.
    """
    for magic, encoding in COMPRESSED.items():
        if first.startswith(magic):
            raise RemoteProtocolError(f"{provider} answered in {encoding}, although no encoding was asked for")
    begin = first.removeprefix(MARK).lstrip()[:1]
    if not begin or begin not in DOCUMENTS.get(dialect, b"<[{"):
        return False
    if begin == b"<":
        raise RemoteProtocolError(f"{provider} answered with a web page where a stream was asked for")
    return True
