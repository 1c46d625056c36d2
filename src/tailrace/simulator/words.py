"""Sentences out of a seed: readable, endless, and the same on every Python.

Only ``Random.random`` is used, whose sequence Python promises to keep for a seed
(docs.python.org/3/library/random.html, "Notes on Reproducibility"); ``choice`` and ``randrange`` carry no promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

_OPENINGS = ("The", "A", "Every", "Another", "This", "One")
_ADJECTIVES = ("quiet", "broad", "cold", "patient", "narrow", "bright", "old", "swift", "hidden", "deep")
_NOUNS = ("river", "channel", "weir", "mill", "heron", "stone", "current", "bridge", "reed", "otter", "harbour")
_VERBS = ("carries", "follows", "crosses", "remembers", "leaves", "meets", "turns past", "waits for", "moves")
_ADVERBS = ("slowly", "at dawn", "without a sound", "in spring", "again", "downstream", "before the rain")
_STOPS = (".", ".", ".", "!", "?", ";")

_SCRIPTS = (
    "👩‍👩‍👧‍👦", "🇺🇳", "👍🏽", "🏳️‍🌈", "e\u0301", "ñ", "Z\u0351\u036b",
    "مرحبا", "بِسْمِ", "שָׁלוֹם", "नमस्ते", "日本語", "한국어", "\U0001d518", "\u200d", "\u202eabc\u202c",
    "\u2028", "\u2029", "\u0085", "\ufeff", "\ufffd", "\u0000", "\r\n", "\r", "\n\n", "\t", '"', "\\",
    "\\u0041", "</script>", "data: [DONE]", ": ", "id: 7", "\U0010ffff",
)  # fmt: skip
"""What breaks careless code: joined emoji, combining marks, right-to-left text, line ends that are none in SSE, an
inner byte-order mark, NUL, escapes, and words that look like the wire itself."""


def pick(rng: Random, choices: Sequence[T]) -> T:
    """Return one of ``choices``."""
    return choices[int(rng.random() * len(choices))]


def pieces(rng: Random) -> Iterator[str]:
    """Yield the pieces of one sentence after the other, for ever; joined, they are text."""
    first = True
    while True:
        words = [pick(rng, _OPENINGS), pick(rng, _ADJECTIVES), pick(rng, _NOUNS), *pick(rng, _VERBS).split()]
        words += ["the", pick(rng, _NOUNS), *pick(rng, _ADVERBS).split()]
        for number, word in enumerate(words):
            yield word if first and number == 0 else f" {word}"
        yield pick(rng, _STOPS)
        first = False


def sentences(rng: Random, count: int) -> Iterator[str]:
    """Yield exactly ``count`` pieces, the last of which ends a sentence (where there is room for one)."""
    source = pieces(rng)
    for _ in range(count - 1):
        yield next(source)
    if count:
        last = next(source)
        yield last if count == 1 or last in _STOPS else "."


def tricky(rng: Random, count: int) -> Iterator[str]:
    """Yield ``count`` pieces, every other one out of many scripts."""
    source = pieces(rng)
    for number in range(count):
        yield pick(rng, _SCRIPTS) if number % 2 else next(source)


def fragments(rng: Random, text: str, count: int) -> Iterator[str]:
    """Yield ``text`` in ``count`` fragments of uneven length, none empty (fewer where it is too short)."""
    count = max(1, min(count, len(text)))
    width = len(text) // count
    start = 0
    # One cut in each cell of `width` characters: distinct and in order by construction, in constant memory.
    for cell in range(1, count):
        cut = cell * width + int(rng.random() * width)
        yield text[start:cut]
        start = cut
    yield text[start:]


def phrase(rng: Random, count: int) -> str:
    """Return ``count`` pieces as one text."""
    source = pieces(rng)
    return "".join(next(source) for _ in range(count))
