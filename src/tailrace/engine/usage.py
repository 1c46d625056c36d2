"""Usage when the closing event never came: an honest figure, labelled."""

from __future__ import annotations

from tailrace.events import Fold, Usage, UsageReport

CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb for English text; wrong by up to a half for other languages, hence only ``estimated``."""


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
    counted = -(-fold.characters // CHARACTERS_PER_TOKEN)
    return UsageReport(reported.merged(Usage(output_tokens=max(counted, reported.output_tokens or 0))), "estimated")
