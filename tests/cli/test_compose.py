"""What `serve` and `demo` put together, and that nothing stands in for anything silently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tailrace.cli import compose
from tailrace.cli.compose import SIMULATED, composed, first_model
from tailrace.config import Settings, load
from tailrace.demo import Availability, LocalModel, LocalUpstream
from tailrace.engine import ProviderSpec, RouteSpec, Target
from tailrace.errors import ConfigError, ConnectError
from tailrace.ledger import NoLedger, SqliteLedger

MISSING = Availability(reason="the runtime xllamacpp is not installed", missing=("xllamacpp==1",))
THERE = Availability(weights=Path("/somewhere/weights.gguf"))
LOCAL = load(None, {})


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models "loaded" by the test."""
    found: list[str] = []
    monkeypatch.setattr(LocalModel, "load", lambda _: found.append("loaded"))
    return found


class Installer:
    """Says whether somebody is there, what they answer, and what installing brings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, asked: bool, answer: bool, brings: Availability) -> None:
        self.questions: list[str] = []
        self.ran = 0
        self._brings = brings
        self._answer = answer
        monkeypatch.setattr(compose, "available", lambda: MISSING)
        monkeypatch.setattr(compose, "install", self._install)
        monkeypatch.setattr(compose, "interactive", lambda: asked)
        monkeypatch.setattr(compose, "_confirmed", self._confirmed)

    def _install(self) -> Availability:
        self.ran += 1
        return self._brings

    def _confirmed(self, question: str) -> bool:
        self.questions.append(question)
        return self._answer


def test_the_local_model_is_loaded_before_anything_is_served(
    monkeypatch: pytest.MonkeyPatch, loads: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compose, "available", lambda: THERE)
    with composed(LOCAL) as relay:
        name, spec = first_model(relay)
    assert loads == ["loaded"]
    assert name == "local/smollm2-135m"
    assert (spec.local, spec.simulated) == (True, False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("asked", "answer", "yes", "brings", "questions", "ran", "local"),
    [
        (True, True, False, THERE, 1, 1, True),
        (True, False, False, THERE, 1, 0, False),
        (True, True, False, MISSING, 1, 1, False),
        (True, False, True, THERE, 0, 1, True),
        (False, True, False, THERE, 0, 0, False),
        (False, False, True, THERE, 0, 1, True),
    ],
)
@pytest.mark.usefixtures("loads")
def test_a_missing_model_is_installed_only_with_a_yes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: bool,
    answer: bool,
    yes: bool,
    brings: Availability,
    questions: int,
    ran: int,
    local: bool,
) -> None:
    installer = Installer(monkeypatch, asked=asked, answer=answer, brings=brings)
    with composed(LOCAL, yes=yes) as relay:
        _, spec = first_model(relay)
    assert (len(installer.questions), installer.ran) == (questions, ran)
    assert (spec.local, spec.simulated) == (local, not local)
    err = capsys.readouterr().err
    assert "xllamacpp" in err
    assert ("[simulated]" in err) == (not local)


def test_a_stand_in_never_has_the_model_s_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compose, "available", lambda: MISSING)
    with composed(LOCAL) as relay:
        assert set(relay.router.providers) == {SIMULATED}
        assert not [name for name in relay.router.names() if "smollm" in name]
    err = capsys.readouterr().err
    assert "the local model cannot run here: the runtime xllamacpp is not installed" in err
    assert "no language model" in err


def test_weights_that_do_not_load_are_said_and_stood_in_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load_(_: LocalModel) -> None:
        raise ConnectError("the local model could not be loaded: broken")

    monkeypatch.setattr(LocalModel, "load", load_)
    monkeypatch.setattr(compose, "available", lambda: THERE)
    with composed(LOCAL) as relay:
        assert set(relay.router.providers) == {SIMULATED}
    err = capsys.readouterr().err
    assert "could not be loaded: broken" in err
    assert "[simulated]" in err


def test_a_route_to_the_local_model_is_not_led_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "available", lambda: MISSING)
    route = RouteSpec(name="fast", targets=(Target("local", "smollm2-135m"),))
    settings = Settings(providers=LOCAL.providers, routes={"fast": route})
    with pytest.raises(ConfigError, match="the routes fast need the local model"), composed(settings):
        pass


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_other_providers_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch, names: Sequence[str]) -> None:
    monkeypatch.setattr(compose, "available", lambda: pytest.fail("nobody asked for the local model"))
    providers = {name: ProviderSpec(name=name, dialect="anthropic", base_url="http://x") for name in names}
    with composed(Settings(providers=providers)) as relay:
        assert relay.router.providers == providers


def test_the_local_model_comes_as_an_upstream_of_the_engine() -> None:
    from tailrace.engine import Upstream

    model = LocalModel(Path("/somewhere/weights.gguf"))
    upstream: Upstream = LocalUpstream(model)  # mypy checks that the contract is kept
    assert upstream is not None
    model.close()


def test_the_ledger_is_the_one_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyed = {"OPENAI_API_KEY": "k"}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with composed(load(None, keyed)) as relay:
        assert isinstance(relay.ledger, SqliteLedger)
        assert (relay.ledger.path, relay.ledger.strict) == (tmp_path / "tailrace" / "ledger.sqlite3", False)
    with composed(load(None, {**keyed, "TAILRACE__LEDGER__STRICT": "true"})) as relay:
        assert isinstance(relay.ledger, SqliteLedger)
        assert relay.ledger.strict
    with composed(load(None, {**keyed, "TAILRACE__LEDGER__BACKEND": "none"})) as relay:
        assert isinstance(relay.ledger, NoLedger)
    assert list(tmp_path.iterdir()) == []
