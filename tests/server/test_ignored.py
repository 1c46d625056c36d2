"""The header that lists what a provider was not told: whatever a client sends, it stays a header."""

from __future__ import annotations

import pytest

from tailrace.server.http import MAX_IGNORED, ignored_header
from tests.server.conftest import House

pytestmark = pytest.mark.anyio

NAMES = {
    "few": (("store", "include"), "store, include"),
    "line ends": (("a\r\nset-cookie: b", "c\x00d"), "a??set-cookie: b, c?d"),
    "other scripts": (("é", "日本", "😀"), "?, ??, ?"),
}


@pytest.mark.parametrize(("names", "said"), NAMES.values(), ids=NAMES.keys())
def test_names_are_written_as_a_header_may_have_them(names: tuple[str, ...], said: str) -> None:
    assert ignored_header(names) == said


@pytest.mark.parametrize("names", [("x" * 20_000, "y"), tuple(f"messages.{i}.cache_control" for i in range(5000))])
def test_a_list_that_is_too_long_says_how_many_more_there_are(names: tuple[str, ...]) -> None:
    said = ignored_header(names)
    assert len(said) <= MAX_IGNORED + len(", and 5000 more")
    shown = said.split(", ")[:-1]
    assert tuple(shown) == names[: len(shown)]
    assert said.endswith(f"and {len(names) - len(shown)} more")


async def test_a_long_conversation_is_answered(house: House) -> None:
    block = {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}
    turns = [{"role": role, "content": [block] * 50} for role in ("user", "assistant") * 20]
    turns.append({"role": "user", "content": "and now?"})
    request = {"model": "oai/sim", "max_tokens": 9, "stream": True, "messages": turns}
    async with house.http.post(house.url + "/v1/messages", json=request) as response:
        assert response.status == 200
        assert b"message_stop" in await response.read()
        assert len(response.headers["tailrace-ignored"]) <= MAX_IGNORED + 20


@pytest.mark.parametrize("name", ["m" * 600, "a\r\nb", "a\x00b", "\x1b[31m", "ant/" + "m" * 100_000])
async def test_what_can_be_no_models_name_is_refused(house: House, name: str) -> None:
    request = {"model": name, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    async with house.http.post(house.url + "/v1/messages", json=request) as response:
        assert response.status == 400
        assert len(await response.read()) < 1000
    assert house.sim.requests == []
