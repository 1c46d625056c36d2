"""Room: partial_json.

Knows: JSON (RFC 8259) in fragments: what each one brought, the value so far, the three ends.
Does not know: events of a message, tools, schemas, providers.
May import: errors.
Start reading at: events.py, then scanner.py.
"""

from tailrace.partial_json.events import (
    Began,
    Completed,
    Event,
    Grew,
    KeyRepeated,
    Kind,
    Path,
    pointer,
    replay,
)
from tailrace.partial_json.parser import MAX_DEPTH, MAX_NUMBER, MAX_SIZE, Parser, State

__all__ = [
    "MAX_DEPTH",
    "MAX_NUMBER",
    "MAX_SIZE",
    "Began",
    "Completed",
    "Event",
    "Grew",
    "KeyRepeated",
    "Kind",
    "Parser",
    "Path",
    "State",
    "pointer",
    "replay",
]
