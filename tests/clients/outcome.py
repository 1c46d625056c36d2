"""What a client made of an answer, in one form for all of them, and what it ought to be."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from tailrace.events import RefusalBlock, TextBlock
from tailrace.simulator import expected, parse


class Answer(msgspec.Struct, kw_only=True):
    """What a client has accumulated. ``calls`` are names with their parsed inputs; ``reason`` is the wire's word."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = []
    reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Failure(msgspec.Struct, frozen=True):
    """What a client raised: the names of its class and of the classes above it, its HTTP status, its words."""

    kinds: tuple[str, ...]
    status: int | None
    message: str


class Outcome(msgspec.Struct):
    """An answer as far as it came, and what was raised; ``failure`` None is what a program takes for success.

    ``pieces`` counts the pieces of text that arrived one by one; None where the client does not stream.
    """

    answer: Answer
    failure: Failure | None = None
    pieces: int | None = None


Way: TypeAlias = Callable[[str, Sequence[str]], Awaitable[list[Outcome]]]
"""One way of using one SDK: a relay's URL and models in, an outcome for each model out, in their order."""

Door: TypeAlias = str

REASONS: dict[Door, dict[str, str]] = {
    "anthropic": {"end_turn": "end_turn", "max_tokens": "max_tokens", "tool_use": "tool_use", "refusal": "refusal"},
    "openai": {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter"},
    "responses": {
        "end_turn": "completed",
        "max_tokens": "max_output_tokens",
        "tool_use": "completed",
        "refusal": "completed",
    },
    "ai_sdk": {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool-calls", "refusal": "content-filter"},
    "ag_ui": {"end_turn": "end_turn", "max_tokens": "max_tokens", "tool_use": "tool_use", "refusal": "refusal"},
}
"""``SDK → stop reason of the vocabulary → its wire's word``, written down again so that no table proves itself."""

PROMPT = "Hello"


def truth(door: Door, model: str) -> Answer:
    """Return what a client of ``door`` must accumulate from the simulator's ``model`` (``ant/sim-tool``)."""
    message = expected(parse(model))
    assert message.stop_reason is not None
    return Answer(
        # Anthropic has no refusal block, and clients show OpenAI's refusal where the text goes.
        text="".join(block.text for block in message.blocks if isinstance(block, TextBlock | RefusalBlock)),
        thinking=message.thinking,
        calls=[(call.name, call.input) for call in message.tool_calls],
        reason=REASONS[door][message.stop_reason],
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
    )


@contextlib.contextmanager
def recorded(outcome: Outcome) -> Iterator[None]:
    """Note in ``outcome`` what is raised within, whatever it is: tests say which exceptions are right."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        kinds = tuple(f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__)
        outcome.failure = Failure(kinds, getattr(error, "status_code", None), str(error))
