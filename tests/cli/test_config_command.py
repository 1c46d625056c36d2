from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import tailrace

GOOD = """
[server]
keys = ["env:SERVER_KEY"]
[providers.box]
dialect = "openai_chat"
base_url = "http://box/v1"
[routes.fast]
targets = ["box/a", "box/b"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_right_configuration_is_summed_up_without_its_keys(here: Path) -> None:
    (here / "tailrace.toml").write_text(GOOD)
    code, out, err = tailrace("config", "check", environ={"SERVER_KEY": "sk-canary"})
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "tailrace.toml: ok",
        "listens on 127.0.0.1:8484, clients need one of 1 keys",
        "provider box: openai_chat at http://box/v1, without a key",
        "route fast: box/a then box/b, cancel",
    ]


def test_every_mistake_of_a_wrong_one_is_a_line_on_stderr(here: Path) -> None:
    file = here / "other.toml"
    file.write_text('[server]\nprot = 1\n[providers.openai]\napi_key = "sk-canary"\n')
    code, out, err = tailrace("config", "check", str(file))
    assert (code, out) == (1, "")
    assert [line.split(": ")[:3] for line in err.splitlines()] == [
        ["error", f"{file}:2", "server.prot"],
        ["error", f"{file}:4", "providers.openai.api_key"],
    ]
    assert "sk-canary" not in err


def test_without_a_file_the_environment_is_checked(here: Path) -> None:
    code, out, _ = tailrace("config", "check", environ={"OPENAI_API_KEY": "sk-canary"})
    assert code == 0
    assert out.startswith("no file: the environment: ok\n")
    assert "provider openai: openai_chat at https://api.openai.com/v1\n" in out
    code, out, _ = tailrace("config", "check")
    assert "provider local: in this process\n" in out


def test_a_file_that_is_named_and_not_there_is_an_error(here: Path) -> None:
    code, _, err = tailrace("config", "check", "nowhere.toml")
    assert code == 1
    assert "nowhere.toml: cannot be read" in err


def test_the_schema_is_json() -> None:
    code, out, _ = tailrace("config", "schema")
    assert code == 0
    assert json.loads(out)["title"] == "Document"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "--host: server.host: listening on 0.0.0.0 lets other machines in"),
        (["--config", "nowhere.toml"], "nowhere.toml: cannot be read"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_server_with_a_wrong_configuration_does_not_start(words: list[str], message: str) -> None:
    code, out, err = tailrace("serve", *words)
    assert (code, out) == (1, "")
    assert message in err
