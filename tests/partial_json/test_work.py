"""That work is linear in the characters fed: counted, not timed."""

from __future__ import annotations

import contextlib
import gc
import weakref

import pytest

from tailrace.partial_json import Event, Grew, Parser
from tests.partial_json.reading import fragments, read

SIZE = 20_000


class Watched(Parser):
    """Counts the characters that each fragment is read with, those held back from before included."""

    __slots__ = ("__weakref__", "longest", "read")

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.longest = 0

    def feed(self, text: str) -> list[Event]:
        self.read += len(self._held) + len(text)
        self.longest = max(self.longest, len(self._held))
        return super().feed(text)


DOCUMENTS = {
    "text": '["' + "plain text " * 2000 + '"]',
    "escapes": '["' + '\\n\\"\\\\' * 3000 + '"]',
    "numbered escapes": '["' + "\\u00e9" * 3000 + '"]',
    "surrogates": '["' + "\\ud83d\\ude00" * 2000 + '"]',
    "lone surrogates": '["' + "\\ud83d" * 3000 + '"]',
    "key": '{"' + "a key " * 3000 + '": 1}',
    "space": "[" + " " * SIZE + "1]",
    "items": "[" + "[], {}, " * 3000 + "1]",
    "literals": "[" + "true, null, " * 2000 + "1]",
}


@pytest.mark.parametrize("size", [1, 4, 64])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_character_is_read_a_bounded_number_of_times(name: str, size: int) -> None:
    text = DOCUMENTS[name]
    parser = Watched()
    for fragment in fragments(text, size):
        parser.feed(fragment)
        assert parser.value is not None
    parser.close()
    assert parser.longest <= 11
    assert parser.read <= len(text) * (1 + 11 / size)


def test_nothing_is_kept_but_the_document_and_where_it_grows() -> None:
    parser = Parser()
    read(parser, ['{"a": [1, 2], "b": "', *["plain", " text ", "more\\n"] * 1000])
    slots = {name for kind in type(parser).__mro__ for name in getattr(kind, "__slots__", ())}
    kept = {name: value for name in slots if isinstance(value := getattr(parser, name), str | list)}
    assert all(len(value) <= 2 for value in kept.values()), kept


def test_plain_text_in_a_string_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Parser()
    parser.feed('["')
    monkeypatch.setattr(Parser, "_feed", None)
    for fragment in ["plain", "é€", "a\\nb", '\\"', "\\u00e9", "x" * 1000]:
        [grew] = parser.feed(fragment)
        assert isinstance(grew, Grew)
    assert parser.value[0].startswith('plainé€a\nb"éxxx')


@pytest.mark.parametrize("text", ['{"a": [1, "open', '{"a": [1]}', "[1, x", '["a\\'])
def test_a_parser_is_freed_without_the_cycle_collector(text: str) -> None:
    parser = Watched()
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            parser.feed(text)
        gone = weakref.ref(parser)
        del parser
        assert gone() is None
    finally:
        gc.enable()
