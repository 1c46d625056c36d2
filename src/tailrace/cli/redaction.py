"""What no log line may show: the one place through which everything passes that a server writes about itself.

The finished line is cleaned, after its renderer: whatever a secret hid in (a field, an exception's message, a
traceback, another library's sentence) it is text by then.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import quote

HIDDEN = "…"

MIN_SECRET = 8
"""Fewest characters of a value that is looked for: a shorter one stands in ordinary words, and is no key."""

_LOOKS_LIKE_ONE = re.compile(
    r"""(?P<before>
          (?i:\b(?:bearer|basic)\s+)                                          # Authorization's value
        | (?i:\b(?:x-api-key|x-goog-api-key|api-key|api_key|authorization|cookie)["']?\s*[:=]\s*(?:b?["'])?
             (?:(?:bearer|basic)\s+)?)
        | (?i:\b(?:key|token|api_key)=)                                        # in an address
        | (?i:\b[a-z][a-z0-9+.-]*://[^\s/@:]*:)(?=[^\s/@]+@)                  # a password in an address
      )
      [^\s"'&<>@,;]+
    | \bvt1\.[A-Za-z0-9_.-]+                                                  # view tokens
    | \btrk_[A-Za-z0-9_-]{16,}                                                # keys made here
    """,
    re.VERBOSE,
)


class Redactor:
    """Replaces secrets by "…": those it is told, in each of the forms they are written in, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= MIN_SECRET for form in _forms(secret)}
        # The longest first: one secret may begin with another.
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """Return ``text`` without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _LOOKS_LIKE_ONE.sub(lambda match: (match["before"] or "") + HIDDEN, text)

    def processor(self, _logger: Any, _name: str, line: Any) -> str:
        """Clean what structlog has rendered; must be its last processor."""
        return self(line if isinstance(line, str) else line.decode(errors="replace"))


class CleanFormatter(logging.Formatter):
    """Formats the standard library's records, other libraries' among them, and cleans the result."""

    def __init__(self, form: str, redactor: Redactor) -> None:
        super().__init__(form)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, with its traceback, without secrets."""
        return self._redactor(super().format(record))


def clean_crashes(redactor: Redactor) -> None:
    """Have what ends the process, or a thread of it, said without secrets too."""

    def said(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        import traceback

        sys.stderr.write(redactor("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = said


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    # As a string of JSON, or as Python shows one; and that once more as a string of JSON, in a field of a line.
    shown = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return {
        *shown,
        *(json.dumps(form)[1:-1] for form in shown),
        quote(secret, safe=""),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        raw.hex(),
    }
