"""The tables of a configuration file, as pydantic checks them and as the JSON Schema shows them to editors.

Unknown keys are errors everywhere: a misspelt ``on_disconect`` must not silently mean the default. Defaults are
those of the plain values these become (`tailrace.engine`'s specs, `tailrace.config.settings`): one place says each.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from tailrace.config.key_tables import KeyTable
from tailrace.config.routes import BudgetTable, DeadlinesTable, RetryTable, RouteTable
from tailrace.config.settings import Ledger, LogFormat, Logging, LogLevel, Logs
from tailrace.config.table import Table
from tailrace.config.values import (
    BaseUrl,
    Count,
    DialectName,
    Host,
    HostAndPort,
    Name,
    Origin,
    RedisUrl,
    Seconds,
    SecretReference,
    Surroundings,
    header,
    listed,
)
from tailrace.dialects import Quirks
from tailrace.engine import Limits, Secret
from tailrace.server import ServerSpec, is_loopback

MAX_WORKERS = 256
"""More processes than any machine has cores for; a slip of the finger must not start thousands."""

MIN_TOKEN_KEY = 32
"""Fewest characters of the secret that signs tokens: as many hexadecimal digits are 128 bits."""


class ServerTable(Table):
    """``[server]``"""

    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=ServerSpec().port, description="0 takes any free port.")
    keys: Annotated[tuple[SecretReference, ...], BeforeValidator(listed)] = Field(
        default=(), description="Keys that clients must show, each as env:NAME or file:PATH; each opens everything."
    )
    keys_file: str = Field(
        default="", description="A file of [keys.NAME] tables, read again when it changes, without a restart."
    )
    token_key: SecretReference = Field(
        default=None, description="env:NAME or file:PATH. Signs view tokens; the same on every node."
    )
    host: Host = Field(
        default=ServerSpec().host,
        description="Address to listen on. Beyond this machine only with keys.",
        validate_default=True,
    )
    allowed_hosts: Annotated[tuple[Host, ...], BeforeValidator(listed)] = Field(
        default=(), description="Further names that clients may call this server by (the Host header)."
    )
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(listed)] = Field(
        default=(), description="Origins of web pages that may call."
    )
    workers: Annotated[int, Field(ge=1, le=MAX_WORKERS)] = Field(
        default=ServerSpec().workers, description="Processes that share the address; more than one with a shared log."
    )
    shutdown_grace: Seconds = Field(
        default=ServerSpec().shutdown_grace, description="Seconds that running answers get to finish at shutdown."
    )
    ready_delay: Seconds = Field(
        default=ServerSpec().ready_delay,
        description="Seconds of the grace in which the port stays open, not ready, for balancers to notice.",
    )

    @field_validator("token_key")
    @classmethod
    def _long(cls, value: Secret | None) -> Secret | None:
        if value is not None and len(value.reveal()) < MIN_TOKEN_KEY:
            raise ValueError(f"has fewer than {MIN_TOKEN_KEY} characters: whoever guesses it can read every stream")
        return value

    @field_validator("host")
    @classmethod
    def _guarded(cls, value: str, info: ValidationInfo[Surroundings]) -> str:
        if is_loopback(value) or "keys" not in info.data:
            return value
        if not (info.data["keys"] or info.data.get("keys_file") or info.context.named_keys):
            raise ValueError(
                f"listening on {value} lets other machines in, and no keys are set. "
                'Set server.keys = ["env:TAILRACE_SERVER_KEY"] (and that variable), or listen on 127.0.0.1'
            )
        return value


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

    dialect: DialectName = Field(description="The wire format it speaks.")
    base_url: BaseUrl = Field(description="As the provider's own SDK takes it: OpenAI's ends in /v1.")
    api_key: SecretReference = Field(default=None, description="env:NAME or file:PATH.")
    headers: dict[str, str] = Field(
        default={}, description="Further request headers; a value may be env:NAME or file:PATH."
    )
    models: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=(), description="Names to list for it; clients may ask for others."
    )
    normalise: bool = Field(
        default=False,
        description="Write its answers anew even for its own dialect: for servers whose streams break the SDKs.",
    )
    quirks: QuirksTable = QuirksTable()

    @field_validator("headers")
    @classmethod
    def _resolved(cls, headers: dict[str, str], info: ValidationInfo[Surroundings]) -> dict[str, str]:
        return {name: header(name, value, info.context) for name, value in headers.items()}


class LimitsTable(Table):
    """``[limits]``: bytes, counts and seconds."""

    body: Count = Field(default=Limits().body, description="Bytes of a request.")
    high_water: Count = Field(
        default=Limits().high_water, description="Bytes a reader may lag before its provider is paused."
    )
    low_water: Count = Field(default=Limits().low_water, description="Bytes of lag at which the provider goes on.")
    log_bytes: Count = Field(default=Limits().log_bytes, description="Bytes kept of one stream.")
    log_frames: Count = Field(default=Limits().log_frames, description="Events kept of one stream.")
    logs_bytes: Count = Field(
        default=Limits().logs_bytes, description="Bytes kept of all streams; finished ones leave first."
    )
    logs: Count = Field(default=Limits().logs, description="Streams at once.")
    ttl: Seconds = Field(default=Limits().ttl, description="Seconds that a finished stream stays readable.")
    reader_stall: Seconds = Field(
        default=Limits().reader_stall,
        description="Seconds without progress after which a reader is cut, its cursor intact.",
    )
    breaker_failures: Annotated[int, Field(ge=0)] = Field(
        default=Limits().breaker_failures,
        description="Failures in a row after which a provider is not asked for a while; 0 is off.",
    )
    breaker_seconds: Seconds = Field(default=Limits().breaker_seconds, description="That while.")
    heartbeat: Seconds = Field(
        default=Limits().heartbeat, description="Seconds of silence before one is sent; 0 is off."
    )
    open_early_after: Seconds = Field(
        default=Limits().open_early_after,
        description="Seconds to wait for the first event before answering 200 without it.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> LimitsTable:
        for low, high in (("low_water", "high_water"), ("log_bytes", "logs_bytes")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not be greater than {high}")
        return self


class LogTable(Table):
    """``[log]``: where streams are kept for resuming."""

    backend: Literal["memory", "redis"] = Field(
        default="memory",
        description="memory: one process, gone with it. redis: any of several processes resumes or stops any stream.",
    )
    url: RedisUrl | None = Field(
        default=None, description="redis://host:port/0, or rediss:// with TLS; env:NAME or file:PATH with a password."
    )
    sentinels: Annotated[tuple[HostAndPort, ...], BeforeValidator(listed)] = Field(
        default=(), description="host:port of each sentinel; the url's host does not matter then."
    )
    master: str = Field(default=Logs().master, description="What the sentinels call the Redis.")
    durability: Literal["D0", "D1", "D2", "D3"] = Field(
        default=Logs().durability,
        description="When an event may be sent: Redis has it (D0, D1), has synced it (D2), a replica has it, too (D3).",
    )
    lease: Annotated[Seconds, Field(ge=1)] = Field(
        default=Logs().lease,
        description="Silent for so long a process is dead; within twice that another one ends its streams.",
    )
    write_wait: Annotated[Seconds, Field(ge=1)] = Field(
        default=Logs().write_wait, description="How long an event may wait to be stored before its stream ends."
    )
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{0,64}$")] = Field(
        default=Logs().prefix, description="What the keys in Redis begin with."
    )

    @model_validator(mode="after")
    def _complete(self) -> LogTable:
        if self.backend == "redis" and self.url is None:
            raise ValueError('backend = "redis" needs a url')
        if bool(self.sentinels) != bool(self.master):
            raise ValueError("sentinels and master need each other")
        return self


class LedgerTable(Table):
    """``[ledger]``: where attempts and what they used are written down."""

    backend: Literal["sqlite", "none"] = Field(
        default=Ledger().backend,
        description="sqlite: a file, which several processes may share. none: nothing is kept.",
    )
    path: Annotated[str | None, Field(min_length=1)] = Field(
        default=None,
        description="The file. Default: tailrace/ledger.sqlite3 where this user's programs keep their state.",
    )
    strict: bool = Field(
        default=Ledger().strict,
        description="While the file cannot be written: refuse new work (503), instead of keeping rows in memory.",
    )
    synchronous: Literal["normal", "full"] = Field(
        default=Ledger().synchronous, description="normal: rows outlive a crash of the process. full: a power cut, too."
    )


class LoggingTable(Table):
    """``[logging]``: what the server writes about itself."""

    level: LogLevel = Logging().level
    format: LogFormat = Logging().format


class Document(Table):
    """A Tailrace configuration."""

    server: ServerTable = ServerTable()
    keys: dict[Name, KeyTable] = Field(default={})
    providers: dict[Name, ProviderTable] = Field(default={})
    routes: dict[Name, RouteTable] = Field(default={})
    limits: LimitsTable = LimitsTable()
    log: LogTable = LogTable()
    ledger: LedgerTable = LedgerTable()
    logging: LoggingTable = LoggingTable()


TABLES: dict[tuple[str, ...], type[Table]] = {
    (): Document,
    ("server",): ServerTable,
    ("keys", "*"): KeyTable,
    ("providers", "*"): ProviderTable,
    ("providers", "*", "quirks"): QuirksTable,
    ("routes", "*"): RouteTable,
    ("routes", "*", "deadlines"): DeadlinesTable,
    ("routes", "*", "retry"): RetryTable,
    ("routes", "*", "budget"): BudgetTable,
    ("limits",): LimitsTable,
    ("log",): LogTable,
    ("ledger",): LedgerTable,
    ("logging",): LoggingTable,
}
"""Each table by its path; ``*`` is a name of the user's choice."""
