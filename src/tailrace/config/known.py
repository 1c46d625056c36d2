"""Providers that need no configuration: a key under its usual name in the environment is enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tailrace.dialects import KNOWN_PROVIDERS
from tailrace.engine import ProviderSpec

LOCAL = ProviderSpec(name="local", dialect="openai_chat", models=("smollm2-135m",), local=True)
"""The model in this process: what answers when nobody has a key. Who starts the server brings its upstream."""


def with_key(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the well-known providers whose key is in ``environ``."""
    return [known.name for known in KNOWN_PROVIDERS.values() if environ.get(known.key_variable, "").strip()]


def table(name: str) -> dict[str, Any]:
    """Return what a ``[providers.NAME]`` table of a well-known provider would say; {} for other names."""
    known = KNOWN_PROVIDERS.get(name)
    if known is None:
        return {}
    return {
        "dialect": known.dialect,
        "base_url": known.base_url,
        "api_key": f"env:{known.key_variable}",
        "quirks": msgspec.structs.asdict(known.quirks),
    }
