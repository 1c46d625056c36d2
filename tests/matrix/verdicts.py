"""What does not work between two dialects, or not whole, and why: the reasons are the footnotes of the matrix.

A pair is what its two sides can say, so a rule names one side as far as it can. What no rule speaks of works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import msgspec

from tests.matrix.features import Feature
from tests.matrix.seen import Seen

Change: TypeAlias = Callable[[Seen], Seen]
"""What was said → what of it arrives."""


class Rule(NamedTuple):
    """Where it holds, why, and what is to be seen of it.

    :ivar why: the footnote.
    :ivar features: names of rows.
    :ivar doors: the client's dialect is one of these (none: any).
    :ivar upstreams: the provider's is.
    :ivar either: one of the two is.
    :ivar stream: whether the answer is streamed.
    :ivar refused: the field that the 400 names.
    :ivar absent: that there is nothing to try.
    :ivar change: what of the answer arrives.
    :ivar listed: the name in ``Tailrace-Ignored`` of what the provider is not asked, or only roughly.
    :ivar untold: that the provider is not asked for the row's wish at all.
    """

    why: str
    features: tuple[str, ...]
    doors: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    stream: bool | None = None
    refused: str | None = None
    absent: bool = False
    change: Change = lambda seen: seen
    listed: str | None = None
    untold: bool = False

    def holds(self, feature: Feature, door: str, upstream: str, stream: bool) -> bool:
        """Whether the rule speaks of this cell."""
        return (
            feature.name in self.features
            and (not self.doors or door in self.doors)
            and (not self.upstreams or upstream in self.upstreams)
            and (not self.either or door in self.either or upstream in self.either)
            and self.stream in {None, stream}
        )


ANSWERS = ("text", "thinking", "refusal", "max tokens")
"""Rows in which the plain feed has an answer that ends well."""


def _refusal_as_text(seen: Seen) -> Seen:
    return msgspec.structs.replace(seen, text=seen.text + seen.refusal, refusal="")


def _unsigned(seen: Seen) -> Seen:
    return msgspec.structs.replace(seen, signed=False)


def _without_thinking(seen: Seen) -> Seen:
    return msgspec.structs.replace(seen, thinking="", signed=False)


def _without_reason(seen: Seen) -> Seen:
    return msgspec.structs.replace(seen, reason="other")


PLAIN = ("plain",)
OLLAMA = ("ollama",)
BEDROCK = ("bedrock",)
FRONT_ENDS = ("ai_sdk", "ag_ui")
OPENAI = ("openai_chat", "openai_responses")

NO_REFUSALS = ("anthropic", "gemini", "ollama", "bedrock", "ai_sdk", "ag_ui", "plain")
"""Dialects without a place of its own for a refusal's words."""

NO_SIGNATURES = ("openai_chat", "ollama", "plain")
"""Dialects without a place for what lets thoughts be given back."""

RULES: tuple[Rule, ...] = (
    # ---- what an answer loses on one of the two sides
    Rule(
        "a refusal's words are text on one side; that it is one is told by the stop reason",
        ("refusal",),
        either=NO_REFUSALS,
        change=_refusal_as_text,
    ),
    Rule(
        "the signature of the thoughts has no place on one side, and is left out",
        ("thinking",),
        either=NO_SIGNATURES,
        change=_unsigned,
    ),
    # ---- what a provider is not asked, or only roughly
    Rule(
        "a budget becomes an effort, and is listed as `reasoning.budget`",
        ("thinking",),
        doors=("anthropic", "gemini"),
        upstreams=("openai_chat", "openai_responses", "ollama"),
        listed="reasoning.budget",
    ),
    Rule(
        "a bare wish to think has no word there, only how much to: left out, and listed as `reasoning`",
        ("thinking",),
        doors=OLLAMA,
        upstreams=OPENAI,
        listed="reasoning",
        untold=True,
    ),
    Rule(
        "whether the thoughts are shown is not asked for, and listed as `reasoning.show`",
        ("thinking",),
        doors=("openai_responses", "gemini"),
        upstreams=("openai_chat", "ollama"),
        listed="reasoning.show",
    ),
    Rule(
        "the schema's name is left out, and listed as `output.name`",
        ("structured output",),
        doors=OPENAI,
        upstreams=("anthropic", "gemini", "ollama"),
        listed="output.name",
    ),
    Rule(
        "whether a tool's schema is binding is left out, and listed as `tools.strict`",
        ("one tool", "parallel tools", "tool result turn"),
        doors=("openai_responses",),
        upstreams=("gemini", "ollama"),
        listed="tools.strict",
    ),
    Rule(
        "on Bedrock only Claude is told how to think, any other model only an effort: listed as `reasoning`",
        ("thinking",),
        doors=("anthropic", "gemini", "ollama"),
        upstreams=BEDROCK,
        listed="reasoning",
        untold=True,
    ),
    Rule(
        "on Bedrock only Claude is told whether to show its thoughts: listed as `reasoning`",
        ("thinking",),
        doors=("openai_responses",),
        upstreams=BEDROCK,
        listed="reasoning",
    ),
    # ---- front ends
    Rule(
        "the protocol has no field for a form: what an application adds goes to the provider that knows it",
        ("structured output",),
        FRONT_ENDS,
        ("openai_chat",),
    ),
    Rule(
        "the protocol has no field for a form: what an application adds is refused, naming it (`response_format`)",
        ("structured output",),
        FRONT_ENDS,
        ("anthropic", "openai_responses", "gemini", "ollama", "bedrock"),
        refused="response_format",
    ),
    # ---- the plain feed
    Rule("the feed holds text only: thinking is left out", ("thinking",), PLAIN, change=_without_thinking, untold=True),
    Rule("the feed knows no tools: refused, naming `tools`", ("one tool", "parallel tools"), PLAIN, refused="tools"),
    Rule("the feed knows no tools: refused, naming the role", ("tool result turn",), PLAIN, refused="messages.1.role"),
    Rule("the feed takes text only: refused, naming `images`", ("image in",), PLAIN, refused="images"),
    Rule(
        "the feed promises no form: refused, naming `response_format`",
        ("structured output",),
        PLAIN,
        refused="response_format",
    ),
    Rule(
        "streamed, the feed does not say why the model stopped; a whole answer does",
        ANSWERS,
        PLAIN,
        stream=True,
        change=_without_reason,
    ),
)
"""Every exception, by side."""


def rules_for(feature: Feature, door: str, upstream: str, stream: bool) -> list[Rule]:
    """Return the rules that speak of a cell."""
    return [rule for rule in RULES if rule.holds(feature, door, upstream, stream)]


def wanted(seen: Seen, rules: list[Rule]) -> Seen:
    """Return what of ``seen`` is to arrive."""
    for rule in rules:
        seen = rule.change(seen)
    return seen
