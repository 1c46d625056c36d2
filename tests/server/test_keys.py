"""Keys and what they open, without a server: identities, scopes, look-ups.

The advisories that these are about (docs/threat-model.md, "Keys, ownership, secrets"):

| advisory | test |
|---|---|
| CVE-2026-35030 (identity cached under a key's first characters) | `test_no_part_of_a_key_is_the_key` |
| GHSA-69x8-hrgq-fjj8 (a stored hash works as a credential) | `test_the_hash_of_a_key_is_no_key` |
| CVE-2026-42208 (SQL in the key check) | `test_odd_values_are_nobody` |
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.engine import ProviderSpec, Router, RouteSpec, Secret, Target
from tailrace.errors import Forbidden, Unauthenticated
from tailrace.server import KeySpec, ServerSpec, key_digest
from tailrace.server.auth import NO_KEY, presented_key, presented_token
from tailrace.server.keys import ANONYMOUS, MAX_KEY, Identity, Keyring, permit

ALICE, BOB = "key-of-alice-0001", "key-of-bob-0002"
KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)


def spec(key: str, **more: Any) -> KeySpec:
    return KeySpec(name=key[-5:], digest=key_digest(key), **more)


def ring(*keys: str) -> Keyring:
    return Keyring([spec(key) for key in keys], guarded=True)


def test_a_key_is_its_digest_and_only_that() -> None:
    keys = ring(ALICE, BOB)
    assert keys.identify(ALICE.encode()).owner == hashlib.sha256(ALICE.encode()).hexdigest()
    assert keys.identify(BOB.encode()).owner == key_digest(BOB)
    assert keys.owners == {key_digest(ALICE), key_digest(BOB)}


@given(KEYS, st.integers(0, 59), KEYS)
@example("k" * 40, 20, "x" * 20)
def test_no_part_of_a_key_is_the_key(key: str, length: int, more: str) -> None:
    """CVE-2026-35030: whoever shares the first characters of a key, however many, is somebody else."""
    keys = ring(key)
    for other in {key[:length], key + more, key[:length] + more, key[::-1], key.swapcase()} - {key}:
        with pytest.raises(Unauthenticated):
            keys.identify(other.encode())
    another = ring(key, key + more)
    assert another.identify(key.encode()).owner != another.identify((key + more).encode()).owner


@given(KEYS)
def test_the_hash_of_a_key_is_no_key(key: str) -> None:
    """GHSA-69x8-hrgq-fjj8: who reads a configuration, or the log of streams, has not got in."""
    digest = hashlib.sha256(key.encode())
    for presented in (digest.hexdigest().encode(), digest.hexdigest().upper().encode(), digest.digest()):
        with pytest.raises(Unauthenticated):
            ring(key).identify(presented)


@pytest.mark.parametrize(
    "value",
    [
        None, b"", NO_KEY, b" ", b"\0", ALICE.encode() + b"\0", b"\0" + ALICE.encode(), b"' OR '1'='1",
        b"'; DROP TABLE keys;--",
        b"%", b"*", b"[a-z]*", b"null", b"None", b"undefined", b"anonymous", b"server.keys[0]", b"alice",
        ALICE.encode() + b" ", b" " + ALICE.encode(), ALICE.upper().encode(), "clé".encode(), "clé".encode("latin-1"),
        b"\xff\xfe", b"x" * (MAX_KEY + 1), b"x" * 1_000_000, b"Basic " + ALICE.encode(), b"{{7*7}}", b"${jndi:x}",
    ],
)  # fmt: skip
def test_odd_values_are_nobody(value: bytes | None) -> None:
    """CVE-2026-42208: what is presented is hashed and looked up, never put into a language."""
    with pytest.raises(Unauthenticated):
        ring(ALICE).identify(value)


def test_without_keys_everybody_is_the_same_somebody_with_all_rights() -> None:
    keys = Keyring([])
    for presented in (None, b"", b"whatever"):
        identity = keys.identify(presented)
        assert identity.owner == ANONYMOUS
        identity.enter()
        identity.enter("anthropic")
        identity.use("any/model")
        identity.administer()
    assert keys.knows(ANONYMOUS)
    assert not keys.knows(key_digest(ALICE))


def test_who_lost_their_last_key_is_locked_out_not_in() -> None:
    keys = ring(ALICE)
    assert keys.replace([]) == {key_digest(ALICE)}
    for presented in (None, b"", ALICE.encode(), ANONYMOUS.encode()):
        with pytest.raises(Unauthenticated):
            keys.identify(presented)
    assert not keys.knows(ANONYMOUS)
    late = Keyring([])
    late.replace([spec(ALICE)])
    with pytest.raises(Unauthenticated):
        late.identify(None)


def test_keys_are_replaced_and_the_names_of_the_gone_are_told() -> None:
    keys = ring(ALICE, BOB)
    renamed = KeySpec(name="other", digest=key_digest(BOB), models=("x",))
    assert keys.replace([renamed, spec("carol-key")]) == {key_digest(ALICE)}
    assert keys.identify(BOB.encode()).owner == key_digest(BOB)
    assert not keys.identify(BOB.encode()).may_use("y")


@pytest.mark.parametrize(
    ("doors", "asked", "open_"),
    [
        (("*",), "anthropic", True),
        (("*",), "", True),
        (("anthropic",), "anthropic", True),
        (("anthropic",), "gemini", False),
        (("anthropic",), "", True),
        ((), "", False),
        ((), "anthropic", False),
        (("anthropic", "gemini"), "gemini", True),
        (("anthro*",), "anthropic", False),
    ],
)
def test_doors(doors: tuple[str, ...], asked: str, open_: bool) -> None:
    identity = Identity(spec(ALICE, doors=doors))
    assert identity.may_enter(asked) is open_
    if not open_:
        with pytest.raises(Forbidden):
            identity.enter(asked)


ROUTER = Router(
    {
        "openai": ProviderSpec(name="openai", dialect="openai_chat", models=("gpt-5", "gpt-5-mini")),
        "ant": ProviderSpec(name="ant", dialect="anthropic"),
    },
    {"fast": RouteSpec(name="fast", targets=(Target("openai", "gpt-5-mini"),))},
)


@pytest.mark.parametrize(
    ("models", "asked", "allowed"),
    [
        (("*",), "anything/at-all", True),
        (("fast",), "fast", True),
        (("fast",), "openai/gpt-5-mini", False),
        (("openai/*",), "fast", False),
        (("openai/*",), "openai/gpt-5", True),
        (("openai/*",), "gpt-5", True),
        (("openai/gpt-5-mini",), "gpt-5-mini", True),
        (("openai/gpt-5-mini",), "gpt-5", False),
        (("ant/*",), "claude-x", True),
        (("gpt-*",), "gpt-5", True),
        (("gpt-*",), "openai/gpt-5", False),
        (("openai/*",), "OPENAI/gpt-5", False),
        (("openai/*",), "openai", False),
        ((), "fast", False),
        (("fast",), "no-such", False),
        (("fast",), "", False),
        (("fast",), "f" * 10_000, False),
        (("*a*a*a*a*a*a*b",), "a" * 5_000_000, False),
        (("fast",), "fast\n", False),
        (("fast",), "x\nfast", False),
    ],
)
def test_models(models: tuple[str, ...], asked: str, allowed: bool) -> None:
    identity = Identity(spec(ALICE, models=models))
    if allowed:
        permit(identity, ROUTER, asked, "anthropic")
    else:
        with pytest.raises(Forbidden) as caught:
            permit(identity, ROUTER, asked, "anthropic")
        assert caught.value.status == 403
        assert "gpt" not in str(caught.value)


def test_operations_are_for_admins() -> None:
    Identity(spec(ALICE, admin=True)).administer()
    with pytest.raises(Forbidden):
        Identity(spec(ALICE)).administer()


def test_a_plain_list_of_keys_opens_everything() -> None:
    server = ServerSpec(keys=(Secret(ALICE),), named_keys=(spec(BOB, doors=()),))
    assert server.guarded
    alice, bob = server.every_key
    assert (alice.digest, alice.admin, alice.doors, alice.models) == (key_digest(ALICE), True, ("*",), ("*",))
    assert (bob.admin, bob.doors) == (False, ())
    assert not ServerSpec().guarded
    assert ServerSpec(key_source=object()).guarded


def scope(*headers: tuple[str, str | bytes], query: bytes = b"") -> dict[str, Any]:
    raw = [(name.encode(), value.encode() if isinstance(value, str) else value) for name, value in headers]
    return {"headers": raw, "query_string": query}


BEARER = ("authorization", f"Bearer {ALICE}")


@pytest.mark.parametrize(
    ("request_", "key", "token"),
    [
        (scope(), None, None),
        (scope(BEARER), ALICE, None),
        (scope(("authorization", f"bEARER   {ALICE} ")), ALICE, None),
        (scope(("Authorization", f"Bearer {ALICE}")), ALICE, None),
        (scope(("x-api-key", ALICE)), ALICE, None),
        (scope(("api-key", ALICE), ("x-goog-api-key", BOB)), BOB, None),
        (scope(BEARER, ("x-api-key", BOB)), ALICE, None),
        (scope(("authorization", ""), ("x-api-key", BOB)), BOB, None),
        (scope(BEARER, BEARER), "", None),
        (scope(("x-api-key", BOB), ("x-api-key", ALICE)), "", None),
        (scope(("authorization", f"Basic {ALICE}")), f"Basic {ALICE}", None),
        (scope(query=f"key={ALICE}".encode()), ALICE, None),
        (scope(query=f"key={ALICE}&key={BOB}".encode()), "", None),
        (scope(BEARER, query=f"key={BOB}".encode()), ALICE, None),
        (scope(query=b"token=vt1.a.b"), None, "vt1.a.b"),
        (scope(query=b"token=anything"), None, "anything"),
        (scope(query=b"token=a&token=b"), None, ""),
        (scope(("authorization", "Bearer vt1.a.b")), "vt1.a.b", "vt1.a.b"),
        (scope(("x-api-key", "vt1.a.b")), "vt1.a.b", "vt1.a.b"),
        (scope(BEARER, query=b"token=vt1.a.b"), ALICE, None),
        (scope(("authorization", b"Bearer \xff\xfe")), b"\xff\xfe", None),
    ],
)
def test_one_place_reads_a_credential(request_: dict[str, Any], key: str | bytes | None, token: str | None) -> None:
    wanted = key.encode() if isinstance(key, str) else key
    assert presented_key(request_, in_query=True) == wanted
    assert presented_token(request_) == token
    if not request_["headers"]:
        assert presented_key(request_) is None
