"""Usage when the closing event never came: an honest figure, labelled."""

from __future__ import annotations

from tailrace.events import Fold, Usage, UsageReport

CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb for English text; wrong by up to a half for other languages, hence only ``estimated``."""

ONE_TOKEN = 8
"""Characters below which an average delta is taken to be one token. OpenAI's API, vLLM, llama.cpp and Ollama send one a
delta (3 to 5 characters of English, 1 or 2 of Chinese); those that gather several send 10 to 60."""


def final_usage(fold: Fold) -> UsageReport:
    """Return what an answer used that is over: as it was said, or as far as it can be counted."""
    said = fold.ended and fold.usage_label != "unknown"
    return UsageReport(fold.usage, fold.usage_label) if said else closing_usage(fold)


def closing_usage(fold: Fold) -> UsageReport:
    """Return the usage to report for an answer that was cut short.

    ``exact`` when the provider had already given its final figures (a reason to stop, then usage), ``estimated``
    when output had come and is counted here, ``unknown`` when there is nothing to count.
    """
    reported = fold.usage
    if fold.finishes and reported.output_tokens is not None:
        return UsageReport(reported, "exact")
    if not fold.characters:
        return UsageReport(reported, "unknown")
    tokens = max(_counted(fold), reported.output_tokens or 0)
    return UsageReport(reported.merged(Usage(output_tokens=tokens)), "estimated")


def _counted(fold: Fold) -> int:
    if fold.characters < ONE_TOKEN * fold.pieces:
        return fold.pieces
    return -(-fold.characters // CHARACTERS_PER_TOKEN)
