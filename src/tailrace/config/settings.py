"""What a configuration says once it has been read: plain frozen values, keys already resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec
import platformdirs

from tailrace.engine import Limits, ProviderSpec, RouteSpec, Secret
from tailrace.server import ServerSpec

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "text", "json"]


class Logging(msgspec.Struct, frozen=True, kw_only=True):
    """What the server writes about itself, to stderr. ``auto`` is text on a terminal and JSON elsewhere."""

    level: LogLevel = "info"
    format: LogFormat = "auto"


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """Where streams are kept; what the values mean stands at the table's fields. ``url`` may hold a password."""

    backend: Literal["memory", "redis"] = "memory"
    url: Secret | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    durability: Literal["D0", "D1", "D2", "D3"] = "D1"
    lease: float = 5.0
    write_wait: float = 10.0
    prefix: str = "tailrace:"

    @property
    def shared_url(self) -> Secret | None:
        """The URL of the Redis that all nodes share, with the sentinels' addresses in it where there are some.

        None with the memory backend. That form of URL is redis-py's plus that of the library `limits`.
        """
        if self.backend != "redis" or self.url is None:
            return None
        if not self.sentinels:
            return self.url
        user, at, _ = urlsplit(self.url.reveal()).netloc.rpartition("@")
        hosts = ",".join(f"{host}:{port}" for host, port in self.sentinels)
        return Secret(f"redis+sentinel://{user}{at}{hosts}/{self.master}")


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Where attempts are written down; what the values mean stands at the table's fields."""

    backend: Literal["sqlite", "none"] = "sqlite"
    path: Path | None = None
    strict: bool = False
    synchronous: Literal["normal", "full"] = "normal"

    @property
    def file(self) -> Path:
        """The file of the ledger: ``path``, or where this user's programs keep their state."""
        return self.path or platformdirs.user_state_path("tailrace", appauthor=False) / "ledger.sqlite3"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration. ``source`` names the file it came from, "" where there was none.

    ``keys_file`` is where further keys are, by its path from that file's folder; "" for nowhere. ``hidden`` are
    all values that were given by reference: what no log line may show.
    """

    source: str = ""
    server: ServerSpec = ServerSpec()
    keys_file: str = ""
    hidden: tuple[Secret, ...] = ()
    providers: dict[str, ProviderSpec] = {}
    routes: dict[str, RouteSpec] = {}
    limits: Limits = Limits()
    log: Logs = Logs()
    ledger: Ledger = Ledger()
    logging: Logging = Logging()

    @property
    def local(self) -> bool:
        """Whether a provider is the model that runs in this process."""
        return any(spec.local for spec in self.providers.values())
