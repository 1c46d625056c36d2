"""The log in memory: numbering, reading, watching, and what is forgotten when."""

from __future__ import annotations

import pytest

from tailrace.errors import BadRequest, LimitExceeded
from tailrace.log import MemoryLog, MemoryStore, StreamInfo, parse_cursor, stamp_id

FRAMES = [b"data: %d\n\n" % n for n in range(1, 8)]


def info(stream_id: str = "s", owner: str = "me") -> StreamInfo:
    return StreamInfo(id=stream_id, owner=owner, dialect="plain", model="m", created=0.0)


def log(*, ids: bool = False, max_bytes: int = 1000, max_frames: int = 100) -> MemoryLog:
    return MemoryLog(info(), ids=ids, max_bytes=max_bytes, max_frames=max_frames)


def test_frames_are_stamped_with_their_numbers() -> None:
    stream = log(ids=True)
    stream.append(FRAMES[:2])
    stream.append(FRAMES[2:3])
    assert stream.read(0, 1000) == (b"id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n", 3)


@pytest.mark.parametrize("after", range(8))
@pytest.mark.parametrize("limit", [1, 11, 25, 1000])
def test_a_reader_at_any_cursor_gets_the_rest_without_gap_or_repeat(after: int, limit: int) -> None:
    stream = log()
    stream.append(FRAMES[:3])
    stream.append(FRAMES[3:])
    got, cursor = b"", after
    while True:
        data, following = stream.read(cursor, limit)
        if not data:
            break
        assert following > cursor
        assert len(data) <= max(limit, len(FRAMES[0]))
        got, cursor = got + data, following
    assert got == b"".join(FRAMES[after:])


def test_sizes_are_running_totals() -> None:
    stream = log()
    stream.append(FRAMES)
    assert [stream.size_at(n) for n in range(8)] == [9 * n for n in range(8)]
    assert stream.size == 63


@pytest.mark.parametrize(("max_bytes", "max_frames"), [(62, 100), (1000, 6)])
def test_past_a_cap_nothing_of_the_append_is_stored(max_bytes: int, max_frames: int) -> None:
    stream = log(max_bytes=max_bytes, max_frames=max_frames)
    stream.append(FRAMES[:5])
    with pytest.raises(LimitExceeded):
        stream.append(FRAMES[5:])
    assert stream.tail == 5


def test_watchers_are_told_once_an_append_and_once_at_the_close() -> None:
    stream = log()
    seen: list[int] = []
    unwatch = stream.watch(lambda: seen.append(stream.tail))
    stream.append(FRAMES[:3])
    stream.append([])
    stream.append(FRAMES[3:])
    stream.close("completed")
    stream.close("failed")
    unwatch()
    assert seen == [3, 7, 7]
    assert stream.ending == "completed"


def test_nothing_is_appended_after_the_close() -> None:
    stream = log()
    stream.append(FRAMES[:1])
    stream.close("cancelled")
    stream.append(FRAMES[1:])
    assert stream.tail == 1


def test_a_watcher_may_leave_while_it_is_told() -> None:
    stream = log()
    told: list[str] = []

    def leaver() -> None:
        told.append("leaver")
        unwatch()

    unwatch = stream.watch(leaver)
    stream.watch(lambda: told.append("stayer"))
    stream.append(FRAMES[:1])
    stream.append(FRAMES[1:2])
    assert told == ["leaver", "stayer", "stayer"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.anyio
async def test_a_finished_log_is_forgotten_after_its_time_and_a_live_one_is_not() -> None:
    clock = Clock()
    store = MemoryStore(clock=clock, ttl=10)
    ended, live = await store.create(info("ended"), ids=True), await store.create(info("live"), ids=True)
    ended.close("completed")
    assert store.sweep() == []
    clock.now = 9.9
    assert await store.find("ended") is ended
    clock.now = 10
    assert await store.find("ended") is None
    assert store.sweep() == ["ended"]
    assert await store.find("live") is live


@pytest.mark.anyio
async def test_a_log_that_is_being_read_stays() -> None:
    clock = Clock()
    store = MemoryStore(clock=clock, ttl=10)
    stream = await store.create(info(), ids=True)
    unwatch = stream.watch(lambda: None)
    stream.close("completed")
    store.sweep()
    clock.now = 100
    assert store.sweep() == []
    unwatch()
    assert store.sweep() == ["s"]


@pytest.mark.parametrize(("max_logs", "max_total"), [(2, 10**9), (10, 2 * 63)])
@pytest.mark.anyio
async def test_too_many_logs_lose_the_oldest_finished_ones(max_logs: int, max_total: int) -> None:
    store = MemoryStore(clock=Clock(), max_logs=max_logs, max_total=max_total)
    for name in ("a", "b", "c", "d"):
        stream = await store.create(info(name), ids=False)
        stream.append(FRAMES)
        if name != "a":
            stream.close("completed")
    assert store.sweep() == ["b", "c"]
    assert [name for name in "abcd" if await store.find(name)] == ["a", "d"]


@pytest.mark.anyio
async def test_a_list_is_of_ones_own_newest_first() -> None:
    store = MemoryStore(clock=Clock())
    for name, owner in [("a", "me"), ("b", "you"), ("c", "me")]:
        await store.create(info(name, owner), ids=True)
    assert [stream.info.id for stream in await store.owned_by("me", 10)] == ["c", "a"]


@pytest.mark.parametrize(("text", "number"), [(None, 0), ("", 0), ("0", 0), ("17", 17), ("000017", 17)])
def test_a_cursor_is_read(text: str | None, number: int) -> None:
    assert parse_cursor(text) == number


@pytest.mark.parametrize("text", ["-1", "+1", " 1", "1_0", "1.5", "abc", "٣", "²", "9" * 16, "1\n", "0x1"])
def test_a_garbled_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_cursor(text)
    assert caught.value.code == "bad_cursor"


def test_an_id_goes_inside_the_event() -> None:
    assert stamp_id(12, b"event: x\ndata: y\n\n") == b"id: 12\nevent: x\ndata: y\n\n"


@pytest.mark.anyio
async def test_a_store_is_full_while_what_is_being_written_is_too_much() -> None:
    store = MemoryStore(clock=lambda: 0.0, max_total=20)
    logs = [await store.create(info(name), ids=False) for name in "ab"]
    for stream in logs:
        stream.append(FRAMES[:2])
    assert (store.sweep(), store.full) == ([], True)
    logs[0].close("completed")
    assert (store.sweep(), store.full) == (["a"], False)
