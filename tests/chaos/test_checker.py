"""The checker itself: every violation, constructed once, is found; a good stream has none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chaos.checker import (
    Connection,
    Reader,
    Row,
    Stream,
    Violation,
    check,
    memory,
    neighbours,
    percentile,
    secrets,
)
from chaos.truth import Truth, truth
from chaos.wire import Frame, content, frames, heartbeats, verdict
from tailrace.simulator import frames_of, parse

SCENARIO = parse("sim:tokens=30")
LOG = [b"id: %d\n%b" % (number, data) for number, data in enumerate(frames_of(SCENARIO, "anthropic"), 1)]
ERROR = b'event: error\ndata: {"type":"error","error":{},"tailrace":{"ending":"truncated","retryable":true}}\n\n'
TRUTH = truth(SCENARIO, "anthropic")
ROW = Row("s", 1, "completed", 30, "exact")


def numbered(log: list[bytes], after: int = 0) -> list[Frame]:
    return [Frame(number, data) for number, data in enumerate(log[after:], after + 1)]


def reader(*connections: Connection, left: bool = False) -> Reader:
    return Reader("anna", list(connections), left)


def good(**changes: Any) -> Stream:
    """A stream that is as it should be: its reader came back twice, once without having lost anything."""
    back = reader(
        Connection(0, numbered(LOG)[:9]), Connection(9, numbered(LOG, 9)[:5]), Connection(14, numbered(LOG, 14), True)
    )
    whole = reader(Connection(0, numbered(LOG), True))
    stream = Stream(
        id="s",
        dialect="anthropic",
        log=LOG,
        ending="completed",
        readers=[back, whole],
        truth=TRUTH,
        attempts=1,
        rows=[ROW],
        stopped=[0.1],
    )
    return msgspec.structs.replace(stream, **changes)


def cut(at: int, **changes: Any) -> Stream:
    """A stream whose provider was cut after ``at`` events, told so and billed as far as it came."""
    log = [*LOG[:at], b"id: %d\n%b" % (at + 1, ERROR)]
    told = truth(SCENARIO, "anthropic", sum(map(len, frames_of(SCENARIO, "anthropic")[:at])))
    changes = {"rows": [Row("s", 1, "truncated", told.billed, "estimated")], **changes}
    readers = [reader(Connection(0, numbered(log), True))]
    return good(**{"log": log, "ending": "truncated", "readers": readers, "truth": told, **changes})


def orphaned(tokens: int | None, label: str) -> Stream:
    """A stream whose relay was killed after 28 events, and whose row another closed."""
    return cut(
        28,
        ending="interrupted",
        cause="interrupted",
        log=[*LOG[:28], b"id: 29\n" + ERROR.replace(b"truncated", b"interrupted")],
        readers=[],
        killed=True,
        rows=[Row("s", 1, "interrupted", tokens, label, swept=True)],
    )


def test_a_good_stream_has_no_violation() -> None:
    assert check([good()]) == []


def test_a_stream_that_was_cut_and_says_so_has_none() -> None:
    assert check([cut(20)]) == []


def reading(*connections: Connection) -> Stream:
    return good(readers=[reader(*connections)])


SPOILT = [Frame(7, b"id: 7\ndata: other\n\n") if frame.number == 7 else frame for frame in numbered(LOG)]
REPEATED = [*numbered(LOG)[:9], *numbered(LOG)[8:]]
TWICE = [*LOG, LOG[-1].replace(b"id: %d" % len(LOG), b"id: %d" % (len(LOG) + 1))]

VIOLATIONS: dict[str, tuple[Stream, str]] = {
    "a frame left out": (reading(Connection(0, [f for f in numbered(LOG) if f.number != 7], True)), "I1"),
    "a frame repeated": (reading(Connection(0, REPEATED, True)), "I1"),
    "a frame repeated after coming back": (
        reading(Connection(0, numbered(LOG)[:9]), Connection(9, numbered(LOG, 8), True)),
        "I1",
    ),
    "a frame lost while away": (
        reading(Connection(0, numbered(LOG)[:9]), Connection(9, numbered(LOG, 10), True)),
        "I1",
    ),
    "other bytes": (reading(Connection(0, SPOILT, True)), "I1"),
    "a frame from the future": (reading(Connection(0, [*numbered(LOG), Frame(len(LOG) + 1, b"x")], True)), "I1"),
    "a cursor ahead of what was held": (reading(Connection(9, numbered(LOG, 9), True)), "I1"),
    "no end": (good(log=LOG[:-1], readers=[]), "I2"),
    "two ends": (good(log=TWICE, readers=[]), "I2"),
    "something after the end": (good(log=[*LOG, LOG[3]], readers=[]), "I2"),
    "no ending": (good(ending=None, rows=None), "I2"),
    "the log says done, the stream otherwise": (good(ending="failed", rows=None), "I2"),
    "the log says error, the stream otherwise": (cut(20, ending="completed", rows=None), "I2"),
    "a false success": (good(truth=TRUTH._replace(done=False)), "I2"),
    "a false failure": (cut(20, truth=TRUTH), "I2"),
    "another ending than the cell's": (cut(20, cause="cancelled"), "I2"),
    "a reader that never heard the end": (reading(Connection(0, numbered(LOG)[:-1], True)), "I2"),
    "a reader whose answer was not ended": (reading(Connection(0, numbered(LOG))), "I2"),
    "a reader who heard nothing": (reading(), "I2"),
    "a cut that is not retryable": (
        cut(20, log=[*LOG[:20], b"id: 21\n" + ERROR.replace(b"true", b"false")], readers=[]),
        "I2",
    ),
    "words that were never said": (good(log=[LOG[2].replace(b"text_delta", b"text_delta"), *LOG[1:]]), "I1"),
    "text lost": (cut(20, log=[*LOG[:15], b"id: 16\n" + ERROR], readers=[]), "I3"),
    "a frame missing from the log": (good(log=[data for data in LOG if data is not LOG[9]], readers=[]), "I3"),
    "a frame twice in the log": (good(log=[*LOG[:9], LOG[8], *LOG[9:]], readers=[]), "I3"),
    "usage swallowed": (good(log=[data.replace(b'"output_tokens":30', b'"output_tokens":3') for data in LOG]), "I3"),
    "no row": (good(rows=[]), "I4"),
    "a double row": (good(rows=[ROW, ROW]), "I4"),
    "a row too many": (good(rows=[ROW, ROW._replace(number=2)]), "I4"),
    "a row still open": (good(rows=[ROW._replace(ending=None)]), "I4"),
    "a row that says another ending": (good(rows=[ROW._replace(ending="cancelled")]), "I4"),
    "a wrong bill": (good(rows=[ROW._replace(output_tokens=29)]), "I4"),
    "an estimate where the provider said it": (good(rows=[ROW._replace(label="estimated")]), "I4"),
    "a guess called exact": (cut(28, rows=[Row("s", 1, "truncated", 9, "exact")]), "I4"),
    "an estimate that is far off": (cut(28, rows=[Row("s", 1, "truncated", 60, "estimated")]), "I4"),
    "a dead relay's row that says too much": (orphaned(60, "estimated"), "I4"),
    "a dead relay's row that calls a part exact": (orphaned(9, "exact"), "I4"),
    "a dead relay's row where none has died": (
        good(rows=[Row("s", 1, "interrupted", None, "unknown", swept=True)]),
        "I4",
    ),
    "no estimate of much": (cut(28, rows=[Row("s", 1, "truncated", None, "unknown")]), "I4"),
    "a provider left running": (good(stopped=[0.1, 1.3]), "I5"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_found(name: str) -> None:
    stream, promise = VIOLATIONS[name]
    assert promise in {violation.promise for violation in check([stream])}


@pytest.mark.parametrize("row", [(None, "unknown"), (9, "estimated")])
def test_a_dead_relays_row_may_know_less(row: tuple[int | None, str]) -> None:
    stream = orphaned(*row)
    assert [violation for violation in check([stream]) if violation.promise == "I4"] == []


def test_a_frame_of_another_stream_is_a_breach_of_isolation() -> None:
    foreign = Frame(3, b"id: 3\ndata: theirs\n\n")
    mine = reading(Connection(0, [*numbered(LOG)[:2], foreign, *numbered(LOG, 3)], True))
    theirs = good(id="t", log=[*LOG[:2], foreign.data, *LOG[3:]], readers=[], truth=None)
    assert "I8" in {violation.promise for violation in check([mine, theirs])}


def test_a_reader_told_to_reset_begins_anew() -> None:
    stream = reading(Connection(0, numbered(LOG)[:9]), Connection(0, numbered(LOG), True, reset=True))
    assert check([stream]) == []


def test_a_reader_that_left_owes_nothing() -> None:
    assert check([good(readers=[reader(Connection(0, numbered(LOG)[:4]), left=True)])]) == []


def test_memory() -> None:
    assert memory(100e6, 120e6, 10, 2e6) == []
    assert memory(100e6, 121e6, 10, 2e6)[0].promise == "I6"


@pytest.mark.parametrize("output", [b"x sk-secret y", b"c2stc2VjcmV0", b"736b2d736563726574"])
def test_secrets(output: bytes) -> None:
    assert secrets(["sk-secret"], [("a log", b"nothing here")]) == []
    assert secrets(["sk-secret"], [("a log", output)]) == [Violation("I7", "a canary (sk-s…) in a log")]


def test_neighbours() -> None:
    assert neighbours([0.1] * 100, [0.19] * 100) == []
    assert neighbours([0.1] * 100, [0.1] * 90 + [0.3] * 10)[0].promise == "I9"
    assert neighbours([0.001] * 100, [0.04] * 100) == [], "a busy machine's hiccups are no violation"


def test_percentile() -> None:
    assert percentile([], 0.5) == 0
    assert percentile([3, 1, 2], 0) == 1
    assert percentile(list(range(100)), 0.99) == 99


# ---- what the checker reads with -------------------------------------------------------------------------------


def test_frames_leave_heartbeats_out_and_keep_a_frame_behind_them() -> None:
    body = b"retry: 1000\nid: 4\ndata: a\n\n: hb\n: hb\nid: 5\ndata: b\n\nid: 6\ndata: c"
    assert frames(body, "plain", 3) == [Frame(4, b"id: 4\ndata: a\n\n"), Frame(5, b"id: 5\ndata: b\n\n")]
    assert heartbeats(body, "plain") == 2


def test_frames_without_ids_are_counted() -> None:
    assert [frame.number for frame in frames(b"\ndata: {}\n\n\n\ndata: {}\n\n", "gemini", 7)] == [8, 9]


@pytest.mark.parametrize("dialect", ["anthropic", "openai_chat", "openai_responses", "gemini", "ollama"])
def test_a_whole_answer_is_read_by_hand_as_the_simulator_says_it(dialect: str) -> None:
    told = frames_of(SCENARIO, dialect)
    said = content(told, dialect)
    assert (said.text, said.output_tokens) == (TRUTH.text, 30)
    assert [verdict(data, dialect) for data in told if verdict(data, dialect)] == ["done"]


def test_the_truth_of_a_cut_answer_is_what_whole_events_say() -> None:
    told = frames_of(SCENARIO, "anthropic")
    place = sum(map(len, told[:10]))
    before = truth(SCENARIO, "anthropic", place - 1)
    at = truth(SCENARIO, "anthropic", place)
    assert before == Truth(TRUTH.text, "", before.sure_text, "", False, 7)
    assert at.billed == 8
    assert at.sure_text == content(told[:10], "anthropic").text
    assert at.sure_text.startswith(before.sure_text)
