"""F2: the provider's answer is cut at every event and every byte: closed, reset, or ended without its terminal marker.

What came is kept, the client is told in its own dialect that it was cut and may try again, and nothing that was cut is
ever called complete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, TypeAlias

from starlette.types import ASGIApp

from chaos import inside
from chaos.asking import asked
from chaos.card import Fault, Run
from chaos.checker import Stream, Violation, check
from chaos.house import OWN, PATIENT, PROVIDERS, House, house, providers, reader, seed
from chaos.raw import Body
from chaos.truth import Truth, truth
from chaos.wire import frames, payload
from tailrace.engine import Call, Relay, Source
from tailrace.errors import ConnectError
from tailrace.server import ServerSpec, create_app
from tailrace.simulator import Scenario, bytes_of, frames_of, parse

How: TypeAlias = Literal["fin", "rst", "end"]

FAULTS: dict[How, str] = {"fin": "cut", "rst": "rst", "end": "end"}
"""How it is cut → the simulator's fault: a closed connection, a reset one, a proper end without the marker."""

LOST: tuple[How, ...] = ("fin", "end")
"""Without sockets there are two manners only: the connection is lost, or the answer ends."""

DOOR = {dialect: client for client, dialect in ((door, PROVIDERS[name][0]) for door, name in OWN.items())}
DOOR["bedrock"] = "anthropic"
"""Provider's dialect → the client's: its own, so that events pass verbatim, where clients speak it."""


class Cut(NamedTuple):
    """One cell: provider, the place, in which unit, and the manner."""

    provider: str
    at: int
    unit: Literal["byte", "event"]
    how: How

    def __str__(self) -> str:
        return f"{PROVIDERS[self.provider][0]}, {self.how} after {self.unit} {self.at}"


async def run(this: Run) -> None:
    await _in_process(this)
    async with house() as home:
        cuts: list[Cut] = []
        for name, (dialect, _) in PROVIDERS.items():
            scenario = parse("sim:tokens=40")
            events = len(frames_of(scenario, dialect))
            size = len(bytes_of(scenario, dialect))
            places = sorted(this.rng.sample(range(size + 1), 40))
            for how in FAULTS:
                cuts += this.pick([Cut(name, at, "event", how) for at in range(events + 1)], 4)
                cuts += this.pick([Cut(name, at, "byte", how) for at in places], 2)
        await this.each(cuts, str, lambda cut: _on_sockets(home, cut))


# --- on sockets -------------------------------------------------------------------------------------------------


async def _on_sockets(home: House, cut: Cut) -> list[Violation]:
    mine = seed()
    fault = FAULTS[cut.how] + ("_event" if cut.unit == "event" else "")
    model = f"sim-tool:tokens=40,seed={mine},fault={fault}@{cut.at}"
    provider = PROVIDERS[cut.provider][0]
    answer = await home.answer(f"{cut.provider}/{model}", DOOR[provider])
    records = home.asked(mine)
    told = truth(parse(model), provider, records[-1].bytes_sent)
    stream = await home.evidence(_named(answer), [], seeded=mine, truth=told)
    stream.attempts = len(records)
    return _judged(stream, answer, cut.how, told)


def _named(answer: Body) -> str:
    return answer.headers.get("tailrace-stream-id", "")


def _judged(stream: Stream, answer: Body, how: How, told: Truth) -> list[Violation]:
    """Check one cut answer."""
    if how == "rst":
        # A reset may take along what had been written, the terminal marker too: then it may not be called complete.
        told = told._replace(sure_text="", sure_arguments="", either=told.done or told.either)
    if how == "fin" and stream.dialect == "gemini" and told.done:
        # This dialect's answers end with their connection: one that ends properly is complete, another need not be.
        told = told._replace(either=True)
    stream.truth = told
    if answer.status == 200:
        stream.readers = [reader("the client", (0, answer), dialect=stream.dialect)]
        return check([stream])
    found = check([stream])
    if answer.status is None or answer.status < 500:
        found.append(Violation("I2", f"nothing had come, and the status was {answer.status}"))
    elif payload(b"data: " + answer.body, "plain") is None:
        found.append(Violation("I2", "the error has no body in JSON"))
    if (told.done and not told.either) or stream.ending == "completed":
        found.append(Violation("I2", "refused, though complete"))
    return found


# --- in process -------------------------------------------------------------------------------------------------


class Scripted:
    """An upstream that brings the answer that the model's name asks for: ``PLACE-HOW-SIZE``, in reads of ``SIZE``."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def run(self, call: Call, source: Source) -> None:
        place, how, size = call.model.split("-")
        body = self._body[: int(place)]
        source.accepted()
        for start in range(0, len(body), int(size)):
            source.feed(body[start : start + int(size)])
            await source.ready()
        if how != "end":
            raise ConnectError("the connection was lost")

    async def aclose(self) -> None:
        """Nothing is kept."""


async def _in_process(this: Run) -> None:
    """Every byte of every dialect, through door, engine and log, without sockets."""
    scenario = parse("sim-tool:tokens=8")
    bodies = {name: bytes_of(scenario, dialect) for name, (dialect, _) in PROVIDERS.items()}
    specs = providers("http://127.0.0.1:9")
    relay = Relay(specs, limits=PATIENT, upstreams={name: Scripted(body) for name, body in bodies.items()})
    async with relay:
        app = create_app(relay, ServerSpec())
        for name, body in bodies.items():
            sizes = [this.rng.choice((1, 7, 64, 512, 1 << 20)) for _ in range(len(body) + 1)]
            cuts = [Cut(name, at, "byte", how) for at in range(len(body) + 1) for how in LOST]
            judge = _judge(relay, app, scenario, sizes)
            await this.each(this.pick(cuts, 60), lambda cut: f"in process, {cut}", judge, width=1)


def _judge(
    relay: Relay, app: ASGIApp, scenario: Scenario, sizes: list[int]
) -> Callable[[Cut], Awaitable[list[Violation]]]:
    async def judge(cut: Cut) -> list[Violation]:
        provider = PROVIDERS[cut.provider][0]
        door = DOOR[provider]
        path, body = asked(door, f"{cut.provider}/{cut.at}-{cut.how}-{sizes[cut.at]}")
        answer = await inside.call(app, "POST", path, body)
        name = _named(answer)
        log = await relay.store.find(name)
        if log is None:
            return [Violation("I2", f"no stream: {answer.status} {answer.body[:100]!r}")]
        everything = frames(log.read(0, 1 << 40)[0], door)
        told = truth(scenario, provider, cut.at)
        stream = Stream(
            id=name, dialect=door, log=[f.data for f in everything], ending=log.ending, readers=[], usage=False
        )
        return _judged(stream, answer, cut.how, told)

    return judge


FAULT = Fault("F2", "upstream cut at every event and byte", "the prefix is kept, never a false success", run)
