"""``[keys.NAME]`` tables to keys, from the configuration and from a file of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pydantic

from tailrace.config.key_tables import KeyFile, KeyTable
from tailrace.config.lines import line_of, positions
from tailrace.config.problems import from_pydantic, together
from tailrace.config.toml import toml
from tailrace.config.values import Surroundings
from tailrace.errors import ConfigError
from tailrace.server import KeySpec, key_digest


def key_specs(tables: Mapping[str, KeyTable]) -> tuple[KeySpec, ...]:
    """Return what the tables say; of a key that is given itself only its digest is kept."""
    return tuple(
        KeySpec(
            name=name,
            digest=table.sha256 if table.key is None else key_digest(table.key.reveal()),
            models=table.models,
            doors=table.doors,
            admin=table.admin,
            streams=table.streams,
            requests_per_minute=table.requests_per_minute,
            tokens_per_day=table.tokens_per_day,
        )
        for name, table in tables.items()
    )


def parse_keys(text: str, source: str, surroundings: Surroundings) -> tuple[KeySpec, ...]:
    """Return the keys of a file that has nothing but ``[keys.NAME]`` tables; raises `ConfigError` with all problems."""
    tree = toml(text, source)
    lines = positions(text)

    def where(loc: tuple[str | int, ...]) -> str:
        line = line_of(loc, lines)
        return f"{source}:{line}" if line else source

    try:
        document = KeyFile.model_validate(tree, context=surroundings)
    except pydantic.ValidationError as error:
        problems = from_pydantic(error.errors(include_url=False, include_input=False), where)
        raise together(problems) from None
    return key_specs(document.keys)


def check_distinct(keys: Iterable[KeySpec], where: str | None) -> None:
    """Raise `ConfigError` when two keys have one name, or two names one key: whose streams would they be?"""
    by_name: dict[str, KeySpec] = {}
    by_digest: dict[str, KeySpec] = {}
    for key in keys:
        if key.name in by_name:
            raise ConfigError(f"keys.{key.name}: there are two keys of that name", where=where)
        if (other := by_digest.get(key.digest)) is not None:
            raise ConfigError(f"{other.name} and {key.name} are the same key", where=where)
        by_name[key.name] = by_digest[key.digest] = key
