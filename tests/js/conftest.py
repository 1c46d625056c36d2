"""The house of the server's own tests, and clients that hear nothing from this machine's environment."""

from __future__ import annotations

from tests.clients.conftest import House, clean_environment, house, limits, make_relay

__all__ = ["House", "clean_environment", "house", "limits", "make_relay"]
