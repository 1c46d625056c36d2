"""The ledger's tables and all of its SQL, as literals: no statement is ever put together.

Readable with the ``sqlite3`` shell: one table, one row for each attempt, the figures in columns. Order is ``seq``, not
``started``: a clock can step.
"""

from __future__ import annotations

from typing import Any

from tailrace.events import Usage
from tailrace.ledger.base import Attempt, Outcome, Row

APPLICATION = 0x7461696C  # "tail"
"""``PRAGMA application_id``: tells our files from other programs' databases."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE attempts (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            stream TEXT NOT NULL,
            number INTEGER NOT NULL,
            owner TEXT NOT NULL,
            door TEXT NOT NULL,
            asked TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            started REAL NOT NULL,          -- Unix seconds, UTC
            ending TEXT,                    -- null while it goes on
            seconds REAL,
            first_content REAL,
            error TEXT,
            status INTEGER,
            input_tokens INTEGER,           -- null: nobody said
            output_tokens INTEGER,
            cache_read_tokens INTEGER,
            cache_write_tokens INTEGER,
            reasoning_tokens INTEGER,
            label TEXT NOT NULL DEFAULT 'unknown',
            writer TEXT NOT NULL,
            recovered INTEGER NOT NULL DEFAULT 0  -- 1: closed by another, because its writer had died
        )
        """,
        "CREATE INDEX attempts_stream ON attempts (stream)",
        # Small at any age of the ledger: what goes on, and what the dead left.
        "CREATE INDEX attempts_open ON attempts (writer) WHERE ending IS NULL",
        "PRAGMA application_id = 0x7461696C",
        "PRAGMA user_version = 1",
    ),
)
"""Step n brings a file from version n to n + 1. A step that was ever released is never changed: add another."""

# A row may be written again after a failure of which nobody knows whether it came before or after the commit.
OPEN = """
    INSERT INTO attempts (id, stream, number, owner, door, asked, provider, model, started, writer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
# The writer knows better than who took it for dead.
CLOSE = """
    UPDATE attempts SET ending = ?, seconds = ?, first_content = ?, error = ?, status = ?, input_tokens = ?,
        output_tokens = ?, cache_read_tokens = ?, cache_write_tokens = ?, reasoning_tokens = ?, label = ?, recovered = 0
    WHERE id = ? AND (ending IS NULL OR recovered = 1)
"""
WITHDRAW = "DELETE FROM attempts WHERE id = ? AND (ending IS NULL OR recovered = 1)"
UNFINISHED = "SELECT DISTINCT writer FROM attempts WHERE ending IS NULL AND writer <> ?"
RECOVER = """
    UPDATE attempts SET ending = 'interrupted', error = 'interrupted', recovered = 1
    WHERE writer = ? AND ending IS NULL
"""
ORPHANS = "SELECT id, stream FROM attempts WHERE writer = ? AND ending IS NULL ORDER BY seq"
# Among the newest, so that a start does not read the whole of an old ledger.
UNKNOWN = """
    SELECT id, stream FROM attempts
    WHERE seq > (SELECT coalesce(max(seq), 0) FROM attempts) - 10000 AND recovered = 1 AND label = 'unknown'
    ORDER BY seq
"""
AMEND = """
    UPDATE attempts SET ending = ?, seconds = ?, first_content = ?, error = ?, status = ?, input_tokens = ?,
        output_tokens = ?, cache_read_tokens = ?, cache_write_tokens = ?, reasoning_tokens = ?, label = ?
    WHERE id = ? AND recovered = 1
"""
_ROW = """
    SELECT id, stream, number, owner, door, asked, provider, model, started, ending, seconds, first_content, error,
        status, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, label
    FROM attempts
"""
NEWEST = _ROW + " ORDER BY seq DESC LIMIT ?"
NEWEST_OF_STREAM = _ROW + " WHERE stream = ? ORDER BY seq DESC LIMIT ?"

MAX_TEXT = 512
"""Most characters of a name that are stored: a client may ask for a "model" of megabytes."""

_MAX_INTEGER = 2**63 - 1  # SQLite's


def opening(attempt: Attempt, writer: str) -> tuple[Any, ...]:
    """Return the values for `OPEN`."""
    names = (attempt.owner, attempt.door, attempt.asked, attempt.provider, attempt.model)
    return (attempt.id, attempt.stream, attempt.number, *map(_text, names), attempt.started, writer)


def closing(attempt_id: str, outcome: Outcome) -> tuple[Any, ...]:
    """Return the values for `CLOSE` or `AMEND`."""
    return (
        outcome.ending,
        outcome.seconds,
        outcome.first_content,
        None if outcome.error is None else _text(outcome.error),
        outcome.status,
        *map(_figure, outcome.usage.values),
        outcome.label,
        attempt_id,
    )


def row(values: tuple[Any, ...]) -> Row:
    """Return what `NEWEST` or `NEWEST_OF_STREAM` read."""
    (id_, stream, number, owner, door, asked, provider, model, started), rest = values[:9], values[9:]
    ending, seconds, first_content, error, status, *figures, label = rest
    attempt = Attempt(
        id=id_,
        stream=stream,
        number=number,
        owner=owner,
        door=door,
        asked=asked,
        provider=provider,
        model=model,
        started=started,
    )
    if ending is None:
        return Row(attempt=attempt, outcome=None)
    outcome = Outcome(
        ending=ending,
        seconds=seconds,
        first_content=first_content,
        error=error,
        status=status,
        usage=Usage(*figures),
        label=label,
    )
    return Row(attempt=attempt, outcome=outcome)


def _text(value: str) -> str:
    # A JSON string may hold half a surrogate pair, which UTF-8 cannot: it would make the row impossible to write.
    return value[:MAX_TEXT].encode("utf-8", "replace").decode()


def _figure(value: int | None) -> int | None:
    # A figure that cannot be is not known.
    return value if value is not None and 0 <= value <= _MAX_INTEGER else None
