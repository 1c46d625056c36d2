"""The part of the contract suite of stream logs that needs two nodes; see `tailrace.testing.logs`."""

from __future__ import annotations

from functools import partial

from tailrace.log import StreamLog
from tailrace.testing.log_parts import Caps, Listener, everything, frames, grown, info, not_, soon, stamped, until
from tailrace.testing.logs import LogContract


class SharedLogContract(LogContract):
    """The suite for stores whose logs are those of a cluster: every store that a test opens is a node of it."""

    shared = True

    async def test_l2_other_nodes_read_the_same_bytes(self) -> None:
        """While it grows and after its end."""
        async with self._nodes(2) as (here, there):
            log = await here.create(info(), ids=True)
            log.append(frames(3))
            await until(lambda: log.tail == 3)
            copy = await there.find(log.info.id)
            assert copy is not None
            assert (copy.info, copy.tail, everything(copy)) == (log.info, 3, everything(log))
            seen: list[int] = []
            unwatch = copy.watch(lambda: seen.append(copy.tail))
            log.append(frames(4, 4))
            await until(lambda: copy.tail == 7, "the copy's tail 7")
            log.close("completed", frames(1, 8))
            await until(lambda: copy.ending is not None, "the copy's end")
            unwatch()
            assert (copy.ending, copy.tail, everything(copy)) == ("completed", 8, stamped(frames(8)))
            assert seen == sorted(seen)

    async def test_l3_what_can_be_read_can_be_found_elsewhere_at_once(self) -> None:
        """A cursor that a reader was given here is never ahead of another node."""
        async with self._nodes(2) as (here, there):
            log = await here.create(info(), ids=True)
            for number in range(1, 30):
                log.append(frames(1, number))
                await until(grown(log, number))
                tail = log.tail
                copy = await there.find(log.info.id)
                assert copy is not None
                assert copy.tail >= tail

    async def test_l4_the_ending_is_never_shown_before_its_frames(self) -> None:
        """Not here, not elsewhere."""
        async with self._nodes(2) as (here, there):
            logs = [await here.create(info(), ids=True) for _ in range(20)]
            copies = [await there.find(log.info.id) for log in logs]
            early: list[str] = []

            def look(log: StreamLog) -> None:
                if log.ending is not None and log.tail != 500:
                    early.append(log.info.id)

            for log in (*logs, *copies):
                assert log is not None
                log.watch(partial(look, log))
            for log in logs:
                log.close("completed", frames(500))
            await until(lambda: all(log is not None and log.ending for log in (*logs, *copies)), "every end")
            assert early == []

    async def test_a_stop_reaches_the_writer_from_any_node(self) -> None:
        """And only the writer."""
        writing, asking = Listener(), Listener()
        async with self.open(writing, Caps()) as here, self.open(asking, Caps()) as there:
            log = await here.create(info(), ids=True)
            await there.ask_stop(log.info.id)
            await until(lambda: log.info.id in writing.stopped, "the stop")
            assert asking.stopped == []

    async def test_a_node_knows_whether_another_one_has_readers(self) -> None:
        """One that only looked is none."""
        async with self._nodes(2) as (here, there):
            log = await here.create(info(), ids=True)
            assert not await here.followed_elsewhere(log.info.id)
            copy = await there.find(log.info.id)
            assert copy is not None
            unwatch = copy.watch(lambda: None)
            await soon(lambda: here.followed_elsewhere(log.info.id), "a reader elsewhere")
            unwatch()
            await soon(lambda: not_(here.followed_elsewhere(log.info.id)), "no reader elsewhere")

    async def test_severing_lets_go_of_what_others_write(self) -> None:
        """Its readers are told; what is written here stays."""
        async with self._nodes(2) as (here, there):
            log, own = await here.create(info(), ids=True), await there.create(info(), ids=True)
            copy = await there.find(log.info.id)
            assert copy is not None
            told: list[bool] = []
            copy.watch(lambda: told.append(copy.severed))
            there.sever()
            assert (told, log.severed, own.severed) == ([True], False, False)
            again = await there.find(log.info.id)
            assert again is not None
            assert not again.severed
