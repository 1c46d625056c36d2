"""Attempts: until the first content another provider may answer; afterwards nothing is glued. One row for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from tailrace.dialects import DIALECTS, Quirks
from tailrace.engine import (
    Ask,
    Budget,
    Call,
    Deadlines,
    Generation,
    Limits,
    Policy,
    ProviderSpec,
    Relay,
    Retold,
    Retry,
    RouteSpec,
    Source,
    Target,
    behind_reset,
)
from tailrace.errors import ConnectError, Overloaded, ProviderError, StatusError
from tailrace.events import Fold
from tailrace.ledger import Attempt, NoLedger, Outcome
from tests.engine.scripted import READS, ask, running

pytestmark = pytest.mark.anyio

PREAMBLE = READS[:2]
"""What Anthropic says before the first content: a start, and the start of a block."""
OVERLOADED = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}\n\n'
TEXT = b"".join(READS)
NEVER = object()

Move = bytes | ProviderError | object


class Provider:
    """Plays one list of moves for each call: bytes are brought, errors raised, `NEVER` waits for its end."""

    def __init__(self, *answers: Sequence[Move]) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.cancelled = 0

    async def run(self, call: Call, source: Source) -> None:
        moves = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        try:
            for move in moves:
                if isinstance(move, bytes):
                    source.accepted()
                    source.feed(move)
                    await source.ready()
                elif isinstance(move, ProviderError):
                    raise move
                else:
                    await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def aclose(self) -> None:
        """Nothing is kept."""


class Book(NoLedger):
    """A ledger that is two lists."""

    def __init__(self) -> None:
        self.opened: list[Attempt] = []
        self.closed: dict[str, Outcome] = {}
        self.refusing = False

    async def open(self, attempt: Attempt) -> None:
        if self.refusing:
            raise Overloaded("the ledger cannot be written", code="ledger_unavailable")
        self.opened.append(attempt)

    def close(self, attempt_id: str, outcome: Outcome) -> None:
        self.closed.setdefault(attempt_id, outcome)

    @property
    def endings(self) -> list[tuple[str, str]]:
        return [(attempt.provider, self.closed[attempt.id].ending) for attempt in self.opened]


def house(
    *providers: Provider, retry: Retry | None = None, deadlines: Deadlines | None = None, **limits: float
) -> tuple[Relay, Book]:
    """A relay with one route, ``r``, over all of ``providers``; delays are none."""
    specs = {f"p{n}": ProviderSpec(name=f"p{n}", dialect="anthropic") for n in range(len(providers))}
    policy = Policy(retry=retry or Retry(attempts=1), deadlines=deadlines or Deadlines())
    route = RouteSpec(name="r", targets=tuple(Target(name, "m") for name in specs), policy=policy)
    book = Book()
    relay = Relay(
        specs,
        {"r": route},
        upstreams=dict(zip(specs, providers, strict=True)),
        ledger=book,
        limits=Limits(**limits),  # type: ignore[arg-type]
        jitter=lambda: 0.0,
    )
    return relay, book


def asked(dialect: str = "anthropic", **more: object) -> Ask:
    return ask(dialect, model="r", **more)


async def the_end(generation: Generation) -> None:
    async with asyncio.timeout(5):
        await asyncio.wait([generation.over])


def heard(generation: Generation) -> Fold:
    """What a client makes of the whole log."""
    data, _ = generation.log.read(0, 1 << 30)
    decoder = DIALECTS[generation.door.name].decoder(Quirks())
    fold = Fold()
    for received in [*decoder.feed(data), *decoder.close()]:
        for event in received.events:
            fold.add(event)
    return fold


FAILURES: dict[str, Sequence[Move]] = {
    "refused": [StatusError("busy", status=503, kind="overloaded")],
    "unreachable": [ConnectError("nobody there")],
    "cut in the preamble": [*PREAMBLE, ConnectError("reset")],
    "closed in the preamble": [*PREAMBLE],
    "an error event before any content": [PREAMBLE[0], OVERLOADED],
    "an error event in the read of the preamble": [PREAMBLE[0] + OVERLOADED],
    "junk": [PREAMBLE[0] + b"data: {nonsense\n\n"],
    "nothing in time": [*PREAMBLE, NEVER],
}


@pytest.mark.parametrize("door", ["anthropic", "openai_chat", "openai_responses", "plain"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_before_the_first_content_leaves_no_trace(failure: str, door: str) -> None:
    first, second = Provider(FAILURES[failure]), Provider([TEXT])
    relay, book = house(first, second, deadlines=Deadlines(first_content=0.05))
    async with relay:
        generation = await running(relay, asked(door))
        await the_end(generation)
        alone, _ = house(Provider([TEXT]))
        async with alone:
            reference = await running(alone, asked(door))
            await the_end(reference)
    assert generation.ending == "completed"
    assert heard(generation).message().text == heard(reference).message().text
    assert generation.log.tail == reference.log.tail
    assert [ending for _, ending in book.endings][1:] == ["completed"]
    assert book.endings[0][1] != "completed"
    assert (first.calls, second.calls) == (1, 1)


@pytest.mark.parametrize("failure", ["refused", "cut in the preamble", "an error event before any content"])
async def test_the_same_target_is_asked_again_where_that_may_help(failure: str) -> None:
    provider = Provider(FAILURES[failure], [TEXT])
    relay, book = house(provider, retry=Retry(attempts=2))
    async with relay:
        generation = await running(relay, asked())
        await the_end(generation)
    assert generation.ending == "completed"
    assert [attempt.number for attempt in book.opened] == [1, 2]
    assert provider.calls == 2


async def test_after_the_first_content_nothing_is_glued() -> None:
    first, second = Provider([*READS[:4], ConnectError("reset")]), Provider([TEXT])
    relay, book = house(first, second, retry=Retry(attempts=3))
    async with relay:
        generation = await running(relay, asked())
        await the_end(generation)
    assert generation.ending == "truncated"
    assert generation.error is not None
    assert generation.error.retryable
    assert second.calls == 0
    assert book.endings == [("p0", "truncated")]


async def test_the_last_failure_is_told_with_what_its_provider_said() -> None:
    relay, book = house(Provider(FAILURES["unreachable"]), Provider([PREAMBLE[0], OVERLOADED]))
    async with relay:
        generation = await running(relay, asked())
        await the_end(generation)
    assert generation.ending == "failed"
    assert generation.nothing_said
    fold = heard(generation)
    assert fold.error is not None
    assert fold.error.kind == "overloaded"
    assert fold.usage.input_tokens is not None
    assert book.endings == [("p0", "failed"), ("p1", "failed")]


async def test_nothing_is_appended_before_the_first_content() -> None:
    provider = Provider([*PREAMBLE, NEVER])
    relay, book = house(provider)
    async with relay:
        generation = await running(relay, asked())
        while not (generation.trying and generation.trying[0].held):
            await asyncio.sleep(0)
        assert generation.log.tail == 0
        generation.stop()
        assert generation.ending == "cancelled"
        fold = heard(generation)
        assert fold.usage.input_tokens is not None
        await asyncio.sleep(0)
    assert book.endings == [("p0", "cancelled")]


async def test_a_background_answer_has_its_name_at_once() -> None:
    relay, _ = house(Provider([*PREAMBLE, NEVER]))
    async with relay:
        generation = await running(relay, asked("openai_responses", background=True))
        while not generation.log.tail:
            await asyncio.sleep(0)
        assert generation.policy.on_disconnect == "detach"


async def test_a_preamble_without_end_is_taken_for_an_answer() -> None:
    ping = b'event: ping\ndata: {"type": "ping", "filler": "' + b"x" * 1000 + b'"}\n\n'
    relay, _ = house(Provider([PREAMBLE[0], *[ping] * 100, NEVER]))
    async with relay:
        generation = await running(relay, asked())
        async with asyncio.timeout(5):
            while not generation.log.tail:
                await asyncio.sleep(0)


async def test_a_provider_that_fails_and_fails_is_left_alone() -> None:
    down, up = Provider(FAILURES["unreachable"]), Provider([TEXT])
    relay, book = house(down, up, breaker_failures=3, breaker_seconds=30.0)
    async with relay:
        for _ in range(5):
            await the_end(await running(relay, asked()))
    assert (down.calls, up.calls) == (3, 5)
    assert len(book.opened) == 8


async def test_a_routes_only_target_is_always_asked() -> None:
    provider = Provider(FAILURES["unreachable"])
    relay, _ = house(provider, breaker_failures=1, breaker_seconds=30.0)
    async with relay:
        for _ in range(3):
            await the_end(await running(relay, asked()))
    assert provider.calls == 3


async def test_when_all_are_left_alone_the_client_is_told_for_how_long() -> None:
    down = [Provider(FAILURES["unreachable"]), Provider(FAILURES["refused"])]
    relay, _ = house(*down, breaker_failures=1, breaker_seconds=30.0)
    async with relay:
        await the_end(await running(relay, asked()))
        generation = await running(relay, asked())
        await the_end(generation)
    assert generation.error is not None
    assert generation.error.code == "circuit_open"
    assert generation.error.http_status == 503
    assert generation.error.retry_after is not None
    assert 28 <= generation.error.retry_after <= 30


async def test_no_provider_is_asked_without_a_row() -> None:
    provider = Provider([TEXT])
    relay, book = house(provider, retry=Retry(attempts=3))
    book.refusing = True
    async with relay:
        generation = await running(relay, asked())
        await the_end(generation)
    assert generation.error is not None
    assert generation.error.code == "ledger_unavailable"
    assert provider.calls == 0


async def test_a_row_says_what_was_used_and_how_it_ended() -> None:
    relay, book = house(Provider([TEXT]))
    async with relay:
        await the_end(await running(relay, asked("openai_chat")))
    (attempt,) = book.opened
    outcome = book.closed[attempt.id]
    assert (attempt.number, attempt.owner, attempt.door, attempt.asked) == (1, "me", "openai_chat", "r")
    assert (attempt.provider, attempt.model) == ("p0", "m")
    assert (outcome.ending, outcome.label, outcome.error, outcome.status) == ("completed", "exact", None, None)
    assert outcome.usage.output_tokens
    assert outcome.first_content is not None
    assert outcome.seconds is not None
    assert 0 <= outcome.first_content <= outcome.seconds


class TestHedging:
    """Two at once, the first content wins, both have a row."""

    RETRY = Retry(attempts=1, hedge_after=0.01)

    @pytest.mark.parametrize("slow", [[NEVER], [*PREAMBLE, NEVER]])
    async def test_the_second_answers_when_the_first_is_silent(self, slow: Sequence[Move]) -> None:
        first, second = Provider(slow), Provider([TEXT])
        relay, book = house(first, second, retry=self.RETRY)
        async with relay:
            generation = await running(relay, asked())
            await the_end(generation)
            async with asyncio.timeout(5):
                while len(book.closed) < 2:
                    await asyncio.sleep(0)
        assert generation.ending == "completed"
        assert heard(generation).message().text
        assert first.cancelled == 1
        assert sorted(book.endings) == [("p0", "cancelled"), ("p1", "completed")]

    async def test_a_first_that_answers_has_no_rival(self) -> None:
        first, second = Provider([TEXT]), Provider([TEXT])
        relay, book = house(first, second, retry=self.RETRY)
        async with relay:
            await the_end(await running(relay, asked()))
        assert second.calls == 0
        assert book.endings == [("p0", "completed")]

    async def test_when_both_fail_that_is_told_once(self) -> None:
        first, second = Provider(FAILURES["refused"]), Provider(FAILURES["unreachable"])
        relay, book = house(first, second, retry=self.RETRY)
        async with relay:
            generation = await running(relay, asked())
            await the_end(generation)
        assert generation.ending == "failed"
        assert len(book.endings) == 2

    @pytest.mark.parametrize("when", ["before the rival", "during the race"])
    async def test_a_stop_ends_both(self, when: str) -> None:
        first, second = Provider([*PREAMBLE, NEVER]), Provider([*PREAMBLE, NEVER])
        relay, book = house(first, second, retry=self.RETRY)
        awaited = first if when == "before the rival" else second
        async with relay:
            generation = await running(relay, asked())
            async with asyncio.timeout(5):
                while not awaited.calls:
                    await asyncio.sleep(0)
            generation.stop()
            async with asyncio.timeout(5):
                while first.cancelled + second.cancelled < first.calls + second.calls:
                    await asyncio.sleep(0)
        assert generation.ending == "cancelled"
        assert {ending for _, ending in book.endings} == {"cancelled"}


class TestRestarting:
    """Anew after content has begun: opt-in twice, by the route and by the client."""

    CUT = (*READS[:4], ConnectError("reset"))

    def house(self, *providers: Provider, restart: bool = True, **more: float) -> tuple[Relay, Book]:
        relay, book = house(*providers, deadlines=Deadlines(**more))
        route = relay.router.routes["r"]
        relay.router.routes["r"] = msgspec.structs.replace(
            route, policy=msgspec.structs.replace(route.policy, restart=restart)
        )
        return relay, book

    @pytest.mark.parametrize("door", ["anthropic", "openai_chat", "openai_responses", "plain", "ai_sdk"])
    @pytest.mark.parametrize(
        "failure", [[*READS[:4], ConnectError("reset")], [*READS[:4], NEVER], [*READS[:4], OVERLOADED, NEVER]]
    )
    async def test_what_came_is_void_behind_a_reset(self, failure: Sequence[Move], door: str) -> None:
        relay, book = self.house(Provider(failure), Provider([TEXT]), idle=0.05)
        request = msgspec.structs.replace(asked(door) if door != "ai_sdk" else ask_ai_sdk(), restart=True)
        async with relay:
            generation = await running(relay, request)
            await the_end(generation)
            data, _ = generation.log.read(0, 1 << 30)
            again = Retold(generation.log)
        assert generation.ending == "completed"
        assert data.count(b"event: tailrace.reset\n") == 1
        behind = behind_reset(data)
        assert behind is not None
        assert again.message().text == generation.message().text
        assert generation.message().text
        assert again.fold.ended
        assert [name for name, _ in book.endings] == ["p0", "p1"]
        assert book.endings[1][1] == "completed"
        assert book.closed[book.opened[0].id].label == "estimated"

    @pytest.mark.parametrize(("route", "client"), [(True, False), (False, True)])
    async def test_never_unless_both_want_it(self, route: bool, client: bool) -> None:
        second = Provider([TEXT])
        relay, _ = self.house(Provider(self.CUT), second, restart=route)
        async with relay:
            generation = await running(relay, msgspec.structs.replace(asked(), restart=client))
            await the_end(generation)
        assert generation.ending == "truncated"
        assert second.calls == 0
        assert b"tailrace.reset" not in generation.log.read(0, 1 << 30)[0]

    async def test_nothing_is_voided_when_nobody_is_left_to_ask(self) -> None:
        relay, book = self.house(Provider(self.CUT))
        async with relay:
            generation = await running(relay, msgspec.structs.replace(asked(), restart=True))
            await the_end(generation)
        assert generation.ending == "truncated"
        assert b"tailrace.reset" not in generation.log.read(0, 1 << 30)[0]
        assert book.endings == [("p0", "truncated")]

    async def test_a_stop_between_two_attempts_ends_it(self) -> None:
        relay, book = self.house(Provider(self.CUT), Provider([NEVER]))
        async with relay:
            generation = await running(relay, msgspec.structs.replace(asked(), restart=True))
            while relay._attempts._upstreams["p1"].calls == 0:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            generation.stop()
        assert generation.ending == "cancelled"
        assert book.endings == [("p0", "truncated"), ("p1", "cancelled")]


def ask_ai_sdk() -> Ask:
    message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hello?"}]}
    return Ask(dialect="ai_sdk", body={"id": "c", "model": "r", "messages": [message]}, owner="me")


@pytest.mark.parametrize(
    ("policy", "ending"), [("cancel", "cancelled"), ("drain", "cancelled"), ("detach", "completed")]
)
async def test_what_a_client_asks_for_when_it_leaves_stands_in_for_the_routes_policy(policy: str, ending: str) -> None:
    gate = asyncio.Event()

    class Slow(Provider):
        async def run(self, call: Call, source: Source) -> None:
            source.accepted()
            for read in READS[:4]:
                source.feed(read)
            await gate.wait()
            for read in READS[4:]:
                source.feed(read)
                await asyncio.sleep(0)

    relay, _ = house(Slow())
    request = asked()
    request = msgspec.structs.replace(
        request, on_disconnect=policy, grace=0.02, budget=Budget(seconds=60 if policy == "drain" else 0, tokens=1)
    )
    async with relay:
        generation = await running(relay, request)
        generation.attach(self := object())
        while not generation.log.tail:
            await asyncio.sleep(0)
        generation.detach(self)
        if policy == "cancel":
            await the_end(generation)
        gate.set()
        await the_end(generation)
    assert generation.ending == ending


class TestReadersElsewhere:
    """Where nodes share the logs, a reader that came back at another one has not left."""

    async def left_alone(self, monkeypatch: pytest.MonkeyPatch, answers: list[bool]) -> tuple[Generation, list[bool]]:
        monkeypatch.setattr("tailrace.engine.audience.SECOND_LOOK", 0.0)
        relay, _ = house(Provider([*READS[:4], NEVER]))
        left = list(answers)

        async def elsewhere(_stream: str) -> bool:
            return left.pop(0) if left else False

        monkeypatch.setattr(relay.store, "shared", True)
        monkeypatch.setattr(relay.store, "followed_elsewhere", elsewhere)
        async with relay:
            generation = await running(relay, msgspec.structs.replace(asked(), on_disconnect="cancel", grace=0.01))
            generation.attach(reader := object())
            while not generation.log.tail:
                await asyncio.sleep(0)
            generation.detach(reader)
            await the_end(generation)
        return generation, left

    async def test_it_goes_on_while_another_node_has_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        generation, left = await self.left_alone(monkeypatch, [True, True])
        assert generation.ending == "cancelled"
        assert left == []

    async def test_one_no_is_not_believed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        generation, left = await self.left_alone(monkeypatch, [False, True, False, False])
        assert generation.ending == "cancelled"
        assert left == []
