"""View tokens by themselves; through the doors they are in test_tokens_doors.py."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.engine import Secret
from tailrace.errors import NotFound, RequestError, Unauthenticated
from tailrace.log import StreamInfo
from tailrace.server.tokens import MAX_SECONDS, Mint, Scope, Token, TokenAsk

KEY = Secret("0123456789abcdef0123456789abcdef")


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def info(stream: str = "stream-a", owner: str = "owner-a") -> StreamInfo:
    return StreamInfo(id=stream, owner=owner, dialect="plain", model="m", created=0.0)


def test_a_token_shows_its_stream_until_it_expires() -> None:
    clock = Clock()
    mint = Mint(KEY, clock=clock)
    token = mint.make(info(), TokenAsk(seconds=60))
    assert token.expires == 1_800_000_060
    assert token.token.startswith("vt1.read-1800000060.")
    mint.check(token.token, info(), "read")
    clock.now += 59.9
    mint.check(token.token, info(), "read")
    clock.now += 0.1
    with pytest.raises(Unauthenticated) as caught:
        mint.check(token.token, info(), "read")
    assert (caught.value.status, caught.value.code) == (401, "token_expired")


@pytest.mark.parametrize(("made", "wanted", "good"), [
    ("read", "read", True), ("read", "stop", False), ("stop", "stop", True), ("stop", "read", True),
])  # fmt: skip
def test_a_token_is_good_for_its_scope(made: Scope, wanted: Scope, good: bool) -> None:
    mint = Mint(KEY)
    token = mint.make(info(), TokenAsk(scope=made)).token
    if good:
        mint.check(token, info(), wanted)
    else:
        with pytest.raises(NotFound):
            mint.check(token, info(), wanted)


@pytest.mark.parametrize(
    "other", [info("stream-b"), info(owner="owner-b"), info("stream-", "a\0owner-a"), info("", "stream-a\0owner-a")]
)
def test_a_token_fits_no_other_stream_and_no_other_owner(other: StreamInfo) -> None:
    mint = Mint(KEY)
    with pytest.raises(NotFound):
        mint.check(mint.make(info(), TokenAsk()).token, other, "read")


def test_a_token_holds_nothing_of_the_key_and_says_nothing_of_the_stream() -> None:
    owner = "ab" * 32
    token = Mint(KEY).make(info("stream-secret", owner), TokenAsk()).token
    assert "stream-secret" not in token
    assert owner[:8] not in token


@given(st.text(max_size=80))
def test_garbage_is_an_unknown_stream(text: str) -> None:
    for token in (text, f"vt1.{text}", f"vt1.read-1800000000.{text}"):
        with pytest.raises(NotFound):
            Mint(KEY).check(token, info(), "read")


@given(st.data())
def test_no_token_can_be_changed(data: st.DataObject) -> None:
    mint = Mint(KEY, clock=Clock())
    token = mint.make(info(), TokenAsk()).token
    at = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(st.characters(min_codepoint=0x20, max_codepoint=0x7E).filter(lambda c: c != token[at]))
    # The last character of 43 carries two bits that are no part of the MAC; compared as text, it must be right too.
    with pytest.raises(RequestError) as caught:
        mint.check(token[:at] + new + token[at + 1 :], info(), "read")
    assert caught.value.status == 404


def test_an_expired_token_that_was_forged_is_not_called_expired() -> None:
    with pytest.raises(NotFound):
        Mint(KEY).check("vt1.read-1." + "A" * 43, info(), "read")


def test_tokens_are_shared_by_processes_with_the_same_key_only() -> None:
    token = Mint(KEY).make(info(), TokenAsk()).token
    Mint(KEY).check(token, info(), "read")
    for other in (Mint(), Mint(Secret("x" * 32))):
        with pytest.raises(NotFound):
            other.check(token, info(), "read")


@pytest.mark.parametrize("body", [
    b'{"seconds": 0}', b'{"seconds": -1}', b'{"seconds": 86401}', b'{"seconds": "60"}', b'{"seconds": 1.5}',
    b'{"scope": "admin"}',     b'{"scope": "*"}', b'{"scope": ["read", "stop"]}', b'{"owner": "x"}', b'{"stream": "x"}',
    b'{"seconds": 60, "role": "admin"}',
    b"[]", b"null", b'{"seconds": null}', b'{"seconds": true}',
])  # fmt: skip
def test_what_may_be_asked_for_is_closed(body: bytes) -> None:
    """CVE-2026-47101: unknown and privileged fields are refused, not ignored."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=TokenAsk)


def test_the_longest_life_is_a_day() -> None:
    assert MAX_SECONDS == 86_400
    assert msgspec.json.decode(b'{"seconds": 86400, "scope": "stop"}', type=TokenAsk) == TokenAsk(86_400, "stop")
    assert msgspec.json.decode(b"{}", type=TokenAsk) == TokenAsk(300, "read")
    assert isinstance(Mint().make(info(), TokenAsk()), Token)
