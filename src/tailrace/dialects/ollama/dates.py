"""A moment in the form of RFC 3339, computed from its number alone: this room knows no clock and no calendar."""

from __future__ import annotations

SECONDS = 86_400


def rfc3339(seconds: int) -> str:
    """Return the moment ``seconds`` after 1970 began, in UTC, as ``2026-01-01T00:00:00Z``.

    The date by Howard Hinnant's ``civil_from_days`` (howardhinnant.github.io/date_algorithms.html): years begin in
    March, so that the leap day is the last one; 400 years, an era, have 146,097 days.
    """
    days, rest = divmod(seconds, SECONDS)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"
