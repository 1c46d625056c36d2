"""Keys by reference: ``env:NAME`` or ``file:PATH``, never the key itself.

No message of this module repeats what it was given where that might be a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tailrace.engine import Secret

Read = Callable[[str], str]
"""Reads a secret's file by the path the reference gives; raises ``OSError`` or ``ValueError``."""

MAX_FILE = 16 * 1024
"""Most bytes of a secret's file. Keys are below 4 KiB, tokens of cloud providers among them."""

PATTERN = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"

_REFERENCE = re.compile(PATTERN)

# What may stand in an HTTP header value (RFC 9110 section 5.5), without blanks: no key has any.
_KEY = re.compile(r"[\x21-\x7e]+")

_SENSITIVE_HEADER = re.compile(r"authorization|cookie|key|secret|token|password", re.IGNORECASE)


def is_reference(text: str) -> bool:
    """Whether ``text`` names a variable or a file."""
    return _REFERENCE.fullmatch(text) is not None


def is_sensitive_header(name: str) -> bool:
    """Whether a header of this name usually carries a key."""
    return _SENSITIVE_HEADER.search(name) is not None


def resolve(reference: object, environ: Mapping[str, str], read: Read) -> Secret:
    """Return the key that ``reference`` names; raises ``ValueError`` saying what is wrong with the reference."""
    if not isinstance(reference, str) or not is_reference(reference):
        raise ValueError("must name a variable (env:NAME) or a file (file:PATH); a key itself is never written here")
    kind, _, name = reference.partition(":")
    text = _variable(name, environ) if kind == "env" else _file(name, read)
    if not _KEY.fullmatch(text):
        raise ValueError(f"{reference} holds characters that no key has (blanks, line ends or non-ASCII)")
    return Secret(text)


def _variable(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value is None:
        raise ValueError(f"the environment variable {name} is not set")
    if not value.strip():
        raise ValueError(f"the environment variable {name} is empty")
    return value.strip()


def _file(path: str, read: Read) -> str:
    try:
        value = read(path).strip()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or type(error).__name__}") from error
    except ValueError as error:
        raise ValueError(f"cannot read {path}: it is not a short text file") from error
    if not value:
        raise ValueError(f"the file {path} is empty")
    return value
