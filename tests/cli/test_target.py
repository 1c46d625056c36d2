"""Whom `tailrace ask` asks."""

from __future__ import annotations

import pytest

from tailrace.cli import target
from tailrace.cli.target import LOCAL_URL, find
from tailrace.client import Client, Model
from tailrace.errors import ConfigError, ConnectError
from tests.cli.commands import UNSET, tailrace

HERE = [Model("fast", {}), Model("other", {})]


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def running(monkeypatch: pytest.MonkeyPatch, models: list[Model] | None) -> None:
    """Let a server on this machine have ``models``; None: there is no server."""

    def answer(_: Client) -> list[Model]:
        if models is None:
            raise ConnectError("refused")
        return models

    monkeypatch.setattr(Client, "models", answer)


@pytest.mark.parametrize(
    ("model", "url", "environ_key", "client", "name"),
    [
        ("m", "http://other:1", None, "relay at other:1", "m"),
        (None, "http://other:1", None, "relay at other:1", "fast"),
        ("anthropic/m", "http://other:1", "ANTHROPIC_API_KEY", "relay at other:1", "anthropic/m"),
        ("anthropic/m", None, "ANTHROPIC_API_KEY", "anthropic at anthropic", "m"),
        ("gemini/a/b", None, "GEMINI_API_KEY", "gemini at gemini", "a/b"),
        ("anthropic/m", None, "OPENAI_API_KEY", "relay at 127.0.0.1:8484", "anthropic/m"),
        ("anthropic/", None, "ANTHROPIC_API_KEY", "relay at 127.0.0.1:8484", "anthropic/"),
        ("m", None, "OPENAI_API_KEY", "relay at 127.0.0.1:8484", "m"),
        (None, None, "OPENAI_API_KEY", "relay at 127.0.0.1:8484", "fast"),
    ],
)
def test_the_way_to_a_model(
    environ: pytest.MonkeyPatch, model: str | None, url: str | None, environ_key: str | None, client: str, name: str
) -> None:
    running(environ, HERE)
    if environ_key:
        environ.setenv(environ_key, "k")
    found = find(model, url)
    assert found.model == name
    assert client in repr(found.client)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (None, ["tailrace demo", "tailrace serve", "--url", "-m anthropic/claude-haiku-4-5"]),
        ("openai/gpt-5-mini", ["tailrace demo", "tailrace serve", "OPENAI_API_KEY"]),
        ("fast", ["tailrace demo", "tailrace serve", "--url"]),
    ],
)
def test_without_a_server_nothing_is_started_and_it_says_what_to_do(
    environ: pytest.MonkeyPatch, model: str | None, words: list[str]
) -> None:
    running(environ, None)
    with pytest.raises(ConnectError) as caught:
        find(model, None)
    assert LOCAL_URL in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_named_server_that_is_not_there_is_just_said_to_be_not_there(environ: pytest.MonkeyPatch) -> None:
    running(environ, None)
    with pytest.raises(ConnectError, match="refused"):
        find(None, "http://other:1")


def test_a_server_without_models_wants_one_named(environ: pytest.MonkeyPatch) -> None:
    running(environ, [])
    with pytest.raises(ConfigError, match="name one with -m"):
        find(None, None)


def test_simulated_words_are_never_passed_off_as_a_model_s(
    environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running(environ, [Model("simulated/sim", {"tailrace": {"simulated": True}})])
    find(None, None)
    assert "[simulated] simulated/sim: no language model" in capsys.readouterr().err


def test_the_exit_code_without_a_server_is_upstream(environ: pytest.MonkeyPatch) -> None:
    environ.setattr(target, "LOCAL_URL", "http://127.0.0.1:9")
    code, out, err = tailrace("ask", "hello")
    assert (code, out) == (3, "")
    assert "Start one with `tailrace demo`" in err
    assert tailrace("models").code == 3
