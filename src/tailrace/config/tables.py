"""The tables of a configuration file, as pydantic checks them and as the JSON Schema shows them to editors.

Unknown keys are errors everywhere: a misspelt ``on_disconect`` must not silently mean the default. Defaults are
those of the plain values these become (`tailrace.engine`'s specs, `tailrace.config.settings`): one place says each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from tailrace.config.secrets import PATTERN, Read, is_reference, is_sensitive_header, resolve
from tailrace.config.settings import LogFormat, Logging, LogLevel
from tailrace.dialects import DIALECTS, Quirks
from tailrace.engine import Deadlines, Limits, OnDisconnect, Policy, Secret, Target
from tailrace.server import ServerSpec


class Surroundings(NamedTuple):
    """What validation needs beside the document: the environment, a way to read files, the providers there are."""

    environ: Mapping[str, str]
    read: Read
    providers: tuple[str, ...]


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of providers and routes. No slash: ``provider/model`` is cut at the first one."""

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_])?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2, token
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")

# aiohttp writes these itself, or a second one would change where the message ends (RFC 9112 section 6.3).
_FRAMING_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


def _list(value: Any) -> Any:
    """Let a variable say ``a, b`` for a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _secret(value: Any, info: ValidationInfo[Surroundings]) -> Secret:
    here = info.context
    return resolve(value, here.environ, here.read)


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("a name has letters, digits, '.', '_' and '-' only, and at most 64 of them")
    return value


def _base_url(value: str) -> str:
    try:
        url = urlsplit(value)
        port_is_right = url.port != 0
    except ValueError:
        port_is_right = False
        url = urlsplit("")
    if not port_is_right or url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("must be an address like https://api.example.com/v1")
    if url.username or url.password:
        raise ValueError("must not hold a user name or password: use api_key or headers")
    if url.query or url.fragment:
        raise ValueError("must end with its path: no ? and no #")
    return value.rstrip("/")


def _dialect(value: str) -> str:
    if value not in DIALECTS:
        raise ValueError(f"must be one of {', '.join(sorted(DIALECTS))}")
    return value


def _target(value: Any, info: ValidationInfo[Surroundings]) -> Target:
    here = info.context
    provider, slash, model = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (provider and slash and model):
        raise ValueError("must be provider/model, like openai/gpt-5-mini")
    if provider not in here.providers:
        known = ", ".join(here.providers) or "none"
        raise ValueError(f"names the provider {provider!r}, which is not configured (there is: {known})")
    return Target(provider, model)


def _host(value: str) -> str:
    if not _HOST.fullmatch(value) and _address(value) is None:
        raise ValueError("must be a host name or an IP address, without a port")
    return value


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return None


def _origin(value: str) -> str:
    if value == "*":
        return value
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query or url.fragment:
        raise ValueError('must be an origin like https://chat.example.com (or "*")')
    return value


_reference_schema = WithJsonSchema({"type": "string", "pattern": PATTERN})
_target_schema = WithJsonSchema({"type": "string", "pattern": "^[^/]+/.+$"})

Name: TypeAlias = Annotated[str, AfterValidator(_name)]
SecretReference: TypeAlias = Annotated[Any, BeforeValidator(_secret), _reference_schema]
TargetName: TypeAlias = Annotated[Any, BeforeValidator(_target), _target_schema]
Host: TypeAlias = Annotated[str, AfterValidator(_host)]
Origin: TypeAlias = Annotated[str, AfterValidator(_origin)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(gt=0)]


class Table(BaseModel):
    """What all tables share."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ServerTable(Table):
    """``[server]``"""

    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=ServerSpec().port, description="0 takes any free port.")
    keys: Annotated[tuple[SecretReference, ...], BeforeValidator(_list)] = Field(
        default=(), description="Keys that clients must show, each as env:NAME or file:PATH."
    )
    host: Host = Field(
        default=ServerSpec().host,
        description="Address to listen on. Beyond this machine only with keys.",
        validate_default=True,
    )
    allowed_hosts: Annotated[tuple[Host, ...], BeforeValidator(_list)] = Field(
        default=(), description="Further names that clients may call this server by (the Host header)."
    )
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_list)] = Field(
        default=(), description="Origins of web pages that may call."
    )
    shutdown_grace: Seconds = Field(
        default=ServerSpec().shutdown_grace, description="Seconds that running answers get to finish at shutdown."
    )

    @field_validator("host")
    @classmethod
    def _guarded(cls, value: str, info: ValidationInfo[Surroundings]) -> str:
        if "keys" in info.data and not info.data["keys"] and not is_loopback(value):
            raise ValueError(
                f"listening on {value} lets other machines in, and no keys are set. "
                'Set server.keys = ["env:TAILRACE_SERVER_KEY"] (and that variable), or listen on 127.0.0.1'
            )
        return value


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    address = _address(host)
    return address.is_loopback if address else host.lower() == "localhost"


class QuirksTable(Table):
    """``[providers.NAME.quirks]``"""

    eof_ends: bool = Field(
        default=Quirks().eof_ends, description="The server omits its dialect's terminal marker: closing is the end."
    )
    old_max_tokens: bool = Field(
        default=Quirks().old_max_tokens, description="The server knows max_tokens, not max_completion_tokens."
    )
    no_stream_options: bool = Field(
        default=Quirks().no_stream_options,
        description="The server refuses stream_options, and sends its usage unasked.",
    )


class ProviderTable(Table):
    """``[providers.NAME]``"""

    dialect: Annotated[str, AfterValidator(_dialect)] = Field(description="The wire format it speaks.")
    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        description="As the provider's own SDK takes it: OpenAI's ends in /v1."
    )
    api_key: SecretReference = Field(default=None, description="env:NAME or file:PATH.")
    headers: dict[str, str] = Field(
        default={}, description="Further request headers; a value may be env:NAME or file:PATH."
    )
    models: Annotated[tuple[str, ...], BeforeValidator(_list)] = Field(
        default=(), description="Names to list for it; clients may ask for others."
    )
    quirks: QuirksTable = QuirksTable()

    @field_validator("headers")
    @classmethod
    def _resolved(cls, headers: dict[str, str], info: ValidationInfo[Surroundings]) -> dict[str, str]:
        return {name: _header(name, value, info.context) for name, value in headers.items()}


def _header(name: str, value: str, here: Surroundings) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _FRAMING_HEADERS:
        raise ValueError(f"{name!r} is not a header that can be set")
    if is_reference(value):
        return resolve(value, here.environ, here.read).reveal()
    if is_sensitive_header(name):
        raise ValueError(f"{name} usually carries a key: give it as env:NAME or file:PATH")
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} has characters that no header may have")
    return value


class DeadlinesTable(Table):
    """``[routes.NAME.deadlines]``: seconds; 0 waits for ever."""

    connect: Annotated[Seconds, Field(gt=0)] = Deadlines().connect
    first_content: Seconds = Deadlines().first_content or 0
    idle: Seconds = Deadlines().idle or 0
    total: Seconds = Deadlines().total or 0


class RouteTable(Table):
    """``[routes.NAME]``"""

    targets: Annotated[tuple[TargetName, ...], BeforeValidator(_list), Field(min_length=1)] = Field(
        description="provider/model, in order of preference."
    )
    on_disconnect: OnDisconnect = Field(
        default=Policy().on_disconnect,
        description="When the last reader has gone: cancel after the grace, detach (finish), drain (finish for usage).",
    )
    grace: Seconds = Field(default=Policy().grace, description="Seconds in which a reader may come back before cancel.")
    deadlines: DeadlinesTable = DeadlinesTable()


class LimitsTable(Table):
    """``[limits]``: bytes, counts and seconds."""

    body: Count = Limits().body
    high_water: Count = Limits().high_water
    low_water: Count = Limits().low_water
    log_bytes: Count = Limits().log_bytes
    log_frames: Count = Limits().log_frames
    logs_bytes: Count = Limits().logs_bytes
    logs: Count = Limits().logs
    ttl: Seconds = Limits().ttl
    reader_stall: Seconds = Limits().reader_stall
    heartbeat: Seconds = Field(
        default=Limits().heartbeat, description="Seconds of silence before one is sent; 0 is off."
    )
    open_early_after: Seconds = Limits().open_early_after

    @model_validator(mode="after")
    def _ordered(self) -> LimitsTable:
        for low, high in (("low_water", "high_water"), ("log_bytes", "logs_bytes")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not be greater than {high}")
        return self


class LogTable(Table):
    """``[log]``: where streams are kept for resuming."""

    backend: Literal["memory"] = "memory"


class LoggingTable(Table):
    """``[logging]``: what the server writes about itself."""

    level: LogLevel = Logging().level
    format: LogFormat = Logging().format


class Document(Table):
    """A Tailrace configuration."""

    server: ServerTable = ServerTable()
    providers: dict[Name, ProviderTable] = {}
    routes: dict[Name, RouteTable] = {}
    limits: LimitsTable = LimitsTable()
    log: LogTable = LogTable()
    logging: LoggingTable = LoggingTable()


TABLES: dict[tuple[str, ...], type[Table]] = {
    (): Document,
    ("server",): ServerTable,
    ("providers", "*"): ProviderTable,
    ("providers", "*", "quirks"): QuirksTable,
    ("routes", "*"): RouteTable,
    ("routes", "*", "deadlines"): DeadlinesTable,
    ("limits",): LimitsTable,
    ("log",): LogTable,
    ("logging",): LoggingTable,
}
"""Each table by its path; ``*`` is a name of the user's choice."""
