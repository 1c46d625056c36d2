"""What the provider truly said: out of the simulator's script and the bytes that it wrote, never out of the product."""

from __future__ import annotations

from typing import NamedTuple

from tailrace.dialects import DIALECTS, Reply
from tailrace.events import CONTENT, Finish, MessageEnd, TextDelta, ToolInputDelta
from tailrace.simulator import Scenario, script
from tailrace.simulator.plan import CREATED
from tailrace.simulator.script import answer_id


class Truth(NamedTuple):
    """What an answer says up to a cut.

    ``text`` and ``arguments`` are all of it; ``sure_text`` and ``sure_arguments`` what whole events before the cut say:
    what must have been kept. ``done`` is whether the terminal marker was wholly written. ``either`` is whether it may
    honestly be called complete or cut: only the line's end is missing (Ollama), or the bill behind the reason to stop
    (Bedrock). ``billed`` is what the provider counts: the content events it has written.
    """

    text: str
    arguments: str
    sure_text: str
    sure_arguments: str
    done: bool
    billed: int
    either: bool = False


def truth(scenario: Scenario, dialect: str, written: int | None = None) -> Truth:
    """Return the truth of ``scenario`` in ``dialect`` after ``written`` bytes of its body (None: all of them).

    The faults of the scenario that change bytes before the cut are not known here: use those that cut or stall.
    """
    reply = Reply(id=answer_id(scenario), model=scenario.name, created=CREATED)
    encode = DIALECTS[dialect].encoder(reply).encode
    text: list[str] = []
    arguments: list[str] = []
    sure = [0, 0]
    place = billed = waiting = 0
    done = finished = False
    for _, event in script(scenario):
        frames = encode(event)
        place += sum(map(len, frames))
        whole = written is None or place <= written
        if isinstance(event, TextDelta):
            text.append(event.text)
            sure[0] += whole
        elif isinstance(event, ToolInputDelta):
            arguments.append(event.json)
            sure[1] += whole
        waiting += isinstance(event, CONTENT)
        if frames and whole:
            # Some dialects write a call's arguments in one event, behind all that they are made of.
            billed += waiting
            waiting = 0
        done = done or (isinstance(event, MessageEnd) and whole)
        finished = finished or (isinstance(event, Finish) and whole)
    return Truth(
        "".join(text),
        "".join(arguments),
        "".join(text[: sure[0]]),
        "".join(arguments[: sure[1]]),
        done,
        billed,
        not done and ((dialect == "bedrock" and finished) or (dialect == "ollama" and written == place - 1)),
    )
