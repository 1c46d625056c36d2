"""The house of the server's own tests, and clients that hear nothing from this machine's environment."""

from __future__ import annotations

import os

import pytest

# Before anything imports it: what a failed check compared is shown.
pytest.register_assert_rewrite("tests.clients.checks", "tests.clients.local")

from tests.server.conftest import House, house, limits, make_relay  # noqa: E402

__all__ = ["House", "clean_environment", "house", "limits", "make_relay"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs take keys, base URLs and proxies from variables: what a test does must not depend on them."""
    for name in list(os.environ):
        if name.upper().startswith(("ANTHROPIC_", "OPENAI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
