"""Every fault, without a socket: what it does to the actions."""

from __future__ import annotations

import pytest

from tailrace.dialects import DIALECTS
from tailrace.errors import RemoteProtocolError
from tailrace.events import ERROR_STATUS
from tailrace.simulator import FAULTS, Fault, Scenario, bytes_of, expected, frames_of
from tailrace.simulator.actions import FOREVER, Action, Close, Head, Send, Wait
from tailrace.simulator.plan import plan
from tests.simulator.reading import PATHS, decode, said_in

DIALECT_NAMES = sorted(PATHS)
PLAIN = Scenario(tokens=12)


def faulty(*faults: Fault) -> Scenario:
    return Scenario(tokens=12, faults=faults)


def actions(dialect: str, *faults: Fault, stream: bool = True) -> list[Action]:
    return list(plan(faulty(*faults), DIALECTS[dialect], stream=stream))


def sent(played: list[Action]) -> bytes:
    return b"".join(action.data for action in played if isinstance(action, Send))


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize(("name", "how"), [("cut", "fin"), ("rst", "rst"), ("end", "end")])
def test_closing_after_every_byte(dialect: str, name: str, how: str) -> None:
    whole = bytes_of(PLAIN, dialect)
    for at in range(len(whole) + 1):
        played = actions(dialect, Fault(name, at))
        assert sent(played) == whole[:at]
        assert isinstance(played[0], Head)
        assert played[-1] == Close(how, early=True)  # type: ignore[arg-type]
    assert actions(dialect, Fault(name, len(whole) + 1)) == actions(dialect)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize(("name", "how"), [("cut_event", "fin"), ("rst_event", "rst"), ("end_event", "end")])
def test_closing_after_every_event(dialect: str, name: str, how: str) -> None:
    frames = frames_of(PLAIN, dialect)
    for at in range(len(frames) + 1):
        played = actions(dialect, Fault(name, at))
        assert sent(played) == b"".join(frames[:at])
        assert played[-1] == Close(how, early=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("at", [0, 1, 100])
def test_stalling_loses_nothing(dialect: str, at: int) -> None:
    for fault, seconds in ((Fault("stall", at), FOREVER), (Fault("stall", at, "2.5"), 2.5)):
        played = actions(dialect, fault)
        place = played.index(Wait(seconds))
        assert sent(played[:place]) == bytes_of(PLAIN, dialect)[:at]
        assert sent(played) == bytes_of(PLAIN, dialect)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_a_place_between_two_events_splits_neither(dialect: str) -> None:
    first = frames_of(PLAIN, dialect)[0]
    played = actions(dialect, Fault("stall", len(first)))
    assert [action for action in played if action != Wait(FOREVER)] == actions(dialect)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_stalling_after_an_event(dialect: str) -> None:
    played = actions(dialect, Fault("stall_event", 3))
    assert sent(played[: played.index(Wait(FOREVER))]) == b"".join(frames_of(PLAIN, dialect)[:3])


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_a_missing_terminator_is_not_an_end(dialect: str) -> None:
    frames = frames_of(PLAIN, dialect)
    assert frames_of(faulty(Fault("no_terminator")), dialect) == frames[:-1]
    assert not decode(dialect, frames[:-1])[1]


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("at", [0, 1, 2, 6])
def test_an_error_event_ends_the_answer(dialect: str, at: int) -> None:
    fold, ended = decode(dialect, frames_of(faulty(Fault("error", at, "rate_limit")), dialect))
    assert ended
    assert fold.error is not None
    assert fold.error.kind == "rate_limit"
    assert fold.message().stop_reason is None
    assert expected(PLAIN).text.startswith(fold.message().text)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("kind", ERROR_STATUS)
def test_an_error_may_be_of_any_kind(dialect: str, kind: str) -> None:
    fold, _ = decode(dialect, frames_of(faulty(Fault("error", 3, kind)), dialect))
    assert fold.error is not None


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("at", range(1, 8))
def test_junk_is_told_from_events(dialect: str, at: int) -> None:
    frames, whole = frames_of(faulty(Fault("junk", at)), dialect), frames_of(PLAIN, dialect)
    assert [number for number, frame in enumerate(frames, 1) if frame != whole[number - 1]] == [at]
    assert frames[at - 1].endswith(b"\n\n")
    with pytest.raises(RemoteProtocolError):
        decode(dialect, frames)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("at", [1, 5])
def test_a_bad_byte_is_inside_a_text(dialect: str, at: int) -> None:
    frames, whole = frames_of(faulty(Fault("badutf8", at)), dialect), frames_of(faulty(), dialect)
    (changed,) = (number for number, frame in enumerate(frames) if frame != whole[number])
    assert changed >= at - 1
    assert frames[changed].replace(b"\xff", b"") == whole[changed]
    with pytest.raises(UnicodeDecodeError):
        frames[changed].decode()
    replaced = [frame.decode(errors="replace").encode() for frame in frames]
    assert decode(dialect, replaced)[0].message().text.replace("\ufffd", "") == expected(PLAIN).text


HARMLESS = [
    Fault("comments"),
    Fault("comments", 5),
    Fault("crlf"),
    Fault("bom"),
    Fault("pings"),
    Fault("pings", 4),
    Fault("split"),
    Fault("chunk", 1000),
    Fault("unframed"),
    Fault("slow_headers", None, "3"),
    Fault("huge_line", 100),
]


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: f"{fault.name}-{fault.at}")
def test_what_the_specifications_allow_changes_nothing(dialect: str, fault: Fault) -> None:
    fold, ended = decode(dialect, frames_of(faulty(fault), dialect))
    assert ended
    assert fold.message() == said_in(dialect, expected(PLAIN))


def test_the_harmless_ones_are_on_the_wire() -> None:
    def body(*faults: Fault) -> bytes:
        return bytes_of(faulty(*faults), "anthropic")

    whole = body()
    assert body(Fault("comments")).count(b"\n: ") == len(frames_of(PLAIN, "anthropic")) - 1
    assert body(Fault("comments", 5)).count(b": the simulator") == -(-len(frames_of(PLAIN, "anthropic")) // 5)
    assert body(Fault("crlf")) == whole.replace(b"\n", b"\r\n")
    assert body(Fault("bom")) == b"\xef\xbb\xbf" + whole
    assert body(Fault("pings")).count(b"event: ping") > 10
    assert b":" + b"x" * 200_000 + b"\n\n" in body(Fault("huge_line", 200_000))


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("size", [1, 3, 100, 10_000_000])
def test_writes_are_cut_to_size(dialect: str, size: int) -> None:
    whole = bytes_of(PLAIN, dialect)
    writes = frames_of(faulty(Fault("chunk", size)), dialect)
    assert writes == [whole[at : at + size] for at in range(0, len(whole), size)]
    assert frames_of(faulty(Fault("split")), dialect) == [whole[at : at + 1] for at in range(len(whole))]


def test_what_waits_is_not_held_back_by_a_large_write() -> None:
    scenario = Scenario(tokens=3, rate=1.0, faults=(Fault("chunk", 10_000_000),))
    kinds = [type(action) for action in plan(scenario, DIALECTS["anthropic"])]
    assert kinds == [Head, Send, Wait, Send, Wait, Send, Close]


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_no_usage_is_unknown_usage(dialect: str) -> None:
    message = decode(dialect, frames_of(faulty(Fault("no_usage")), dialect))[0].message()
    assert message.text == expected(PLAIN).text
    assert message.usage.output_tokens is None
    assert message.usage_label == "unknown"


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("stream", [True, False])
def test_a_status_is_said_in_the_dialect(dialect: str, stream: bool) -> None:
    played = actions(dialect, Fault("status", 429, "7"), stream=stream)
    head = played[0]
    assert isinstance(head, Head)
    assert head.status == 429
    assert dict(head.headers)["retry-after"] == "7"
    assert head.length == len(sent(played))
    assert DIALECTS[dialect].read_error(429, sent(played)).kind == "rate_limit"
    assert played[-1] == Close("end")


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 418, 429, 500, 502, 503, 504, 529, 599])
def test_any_status_can_be_asked_for(dialect: str, status: int) -> None:
    head, body, _ = actions(dialect, Fault("status", status))
    assert isinstance(head, Head)
    assert isinstance(body, Send)
    assert head.status == status
    assert DIALECTS[dialect].read_error(status, body.data).http_status == status


@pytest.mark.parametrize(
    ("status", "kind"), [(500, "api_error"), (529, "overloaded_error"), (418, "invalid_request_error")]
)
def test_a_status_has_its_own_kind_of_error(status: int, kind: str) -> None:
    assert f'"type":"{kind}"'.encode() in sent(actions("anthropic", Fault("status", status)))


def test_a_page_is_no_json() -> None:
    head, body, _ = actions("anthropic", Fault("html"))
    assert isinstance(head, Head)
    assert (head.status, dict(head.headers)["content-type"]) == (502, "text/html")
    assert isinstance(body, Send)
    assert body.data.startswith(b"<html>")


def test_silence_before_the_head() -> None:
    assert actions("anthropic", Fault("hang"))[0] == Wait(FOREVER)
    assert actions("anthropic", Fault("slow_headers", None, "0.5"))[:2] == [Wait(0.5), actions("anthropic")[0]]
    assert actions("anthropic", Fault("slow_headers"))[0] == Wait(1.0)


def test_without_framing_the_head_says_so() -> None:
    for stream in (True, False):
        head = actions("anthropic", Fault("unframed"), stream=stream)[0]
        assert isinstance(head, Head)
        assert (head.length, head.chunked) == (None, False)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_an_answer_in_one_piece_knows_no_faults_of_a_stream(dialect: str) -> None:
    streamed = [name for name, kind in FAULTS.items() if kind.stream_only]
    assert streamed == ["no_terminator", "comments", "huge_line", "crlf", "bom"]
    for name in streamed:
        assert actions(dialect, Fault(name), stream=False) == actions(dialect, stream=False)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_an_answer_in_one_piece_can_be_cut_broken_and_refused(dialect: str) -> None:
    whole = sent(actions(dialect, stream=False))
    assert sent(actions(dialect, Fault("cut", 10), stream=False)) == whole[:10]
    assert sent(actions(dialect, Fault("junk", 1), stream=False)) == whole[: (len(whole) + 1) // 2]
    head = actions(dialect, Fault("error", 3, "overloaded"), stream=False)[0]
    assert isinstance(head, Head)
    assert head.status == 503
