"""Text and environment in, `Settings` out: a pure function but for the secrets' files, which are read through a door.

Layers, the later over the earlier: the defaults, the file, ``TAILRACE__SECTION__KEY`` variables, the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pydantic

from tailrace.config import environment, known
from tailrace.config.files import Files, KeyFiles
from tailrace.config.keys import check_distinct, key_specs, parse_keys
from tailrace.config.lines import line_of, positions
from tailrace.config.problems import closest, fields, from_pydantic, together
from tailrace.config.secrets import Read
from tailrace.config.settings import Ledger, Logging, Logs, Settings
from tailrace.config.tables import Document, LedgerTable, ProviderTable
from tailrace.config.toml import toml
from tailrace.config.values import Surroundings
from tailrace.dialects import Quirks
from tailrace.engine import Limits, ProviderSpec, Secret
from tailrace.errors import ConfigError
from tailrace.server import KeySpec, ServerSpec

Keys = tuple[str, ...]

replace = msgspec.structs.replace


def load(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[Keys, tuple[Any, str]] | None = None
) -> Settings:
    """Return the settings of the file at ``path`` (None: no file) under ``environ``.

    ``overrides`` maps a key's path to its value and to what the user calls it: ``("server", "port"): (80, "--port")``.
    Raises `ConfigError` with every problem found. Where clients need keys, these can be read again from
    ``server.key_source``.
    """
    files = Files(path.parent if path else Path())
    settings = _load(path, environ, overrides, files)
    if not files.seen or not (settings.server.guarded or settings.keys_file):
        return settings
    # A copy of the environment, because workers get all this in writing.
    source = KeyFiles(files, partial(_keys, path, dict(environ), overrides))
    return replace(settings, server=replace(settings.server, key_source=source))


def _keys(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[Keys, tuple[Any, str]] | None,
    files: Files,
) -> tuple[KeySpec, ...]:
    return _load(path, environ, overrides, files).server.every_key


def _load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[Keys, tuple[Any, str]] | None,
    files: Files,
) -> Settings:
    text = "" if path is None else files.config(path)
    settings = parse(text, environ, overrides, source=str(path or ""), read=files.secret)
    if settings.keys_file:
        keys_path = (files.folder / settings.keys_file).expanduser()
        surroundings = Surroundings(environ, files.secret, tuple(settings.providers), [])
        more = parse_keys(files.config(keys_path), str(keys_path), surroundings)
        check_distinct((*settings.server.every_key, *more), str(keys_path))
        server = replace(settings.server, named_keys=(*settings.server.named_keys, *more))
        settings = replace(settings, server=server, hidden=(*settings.hidden, *surroundings.secrets))
    return settings


def parse(
    text: str,
    environ: Mapping[str, str],
    overrides: Mapping[Keys, tuple[Any, str]] | None = None,
    *,
    source: str = "",
    read: Read,
) -> Settings:
    """Return the settings that ``text`` says; see `load`. ``read`` reads the file of a ``file:PATH`` reference."""
    tree = toml(text, source)
    lines = positions(text)
    places: dict[Keys, str] = {}
    problems = _overlay(tree, environ, overrides or {}, places)

    def where(loc: tuple[str | int, ...]) -> str | None:
        keys = tuple(map(str, loc))
        for length in range(len(keys), 0, -1):
            if keys[:length] in places:
                return places[keys[:length]]
            if keys[:length] in lines:
                break
        line = line_of(loc, lines)
        return f"{source}:{line}" if source and line else source or None

    providers = _complete_providers(tree, environ)
    surroundings = Surroundings(environ, read, providers, [], named_keys=bool(tree.get("keys")))
    try:
        document = Document.model_validate(tree, context=surroundings)
    except pydantic.ValidationError as error:
        problems += from_pydantic(error.errors(include_url=False, include_input=False), where)
    else:
        if not problems:
            return _settings(document, source, tuple(surroundings.secrets))
    raise together(problems)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a configuration file, for editors."""
    document = Document.model_json_schema()
    # A well-known provider's table may be empty; which names those are, a schema of tables by free names cannot say.
    document["$defs"][ProviderTable.__name__].pop("required")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _overlay(
    tree: dict[str, Any],
    environ: Mapping[str, str],
    overrides: Mapping[Keys, tuple[Any, str]],
    places: dict[Keys, str],
) -> list[ConfigError]:
    """Put the variables and ``overrides`` into ``tree``, noting in ``places`` where each value came from."""
    problems = []
    for variable, path, text in environment.variables(environ):
        if not all(path) or path[0] not in Document.model_fields:
            sections = ", ".join(name.upper() for name in fields(()))
            hint = closest(path[0].upper(), sections.split(", ")) or f"; there are: {sections}"
            problems.append(ConfigError(f"no such section{hint}", where=variable))
            continue
        try:
            places[environment.put(tree, path, environment.value_of(text))] = variable
        except ValueError as error:
            problems.append(ConfigError(str(error), where=variable))
    for path, (value, name) in overrides.items():
        places[environment.put(tree, path, value)] = name
    return problems


def _complete_providers(tree: dict[str, Any], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Fill in what need not be written about well-known providers; return the names of all providers there are.

    Without any ``[providers]`` those whose key is in the environment are taken. With some, only these, and those
    that a route names and whose key is in the environment.
    """
    tables = tree.setdefault("providers", {})
    if not isinstance(tables, dict):
        return ()
    keyed = known.with_key(environ)
    for name in keyed if not tables else set(keyed) & _named_by_routes(tree):
        tables.setdefault(name, {})
    for name, table in tables.items():
        if isinstance(table, dict):
            tables[name] = {**known.table(name), **table}
    return tuple(tables) or (known.LOCAL.name,)


def _named_by_routes(tree: Mapping[str, Any]) -> set[str]:
    routes = tree.get("routes")
    tables = routes.values() if isinstance(routes, dict) else ()
    targets = [table.get("targets") for table in tables if isinstance(table, dict)]
    names = [name for value in targets for name in (value if isinstance(value, list) else [value])]
    return {name.partition("/")[0] for name in names if isinstance(name, str)}


def _settings(document: Document, source: str, secrets: tuple[Secret, ...]) -> Settings:
    server = document.server
    providers = {name: _provider(name, table) for name, table in document.providers.items()}
    logs = Logs(**dict(document.log))
    spec = ServerSpec(
        host=server.host.strip("[]"),
        port=server.port,
        keys=server.keys,
        named_keys=key_specs(document.keys),
        token_key=server.token_key,
        counters=logs.shared_url,
        allowed_hosts=server.allowed_hosts,
        cors_origins=server.cors_origins,
        workers=server.workers,
        shutdown_grace=server.shutdown_grace,
        ready_delay=server.ready_delay,
    )
    check_distinct(spec.every_key, source or None)
    return Settings(
        source=source,
        server=spec,
        keys_file=server.keys_file,
        hidden=secrets,
        providers=providers or {known.LOCAL.name: known.LOCAL},
        routes={name: table.spec(name) for name, table in document.routes.items()},
        limits=Limits(**document.limits.model_dump()),
        log=logs,
        ledger=_ledger(document.ledger, source),
        logging=Logging(level=document.logging.level, format=document.logging.format),
    )


def _ledger(table: LedgerTable, source: str) -> Ledger:
    # As with secrets' files: a relative path begins where the configuration lies.
    path = None if table.path is None else Path(source).parent / Path(table.path).expanduser()
    return Ledger(backend=table.backend, path=path, strict=table.strict, synchronous=table.synchronous)


def _provider(name: str, table: ProviderTable) -> ProviderSpec:
    return ProviderSpec(
        name=name,
        dialect=table.dialect,
        base_url=table.base_url,
        api_key=table.api_key,
        headers=table.headers,
        models=table.models,
        quirks=Quirks(**table.quirks.model_dump()),
        normalise=table.normalise,
    )
