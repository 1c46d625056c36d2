"""Room: ledger.

Knows: what was asked of which provider, for whom, what it used and how it ended: one row for each attempt.
Does not know: streams' frames, HTTP, routes, prices (these come later).
May import: events, errors.
Start reading at: base.py, then sqlite.py.
"""

from tailrace.ledger.base import Attempt, Ledger, NoLedger, Outcome, Row

__all__ = ["Attempt", "Ledger", "NoLedger", "Outcome", "Row"]
