"""The contract suite of stream logs: every implementation of `tailrace.log.LogStore` passes it, one's own as well.

Subclass `LogContract` in a test module, or `SharedLogContract` where two stores see each other's streams, say how a
store is opened, and run pytest::

    class TestMyLogs(SharedLogContract):
        @contextlib.asynccontextmanager
        async def open(self, listener, caps):
            store = MyStore(ttl=caps.ttl, max_bytes=caps.max_bytes, max_frames=caps.max_frames)
            await store.start(listener)
            yield store
            await store.aclose()

The tests are named after the invariants L1 … L10 of `tailrace.log.base`. They need pytest and anyio's pytest plugin.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AbstractAsyncContextManager

import pytest

from tailrace.errors import LimitExceeded, Mismatch
from tailrace.events import Ending
from tailrace.log import Claim, LogStore, StoreListener
from tailrace.testing.log_parts import Caps, Listener, Nodes, everything, frames, grown, info, stamped, until


@pytest.mark.anyio
class LogContract:
    """The suite for the logs of one process."""

    shared = False

    def open(self, listener: StoreListener, caps: Caps) -> AbstractAsyncContextManager[LogStore]:
        """Open a started store; leaving closes it."""
        raise NotImplementedError

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Logs are asyncio's."""
        return "asyncio"

    # ---- L1, L2: numbers and bytes -----------------------------------------------------------------------------

    @pytest.mark.parametrize("ids", [True, False])
    async def test_l1_frames_are_numbered_in_order(self, *, ids: bool) -> None:
        """Whatever the appends were cut into."""
        async with self.open(Listener(), Caps()) as store:
            log = await store.create(info(), ids=ids)
            said = frames(9)
            log.append(said[:1])
            log.append([])
            log.append(said[1:5])
            log.append(said[5:])
            await until(lambda: log.tail == 9, "tail 9")
            assert everything(log) == (stamped(said) if ids else b"".join(said))

    @pytest.mark.parametrize("seed", range(5))
    async def test_l1_any_reader_reads_without_gap_or_repeat(self, seed: int) -> None:
        """Any cursor, any limit, while it grows."""
        chance = random.Random(seed)
        async with self.open(Listener(), Caps()) as store:
            log = await store.create(info(), ids=True)
            said: list[bytes] = []
            while len(said) < 60:
                more = [b"data: %s\n\n" % (b"x" * chance.randrange(60)) for _ in range(chance.randrange(5))]
                said += more
                log.append(more)
                if chance.random() < 0.5:
                    await asyncio.sleep(0)
                tail, after = log.tail, chance.randrange(0, log.tail + 1)
                whole = stamped(said[:tail])
                assert whole.endswith(everything(log, after, chance.randrange(1, 200)))
                assert log.size_at(tail) == log.size == len(whole)
            await until(lambda: log.tail == len(said), "all of it")
            for after in (0, 1, 30, len(said)):
                assert everything(log, after, 50) == stamped(said[after:], after + 1)

    async def test_l1_a_read_is_bounded_but_never_empty(self) -> None:
        """About ``limit`` bytes, at least one frame."""
        async with self.open(Listener(), Caps()) as store:
            log = await store.create(info(), ids=False)
            said = [b"x" * 100 for _ in range(10)]
            log.append(said)
            await until(lambda: log.tail == 10)
            assert log.read(0, 1) == (said[0], 1)
            assert log.read(3, 250) == (b"x" * 200, 5)
            assert log.read(10, 100) == (b"", 10)

    # ---- L3, L4, L5: stored, closed, told ----------------------------------------------------------------------

    async def test_l3_backlog_is_what_cannot_be_read_yet(self) -> None:
        """And nothing in the end."""
        async with self.open(Listener(), Caps()) as store:
            log = await store.create(info(), ids=False)
            log.append(frames(5))
            assert log.size + log.backlog == len(b"".join(frames(5)))
            assert log.count == 5
            await until(lambda: log.tail == 5)
            assert log.backlog == 0

    async def test_l4_the_first_ending_stays_and_nothing_follows_it(self) -> None:
        """Its frames come with it."""
        async with self.open(Listener(), Caps()) as store:
            log = await store.create(info(), ids=True)
            log.append(frames(2))
            log.close("cancelled", frames(1, 3))
            log.close("completed", frames(1, 9))
            log.append(frames(1, 9))
            await until(lambda: log.ending is not None, "the end")
            assert (log.ending, log.tail, everything(log)) == ("cancelled", 3, stamped(frames(3)))
            await asyncio.sleep(0.05)
            assert (log.ending, log.tail) == ("cancelled", 3)

    async def test_l5_watchers_are_told_for_each_step_not_each_frame(self) -> None:
        """After it, so that they find what they were told of."""
        async with self.open(Listener(), Caps()) as store:
            log = await store.create(info(), ids=True)
            seen: list[tuple[int, Ending | None]] = []
            unwatch = log.watch(lambda: seen.append((log.tail, log.ending)))
            log.append(frames(100))
            await until(lambda: log.tail == 100)
            log.close("completed", frames(1, 101))
            await until(lambda: log.ending is not None)
            assert seen == [(100, None), (101, "completed")]
            unwatch()

    async def test_l5_a_watcher_may_leave_while_it_is_told(self) -> None:
        """And is told nothing more."""
        async with self.open(Listener(), Caps()) as store:
            log = await store.create(info(), ids=True)
            told: list[str] = []

            def leaver() -> None:
                told.append("leaver")
                unwatch()

            unwatch = log.watch(leaver)
            log.watch(lambda: told.append("stayer"))
            for number in (1, 2):
                log.append(frames(1, number))
                await until(grown(log, number))
            assert told == ["leaver", "stayer", "stayer"]

    # ---- L6: bounds --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("caps", [Caps(max_bytes=49), Caps(max_frames=5)], ids=["bytes", "frames"])
    async def test_l6_past_a_cap_nothing_of_the_append_is_stored(self, caps: Caps) -> None:
        """But the end has room."""
        async with self.open(Listener(), caps) as store:
            log = await store.create(info(), ids=False)
            log.append(frames(5))
            with pytest.raises(LimitExceeded):
                log.append(frames(2, 6))
            log.close("failed", frames(1, 6))
            await until(lambda: log.ending is not None)
            assert (log.tail, everything(log)) == (6, b"".join(frames(6)))

    # ---- L9: names, lists, stops -------------------------------------------------------------------------------

    async def test_l9_a_name_finds_the_newest_of_its_owner(self) -> None:
        """From the beginning or given later, here or elsewhere."""
        async with self._nodes(2 if self.shared else 1) as stores:
            store, other = stores[0], stores[-1]
            name = f"chat-{random.getrandbits(64)}"
            first = await store.create(info(names=(name,)), ids=True)
            assert await self._id_of(other, "me", name) == first.info.id
            second = await store.create(info(names=(name,)), ids=True)
            assert await self._id_of(other, "me", name) == second.info.id
            third = await store.create(info(), ids=True)
            third.call(name)
            third.append(frames(1))
            await until(lambda: third.tail == 1)
            assert await self._id_of(other, "me", name) == third.info.id
            assert await other.find_named("you", name) is None

    async def test_lists_are_of_ones_own_newest_first(self) -> None:
        """With tail and ending."""
        async with self._nodes(2 if self.shared else 1) as stores:
            store, other = stores[0], stores[-1]
            me = f"me-{random.getrandbits(64)}"
            logs = [await store.create(info(owner=me), ids=True) for _ in range(4)]
            await store.create(info(owner="you"), ids=True)
            logs[1].close("failed", frames(2))
            await until(lambda: logs[1].ending is not None)
            told = [(entry.info.id, entry.tail, entry.ending) for entry in await other.owned_by(me, 3)]
            wanted = [(logs[3].info.id, 0, None), (logs[2].info.id, 0, None), (logs[1].info.id, 2, "failed")]
            assert told == wanted

    async def test_an_unknown_stream_is_not_found(self) -> None:
        """By id or name."""
        async with self.open(Listener(), Caps()) as store:
            assert await store.find("nobody") is None
            assert await store.find_named("me", "nobody") is None

    async def test_a_finished_stream_goes_when_its_time_is_over(self) -> None:
        """And its claim is free again."""
        async with self.open(Listener(), Caps(ttl=0.3)) as store:
            claim = self._claim()
            log = await store.create(info(), ids=True, claim=claim)
            log.close("completed", frames(1))
            await until(lambda: log.ending is not None)
            assert await store.find(log.info.id) is not None
            gone: list[str] = []
            while log.info.id not in gone:
                gone += store.sweep()
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.05)
            assert await store.find(log.info.id) is None
            again = info()
            assert (await store.create(again, ids=True, claim=claim)).info.id == again.id

    # ---- L10: claims -------------------------------------------------------------------------------------------

    async def test_l10_of_fifty_with_one_claim_one_begins(self) -> None:
        """The others get its log, on whatever node they are."""
        async with self._nodes(2 if self.shared else 1) as stores:
            claim = self._claim()
            asked = [(stores[n % len(stores)], info()) for n in range(50)]
            logs = await asyncio.gather(*(store.create(one, ids=True, claim=claim) for store, one in asked))
            winner = {log.info.id for log in logs}
            assert len(winner) == 1
            assert sum(one.id in winner for _, one in asked) == 1

    async def test_l10_another_fingerprint_is_refused(self) -> None:
        """Another owner's is another claim."""
        async with self.open(Listener(), Caps()) as store:
            claim = self._claim()
            await store.create(info(), ids=True, claim=claim)
            with pytest.raises(Mismatch):
                await store.create(info(), ids=True, claim=claim._replace(fingerprint="other"))
            other = info(owner="you")
            log = await store.create(other, ids=True, claim=claim._replace(fingerprint="other"))
            assert log.info.id == other.id

    async def test_l10_a_released_claim_is_free(self) -> None:
        """At once, on the same node."""
        async with self.open(Listener(), Caps()) as store:
            claim = self._claim()
            await store.create(info(), ids=True, claim=claim)
            store.release("me", claim)
            again = info()
            assert (await store.create(again, ids=True, claim=claim)).info.id == again.id

    async def test_l10_who_has_a_claim_is_found_without_making_one(self) -> None:
        """On any node, by its owner, and by nobody who says something else."""
        async with self._nodes(2 if self.shared else 1) as stores:
            claim = self._claim()
            assert await stores[0].find_claimed("me", claim.key) is None
            log = await stores[0].create(info(), ids=True, claim=claim)
            for store in stores:
                found = await store.find_claimed("me", claim.key)
                assert found is not None
                assert found.by(claim).info.id == log.info.id
                assert await store.find_claimed("you", claim.key) is None
                with pytest.raises(Mismatch):
                    found.by(claim._replace(fingerprint="other"))
            stores[0].release("me", claim)
            assert await stores[0].find_claimed("me", claim.key) is None

    # ---- inside --------------------------------------------------------------------------------------------------

    def _nodes(self, count: int) -> Nodes:
        return Nodes([self.open(Listener(), Caps()) for _ in range(count)])

    def _claim(self) -> Claim:
        return Claim(f"key-{random.getrandbits(64)}", "fingerprint")

    async def _id_of(self, store: LogStore, owner: str, name: str) -> str | None:
        log = await store.find_named(owner, name)
        return log.info.id if log is not None else None
