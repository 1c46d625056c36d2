"""What a configuration says once it has been read: plain frozen values, keys already resolved."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from tailrace.engine import Limits, ProviderSpec, RouteSpec
from tailrace.server import ServerSpec

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "text", "json"]


class Logging(msgspec.Struct, frozen=True, kw_only=True):
    """What the server writes about itself, to stderr. ``auto`` is text on a terminal and JSON elsewhere."""

    level: LogLevel = "info"
    format: LogFormat = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration. ``source`` names the file it came from, "" where there was none."""

    source: str = ""
    server: ServerSpec = ServerSpec()
    providers: dict[str, ProviderSpec] = {}
    routes: dict[str, RouteSpec] = {}
    limits: Limits = Limits()
    log_backend: Literal["memory"] = "memory"
    logging: Logging = Logging()

    @property
    def local(self) -> bool:
        """Whether a provider is the model that runs in this process."""
        return any(spec.local for spec in self.providers.values())
