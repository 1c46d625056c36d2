"""Keys in a configuration: tables, a file of their own, and what is wrong with either."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tailrace.config import Settings, load
from tailrace.engine import Secret
from tailrace.errors import ConfigError
from tailrace.server import key_digest
from tests.config.reading import problems, read

ONE, TWO, X = key_digest("key-number-one"), key_digest("key-number-two"), key_digest("x")


def test_a_table_says_what_its_key_opens() -> None:
    server = read(
        f"""
        [keys.alice]
        sha256 = "{ONE.upper()}"
        models = ["fast", "openai/*"]
        doors = ["anthropic", "plain"]
        admin = true
        streams = 3
        requests_per_minute = 60
        tokens_per_day = 1_000_000
        [keys.bob]
        key = "env:BOB"
        """,
        {"BOB": "key-number-two"},
    ).server
    alice, bob = server.named_keys
    assert (alice.name, alice.digest, alice.models) == ("alice", ONE, ("fast", "openai/*"))
    assert (alice.doors, alice.admin, alice.streams) == (("anthropic", "plain"), True, 3)
    assert (alice.requests_per_minute, alice.tokens_per_day) == (60, 1_000_000)
    assert (bob.name, bob.digest, bob.models, bob.doors, bob.admin) == ("bob", TWO, ("*",), ("*",), False)
    assert server.guarded


def test_the_key_itself_is_kept_nowhere() -> None:
    settings = read('[keys.bob]\nkey = "env:BOB"', {"BOB": "key-number-two"})
    assert "key-number-two" not in repr(settings)
    assert settings.hidden == (Secret("key-number-two"),)


def test_all_that_came_by_reference_is_told_to_the_log() -> None:
    settings = read(
        """
        [server]
        keys = ["env:A"]
        token_key = "env:B"
        [providers.x]
        dialect = "plain"
        base_url = "http://x"
        api_key = "env:C"
        headers = {authorization = "file:d"}
        [log]
        backend = "redis"
        url = "env:E"
        """,
        {"A": "key-a", "B": "b" * 32, "C": "key-c", "E": "redis://:pass@host/0"},
        files={"d": "key-d"},
    )
    assert {secret.reveal() for secret in settings.hidden} == {
        "key-a",
        "b" * 32,
        "key-c",
        "key-d",
        "redis://:pass@host/0",
    }
    assert settings.server.counters == Secret("redis://:pass@host/0")


def test_nodes_that_share_a_redis_by_sentinels_count_in_it() -> None:
    log = '[log]\nbackend = "redis"\nurl = "redis://u:p@ignored/0"\nmaster = "m"\nsentinels = ["a:1", "b:2"]'
    with pytest.raises(ConfigError, match="holds a password"):
        read(log)
    settings = read(log.replace('"redis://u:p@ignored/0"', '"env:E"'), {"E": "redis://u:p@ignored/0"})
    assert settings.server.counters == Secret("redis+sentinel://u:p@a:1,b:2/m")
    assert read("").server.counters is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[keys.a]", "tailrace.toml:1: keys.a: needs either sha256"),
        (f'[keys.a]\nsha256 = "{ONE}"\nkey = "env:X"', "needs either sha256"),
        ('[keys.a]\nsha256 = "abc"', "tailrace.toml:2: keys.a.sha256: must be 64 hexadecimal digits"),
        ('[keys.a]\nkey = "the-key-itself"', "tailrace.toml:2: keys.a.key: must name a variable"),
        (f'[keys.a]\nsha256 = "{ONE}"\ndoors = ["front"]', 'tailrace.toml:3: keys.a.doors[0]: must be "*" or one of'),
        (f'[keys.a]\nsha256 = "{ONE}"\nstreams = 0', "tailrace.toml:3: keys.a.streams: must be greater than 0"),
        (f'[keys.a]\nsha256 = "{ONE}"\nmodel = "x"', "keys.a.model: unknown key (did you mean 'models'?)"),
        (f'[keys.a]\nsha256 = "{ONE}"\n[keys.b]\nsha256 = "{ONE}"', "a and b are the same key"),
        (f'[server]\nkeys = ["env:X"]\n[keys.b]\nsha256 = "{X}"', "server.keys[0] and b are the same key"),
        ('[keys."a b"]\nkey = "env:X"', "a name has letters"),
        ('[server]\ntoken_key = "env:X"', "server.token_key: has fewer than 32 characters"),
    ],
)  # fmt: skip
def test_mistakes_are_named(text: str, said: str) -> None:
    (problem,) = problems(text, {"X": "x"})
    assert said in problem
    assert "the-key-itself" not in problem


@pytest.mark.parametrize("text", [f'[keys.a]\nsha256 = "{ONE}"', '[server]\nkeys_file = "keys.toml"'])
def test_keys_of_either_kind_allow_a_wider_bind(text: str) -> None:
    text = text if text.startswith("[server]") else f"[server]\n\n{text}"
    assert read(text.replace("[server]\n", '[server]\nhost = "0.0.0.0"\n')).server.host == "0.0.0.0"
    assert "no keys are set" in problems('[server]\nhost = "0.0.0.0"')[0]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tailrace.toml"
    file.write_text(f'[server]\nkeys_file = "keys.toml"\n[keys.one]\nsha256 = "{ONE}"\n')
    (tmp_path / "keys.toml").write_text(f'[keys.two]\nsha256 = "{TWO}"\n')
    return file


def names(settings: Settings) -> list[str]:
    return [key.name for key in settings.server.every_key]


def test_a_file_of_keys_adds_to_them_and_is_read_again(config: Path) -> None:
    settings = load(config, {})
    source = settings.server.key_source
    assert names(settings) == ["one", "two"]
    assert source.stamp() == source.seen
    keys = config.with_name("keys.toml")
    keys.write_text("")
    os.utime(keys, ns=(1, 1))
    assert source.stamp() != source.seen
    assert [key.name for key in source.read()] == ["one"]
    assert source.stamp() == source.seen
    config.write_text('[server]\nkeys_file = "keys.toml"\n')
    assert source.read() == ()


def test_a_file_that_cannot_be_read_again_is_not_read_each_time(config: Path) -> None:
    source = load(config, {}).server.key_source
    config.with_name("keys.toml").unlink()
    with pytest.raises(ConfigError, match=r"keys\.toml"):
        source.read()
    assert source.stamp() == source.seen
    config.write_text("[[[")
    with pytest.raises(ConfigError):
        source.read()
    assert source.stamp() == source.seen
    config.with_name("keys.toml").write_text("")
    assert source.stamp() != source.seen


def test_secrets_files_are_watched_too(tmp_path: Path) -> None:
    file = tmp_path / "tailrace.toml"
    file.write_text('[keys.one]\nkey = "file:one"\n')
    (tmp_path / "one").write_text("key-number-one")
    source = load(file, {}).server.key_source
    (tmp_path / "one").write_text("key-number-two")
    assert source.stamp() != source.seen
    assert [key.digest for key in source.read()] == [TWO]


def test_what_is_read_again_travels_to_workers(config: Path) -> None:
    source = pickle.loads(pickle.dumps(load(config, os.environ).server.key_source))
    assert source.stamp() == source.seen
    assert [key.name for key in source.read()] == ["one", "two"]


def test_without_keys_there_is_nothing_to_read_again(tmp_path: Path) -> None:
    file = tmp_path / "tailrace.toml"
    file.write_text("[server]\nport = 1\n")
    assert load(file, {}).server.key_source is None
    assert load(None, {}).server.key_source is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nport = 1", "keys.toml:1: server: unknown key"),
        ("[keys", "keys.toml:1: not valid TOML"),
        ('\n[keys.a]\nsha256 = "x"', "keys.toml:3: keys.a.sha256: must be 64"),
        (f'[keys.one]\nsha256 = "{TWO}"', "keys.one: there are two keys of that name"),
        (f'[keys.three]\nsha256 = "{ONE}"', "one and three are the same key"),
        ("x" * (1024 * 1024 + 1), "keys.toml: is larger than"),
    ],
)
def test_mistakes_in_the_file_of_keys_are_named_with_its_lines(config: Path, text: str, said: str) -> None:
    config.with_name("keys.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(config, {})
    assert said in str(caught.value)
