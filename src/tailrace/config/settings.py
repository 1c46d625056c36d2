"""What a configuration says once it has been read: plain frozen values, keys already resolved."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from tailrace.engine.spec import Limits, ProviderSpec, RouteSpec, Secret

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "text", "json"]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server listens and whom it lets in.

    ``keys`` are what clients must show; none means that everybody who can connect may ask, which is why the host
    must then be this machine. ``allowed_hosts`` are further names for the Host header beside the address listened
    on; ``cors_origins`` the origins of web pages that may call. ``shutdown_grace`` is how many seconds running
    answers get to finish once the server has been told to stop.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    keys: tuple[Secret, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    shutdown_grace: float = 20.0


class Logging(msgspec.Struct, frozen=True, kw_only=True):
    """What the server writes about itself, to stderr. ``auto`` is text on a terminal and JSON elsewhere."""

    level: LogLevel = "info"
    format: LogFormat = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration. ``source`` names the file it came from, "" where there was none."""

    source: str = ""
    server: Server = Server()
    providers: dict[str, ProviderSpec] = {}
    routes: dict[str, RouteSpec] = {}
    limits: Limits = Limits()
    log_backend: Literal["memory"] = "memory"
    logging: Logging = Logging()

    @property
    def local(self) -> bool:
        """Whether a provider is the model that runs in this process."""
        return any(spec.local for spec in self.providers.values())
