from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.config import Logs, Settings, load
from tailrace.config.files import MAX_CONFIG
from tailrace.engine import Deadlines, Limits, Policy, RouteSpec, Secret, Target
from tailrace.errors import ConfigError
from tests.config.reading import problems, read

EXAMPLE = """
[providers.anthropic]
dialect = "anthropic"
base_url = "https://api.anthropic.com"   # as the provider's own SDK takes it: OpenAI's ends in /v1
api_key = "env:ANTHROPIC_API_KEY"

[routes.fast]
targets = ["anthropic/claude-haiku-4-5", "openai/gpt-5-mini"]
on_disconnect = "detach"
"""


def test_a_whole_file_becomes_plain_values() -> None:
    settings = read(EXAMPLE, {"ANTHROPIC_API_KEY": "a-key", "OPENAI_API_KEY": "o-key"})
    assert settings.providers["anthropic"].api_key == Secret("a-key")
    assert settings.providers["anthropic"].base_url == "https://api.anthropic.com"
    assert settings.routes == {
        "fast": RouteSpec(
            name="fast",
            targets=(Target("anthropic", "claude-haiku-4-5"), Target("openai", "gpt-5-mini")),
            policy=Policy(on_disconnect="detach"),
        )
    }
    assert settings.limits == Limits()
    assert not settings.local


def test_a_local_server_under_an_address_of_its_own_needs_no_more_than_this() -> None:
    settings = read(
        '[providers.bench]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:9100"\napi_key = "env:BENCH_KEY"',
        {"BENCH_KEY": "k"},
    )
    assert settings.providers["bench"].base_url == "http://127.0.0.1:9100"


def test_every_section_reaches_its_value() -> None:
    settings = read(
        """
        [server]
        host = "::1"
        port = 0
        keys = ["env:ONE", "file:two"]
        allowed_hosts = ["chat.example.com"]
        cors_origins = ["https://chat.example.com"]
        shutdown_grace = 2.5
        [providers.box]
        dialect = "openai_chat"
        base_url = "http://box/v1"
        headers = { X-Team = "blue", Authorization = "env:ONE" }
        models = ["m"]
        quirks = { eof_ends = true }
        [routes.slow]
        targets = ["box/a/b"]
        grace = 1
        [routes.slow.deadlines]
        connect = 1
        idle = 0
        [limits]
        high_water = 10
        low_water = 5
        [log]
        backend = "redis"
        url = "env:REDIS"
        sentinels = ["a.internal:26379", "[::1]:26380"]
        master = "mymaster"
        durability = "D3"
        lease = 2
        write_wait = 20
        prefix = "chat:"
        [logging]
        level = "debug"
        format = "json"
        """,
        {"ONE": "key-one", "REDIS": "redis://:secret@redis/1"},
        files={"two": "key-two\n"},
    )
    assert settings.server.keys == (Secret("key-one"), Secret("key-two"))
    assert (settings.server.host, settings.server.port, settings.server.shutdown_grace) == ("::1", 0, 2.5)
    assert settings.server.allowed_hosts == ("chat.example.com",)
    assert settings.server.cors_origins == ("https://chat.example.com",)
    box = settings.providers["box"]
    assert box.headers == {"X-Team": "blue", "Authorization": "key-one"}
    assert (box.models, box.quirks.eof_ends, box.api_key) == (("m",), True, None)
    slow = settings.routes["slow"]
    assert slow.targets == (Target("box", "a/b"),)
    assert slow.policy == Policy(grace=1, deadlines=Deadlines(connect=1, idle=None))
    assert (settings.limits.high_water, settings.limits.low_water) == (10, 5)
    assert (settings.logging.level, settings.logging.format) == ("debug", "json")
    assert settings.log == Logs(
        backend="redis",
        url=Secret("redis://:secret@redis/1"),
        sentinels=(("a.internal", 26379), ("::1", 26380)),
        master="mymaster",
        durability="D3",
        lease=2,
        write_wait=20,
        prefix="chat:",
    )
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ["local"]),
        ({"ANTHROPIC_API_KEY": "  "}, ["local"]),
        ({"OPENAI_API_KEY": "k"}, ["openai"]),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "GEMINI_API_KEY": "k"}, ["anthropic", "gemini", "openai"]),
    ],
)
def test_without_a_file_the_keys_in_the_environment_are_the_providers(
    environ: dict[str, str], names: list[str]
) -> None:
    settings = load(None, environ)
    assert sorted(settings.providers) == names
    assert settings.local == (names == ["local"])
    assert settings.source == ""


def test_a_file_that_names_providers_is_not_joined_by_other_keys_of_the_environment() -> None:
    environ = {"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}
    assert list(read("[providers.openai]", environ).providers) == ["openai"]


def test_a_well_known_provider_needs_only_what_differs() -> None:
    provider = read('[providers.openai]\nbase_url = "http://proxy/v1"', {"OPENAI_API_KEY": "k"}).providers["openai"]
    assert (provider.dialect, provider.base_url, provider.api_key) == ("openai_chat", "http://proxy/v1", Secret("k"))


def test_the_local_model_can_be_a_route_s_target() -> None:
    assert read('[routes.fast]\ntargets = ["local/smollm2-135m"]').local


def test_variables_go_over_the_file_and_the_command_line_over_both() -> None:
    text = '[server]\nport = 1\nshutdown_grace = 1\nhost = "localhost"'
    settings = read(
        text,
        {"TAILRACE__SERVER__PORT": "2", "TAILRACE__SERVER__HOST": "::1"},
        overrides={("server", "port"): (3, "--port")},
    )
    assert (settings.server.port, settings.server.host, settings.server.shutdown_grace) == (3, "::1", 1)


def test_files_are_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-key\n")
    config = tmp_path / "tailrace.toml"
    config.write_text('[providers.openai]\napi_key = "file:key"\n')
    settings = load(config, {})
    assert settings.providers["openai"].api_key == Secret("a-key")
    assert settings.source == str(config)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * (MAX_CONFIG + 1), "is larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    config = tmp_path / "tailrace.toml"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(config, {})
    assert message in str(caught.value)
    assert caught.value.where == str(config)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_no_representation_of_settings_shows_a_key() -> None:
    settings: Settings = read(EXAMPLE, {"ANTHROPIC_API_KEY": "a-key", "OPENAI_API_KEY": "o-key"})
    assert "a-key" not in repr(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_this_machine_needs_no_keys(host: str) -> None:
    assert read(f'[server]\nhost = "{host}"').server.host == host.strip("[]")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", "128.0.0.1"])
def test_beyond_this_machine_keys_are_needed(host: str) -> None:
    (problem,) = problems(f'[server]\nhost = "{host}"')
    assert problem.startswith(f"tailrace.toml:2: server.host: listening on {host} lets other machines in")
    assert "server.keys" in problem
    settings = read(f'[server]\nhost = "{host}"\nkeys = ["env:K"]', {"K": "key"})
    assert settings.server.host == host


def test_the_command_line_cannot_open_the_server_either() -> None:
    (problem,) = problems("", overrides={("server", "host"): ("0.0.0.0", "--host")})
    assert problem.startswith("--host: server.host: listening on 0.0.0.0")
