"""``tailrace config``: is a configuration right, and what may it say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli.options import examples

if TYPE_CHECKING:
    from tailrace.config import Settings
    from tailrace.server import ServerSpec

DEFAULT_FILE = "tailrace.toml"

CHECK_EXAMPLES = examples("tailrace config check", "tailrace config check /etc/tailrace.toml")
SCHEMA_EXAMPLES = examples(
    "tailrace config schema > tailrace.schema.json",
    "# first line of tailrace.toml, for editors with Taplo:  #:schema ./tailrace.schema.json",
)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="TAILRACE_CONFIG",
        metavar="FILE",
        help=f"Configuration. Default: {DEFAULT_FILE}, if there is one; else the keys in the environment.",
    ),
]


def read_settings(
    file: Path | None, host: str | None = None, port: int | None = None, workers: int | None = None
) -> Settings:
    """Return the settings of ``file`` (else of the default file, if it is there) under the command line's options."""
    import os

    from tailrace.config import load

    default = Path(DEFAULT_FILE)
    given: dict[tuple[str, ...], tuple[object, str]] = {
        ("server", "host"): (host, "--host"),
        ("server", "port"): (port, "--port"),
        ("server", "workers"): (workers, "--workers"),
    }
    overrides = {path: (value, name) for path, (value, name) in given.items() if value is not None}
    return load(file or (default if default.is_file() else None), os.environ, overrides)


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", envvar="TAILRACE_CONFIG", help=f"Default: {DEFAULT_FILE}.")
    ] = None,
) -> int:
    """Check a configuration: every mistake with its line, and what it adds up to."""
    from tailrace.cli.terminal import line

    settings = read_settings(file)
    line(f"{settings.source or 'no file: the environment'}: ok")
    line(f"listens on {settings.server.host}:{settings.server.port}, {_keys(settings.server)}")
    for spec in settings.providers.values():
        where = "in this process" if spec.local else f"{spec.dialect} at {spec.base_url}"
        line(f"provider {spec.name}: {where}{'' if spec.api_key or spec.local else ', without a key'}")
    for route in settings.routes.values():
        line(f"route {route.name}: {' then '.join(map(str, route.targets))}, {route.policy.on_disconnect}")
    return 0


def schema() -> int:
    """Print the JSON Schema of the configuration, for editors."""
    import json

    from tailrace.cli.terminal import line
    from tailrace.config import schema as json_schema

    line(json.dumps(json_schema(), indent=2))
    return 0


def _keys(server: ServerSpec) -> str:
    count = len(server.every_key)
    return f"clients need one of {count} keys" if server.guarded else "clients need no key"
