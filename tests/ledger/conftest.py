"""Whatever the ledger does in these tests, it must not block the event loop (M5)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def unblocked() -> Iterator[None]:
    with blockbuster_ctx("tailrace.ledger"):
        yield
