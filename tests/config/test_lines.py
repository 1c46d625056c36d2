from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.config.lines import line_of, positions

DOCUMENT = '''# a comment with [brackets] and key = 1

[server]  # another
port = 1
hosts = [
  "a", # ] not the end
  "b]",
]
[providers.one]
text = """
[not.a.table]
key = 1 \\""" still inside
"""
literal = \'\'\'
[nor.this]
\'\'\'
[ "quoted name" . 'b.c' ]
x . "y z" = { inline = "}", deep = { a = 1 } }
five = """ends in quotes"""""
bare-key_1 = 1979-05-27 07:32:00
[[list]]
[last]
end = true'''


def test_every_header_and_key_has_its_line() -> None:
    tomllib.loads(DOCUMENT)
    assert positions(DOCUMENT) == {
        ("server",): 3,
        ("server", "port"): 4,
        ("server", "hosts"): 5,
        ("providers",): 9,
        ("providers", "one"): 9,
        ("providers", "one", "text"): 10,
        ("providers", "one", "literal"): 14,
        ("quoted name",): 17,
        ("quoted name", "b.c"): 17,
        ("quoted name", "b.c", "x"): 18,
        ("quoted name", "b.c", "x", "y z"): 18,
        ("quoted name", "b.c", "five"): 19,
        ("quoted name", "b.c", "bare-key_1"): 20,
        ("list",): 21,
        ("last",): 22,
        ("last", "end"): 23,
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("server", "port"), 4),
        (("server", "hosts", 1), 5),
        (("quoted name", "b.c", "x", "y z", "deep", "a"), 18),
        (("providers", "one", "missing"), 9),
        (("nowhere",), None),
        ((), None),
    ],
)
def test_an_unlisted_key_has_the_line_of_what_is_around_it(path: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(path, positions(DOCUMENT)) == line


def test_windows_line_ends_count_once() -> None:
    assert positions("a = 1\r\n\r\n[t]\r\nb = 2\r\n") == {("a",): 1, ("t",): 3, ("t", "b"): 4}


@pytest.mark.parametrize("text", ["", "\n\n", "# only", "   "])
def test_a_document_without_keys_has_no_positions(text: str) -> None:
    assert positions(text) == {}


_names = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), st.sampled_from(['"a b"', "'c.d'", '"\\u00e9"'])
)
_values = st.sampled_from(
    ["1", '"x # y"', "'z [a]'", "[1,\n 2, # c\n]", '"""\n[k]\nm = 1\n"""', "{ a = 1, b = ']' }", "'''\n= '''", "true"]
)


@settings(deadline=None)
@given(
    st.dictionaries(_names, st.dictionaries(_names, _values, max_size=4), max_size=4),
    st.sampled_from(["", "\n", "# comment = 1\n"]),
)
def test_each_key_that_tomllib_reads_is_found_on_the_line_it_was_written(
    tables: dict[str, dict[str, str]], between: str
) -> None:
    text = ""
    expected: dict[tuple[str, ...], int] = {}
    for table, keys in tables.items():
        text += between
        expected[table,] = text.count("\n") + 1
        text += f"[{table}]\n"
        for key, value in keys.items():
            expected[table, key] = text.count("\n") + 1
            text += f"{key} = {value}\n"
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # "a" and a are one name: the same key twice
    found = positions(text)
    assert sorted(found.values()) == sorted(expected.values())
    assert {path for path in found if len(path) == 2} == {(table, key) for table, keys in read.items() for key in keys}
    assert all(_at(read, path) is not None for path in found)


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree
