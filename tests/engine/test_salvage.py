"""What a dead relay's answers came to, out of the logs that it left: an estimate where a blank would be."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from tailrace.engine.salvage import Salvage
from tailrace.errors import Overloaded
from tailrace.ledger import NoLedger, Orphan, Outcome
from tailrace.log import MemoryStore, StreamInfo, StreamLog
from tailrace.simulator import frames_of, parse

pytestmark = pytest.mark.anyio

SAID = frames_of(parse("sim:tokens=30"), "anthropic")


class Book(NoLedger):
    def __init__(self, *orphans: str) -> None:
        self.left = [Orphan(f"row of {stream}", stream) for stream in orphans]
        self.amended: dict[str, Outcome] = {}

    def orphans(self) -> list[Orphan]:
        orphans, self.left = self.left, []
        return orphans

    def amend(self, outcomes: Mapping[str, Outcome]) -> None:
        self.amended |= outcomes


class Store(MemoryStore):
    away = False

    def __init__(self) -> None:
        super().__init__(clock=time.monotonic)

    async def find(self, stream_id: str) -> StreamLog | None:
        if self.away:
            raise Overloaded("away")
        return await super().find(stream_id)

    async def left(self, stream: str, frames: int, dialect: str = "anthropic") -> StreamLog:
        reply = {"id": "msg_1", "model": "sim", "created": 0}
        info = StreamInfo(id=stream, owner="me", dialect=dialect, model="sim", created=0.0, reply=reply)
        log = await self.create(info, ids=True)
        log.append(SAID[:frames])
        return log


async def test_what_was_said_is_counted() -> None:
    book, store = Book("cut", "whole", "gone"), Store()
    (await store.left("cut", 14)).close("interrupted")
    (await store.left("whole", len(SAID))).close("completed")
    await Salvage(book, store).look()
    assert book.amended.keys() == {"row of cut", "row of whole"}
    cut, whole = book.amended["row of cut"], book.amended["row of whole"]
    said = b"".join(SAID[:14]).count(b"text_delta")
    assert (cut.ending, cut.label, cut.usage.output_tokens) == ("interrupted", "estimated", said)
    assert cut.error == "interrupted"
    assert (whole.ending, whole.label, whole.usage.output_tokens, whole.error) == ("completed", "exact", 30, None)
    assert cut.seconds is whole.seconds is None


async def test_a_stream_that_nobody_has_ended_yet_waits_for_that() -> None:
    book, store = Book("cut"), Store()
    log = await store.left("cut", 14)
    salvage = Salvage(book, store)
    await salvage.look()
    assert not book.amended
    log.close("cancelled")
    await salvage.look()
    assert book.amended["row of cut"].ending == "cancelled"


async def test_a_store_that_is_away_is_asked_again() -> None:
    book, store = Book("cut"), Store()
    (await store.left("cut", 14)).close("interrupted")
    salvage, store.away = Salvage(book, store), True
    await salvage.look()
    assert not book.amended
    store.away = False
    await salvage.look()
    assert "row of cut" in book.amended


async def test_of_two_attempts_at_once_nobody_knows_whose_words_they_are() -> None:
    book, store = Book("cut", "cut"), Store()
    (await store.left("cut", 14)).close("interrupted")
    await Salvage(book, store).look()
    assert not book.amended


async def test_a_log_that_cannot_be_read_keeps_no_other_waiting() -> None:
    book, store = Book("odd", "cut"), Store()
    (await store.left("odd", 14, dialect="of another version")).close("interrupted")
    (await store.left("cut", 14)).close("interrupted")
    salvage = Salvage(book, store)
    for _ in range(2):
        await salvage.look()
    assert book.amended.keys() == {"row of cut"}
