"""TOML text to a tree, or to a `ConfigError` with its line."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tailrace.errors import ConfigError


def toml(text: str, source: str) -> dict[str, Any]:
    """Return what ``text``, the content of the file ``source``, says."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # "Expected '=' after a key in a key/value pair (at line 3, column 5)": tomllib names no values.
        message, line = str(error), ""
        if place := re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message):
            message = message[: place.start()]
            line = f":{place[1] or text.count(chr(10)) + 1}"
        raise ConfigError(f"not valid TOML: {message}", where=f"{source}{line}" if source else None) from error
