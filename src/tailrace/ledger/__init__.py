"""Room: ledger.

Knows: what was asked of which provider, for whom, what it used and how it ended: one row for each attempt.
Does not know: streams' frames, HTTP, routes, prices (these come later).
May import: events, errors.
Start reading at: base.py, then owed.py and sqlite.py.
"""

from tailrace.ledger.base import Attempt, Ledger, NoLedger, Orphan, Outcome, Row
from tailrace.ledger.sqlite import SqliteLedger
from tailrace.ledger.store import Synchronous, read

__all__ = ["Attempt", "Ledger", "NoLedger", "Orphan", "Outcome", "Row", "SqliteLedger", "Synchronous", "read"]
