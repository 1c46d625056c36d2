"""What the simulator is asked to play."""

from __future__ import annotations

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong: ``stall@300:2.5`` is ``Fault("stall", 300, "2.5")``.

    What ``at`` and ``argument`` mean, and what they are when left out, is said by the fault's entry in
    `tailrace.simulator.faults.FAULTS`.
    """

    name: str
    at: int | None = None
    argument: str | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to play; the same values always give the same bytes.

    :ivar name: the model's name as it was asked for, repeated in the answer.
    :ivar shape: what the answer holds, a key of `tailrace.simulator.shapes.SHAPES`.
    :ivar tokens: how many content events it has.
    :ivar rate: content events per second; 0 is as fast as the reader takes them.
    :ivar seed: of the words.
    :ivar ttft: seconds between the response's head and its first event.
    :ivar tool: the name of the tool that the tool shapes call.
    :ivar faults: what goes wrong, applied in the order of the table of faults, whatever their order here.
    """

    name: str = "sim"
    shape: str = "text"
    tokens: int = 40
    rate: float = 0.0
    seed: int = 1
    ttft: float = 0.0
    tool: str = "get_weather"
    faults: tuple[Fault, ...] = ()
