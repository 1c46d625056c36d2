"""JSON texts nobody thought of, written in every way that the grammar allows."""

from __future__ import annotations

import json

from hypothesis import strategies as st

SPACE = st.sampled_from(["", "", "", " ", "\n  ", "\t\r\n"])
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
LITERALS = st.sampled_from(["true", "false", "null"])

ESCAPES = ["\\" + mark for mark in '"\\/bfnrt'] + ["\\u0041", "\\u000a", "\\u00E9", "\\u2028", "\\uFFFF"]
SURROGATES = ["\\ud83d\\ude00", "\\uD83D\\uDE00", "\\ud83d", "\\ude00", "\ud83d", "\ude00"]
RAW = ["a", "plain text", "/", "\x7f", "\xa0", "é", "\u200d", "\u2028", "😀", "{", "]", ",", ":"]
PIECES = st.sampled_from(ESCAPES + SURROGATES + RAW) | st.characters().map(lambda mark: json.dumps(mark)[1:-1])
STRINGS = st.lists(PIECES, max_size=8).map(lambda pieces: f'"{"".join(pieces)}"')
KEYS = STRINGS | st.sampled_from(['"a"', '"b"', '"\\u0061"', '""'])


def _object(values: st.SearchStrategy[str], unique: bool) -> st.SearchStrategy[str]:
    members = st.lists(
        st.tuples(SPACE, KEYS, SPACE, values),
        max_size=5,
        unique_by=(lambda member: json.loads(member[1])) if unique else None,
    )
    return members.map(lambda all_: "{" + ",".join(f"{a}{key}{b}:{a}{value}{b}" for a, key, b, value in all_) + "}")


def _array(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(st.tuples(SPACE, values), max_size=5)
    return items.map(lambda all_: "[" + ",".join(f"{space}{value}{space}" for space, value in all_) + "]")


def _texts(unique: bool) -> st.SearchStrategy[str]:
    scalars = STRINGS | NUMBERS | LITERALS
    values = st.recursive(scalars, lambda inner: _object(inner, unique) | _array(inner), max_leaves=8)
    return st.tuples(SPACE, values, SPACE).map("".join)


TEXTS = _texts(unique=False)
"""JSON texts, in which keys may repeat."""

UNIQUE = _texts(unique=True)
"""JSON texts in which no key repeats."""


@st.composite
def splits(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> list[str]:
    """A text in fragments of any size, some of them empty."""
    text = draw(texts)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A text with one character put in, taken out or replaced; now and then it is still JSON."""
    text = draw(TEXTS)
    at = draw(st.integers(0, len(text)))
    marks = st.sampled_from(['"', "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "t", " ", "\n", "\x01", "é"])
    return text[:at] + draw(marks | st.just("")) + text[at + draw(st.integers(0, 1)) :]
