"""How these tests read a configuration: from text, with files that are a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tailrace.config import Settings, parse
from tailrace.errors import ConfigError

FILE = "tailrace.toml"


def read(
    text: str,
    environ: Mapping[str, str] | None = None,
    *,
    files: Mapping[str, str] | None = None,
    overrides: Mapping[tuple[str, ...], tuple[Any, str]] | None = None,
) -> Settings:
    def open_file(name: str) -> str:
        try:
            return (files or {})[name]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory") from None

    return parse(text, environ or {}, overrides, source=FILE, read=open_file)


def problems(text: str, environ: Mapping[str, str] | None = None, **more: Any) -> list[str]:
    """Return what is wrong with ``text``, one line each; nothing being wrong is a failure."""
    with pytest.raises(ConfigError) as caught:
        read(text, environ, **more)
    found = [str(problem) for problem in caught.value.problems]
    assert str(caught.value) == "\n".join(found)
    return found
