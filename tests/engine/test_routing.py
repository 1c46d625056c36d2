"""Which provider a name leads to."""

from __future__ import annotations

import pytest

from tailrace.engine import Policy, ProviderSpec, Retry, RouteSpec, Target
from tailrace.engine.routing import Router
from tailrace.errors import NotFound

PROVIDERS = {
    spec.name: spec
    for spec in (
        ProviderSpec(name="anthropic", dialect="anthropic", models=("claude-a",)),
        ProviderSpec(name="openai", dialect="openai_chat", models=("gpt-a", "shared")),
        ProviderSpec(name="groq", dialect="openai_chat", models=("shared",)),
        ProviderSpec(name="local", dialect="openai_chat", models=("tiny",), local=True),
        ProviderSpec(name="sim", dialect="anthropic", models=("sim",), simulated=True),
    )
}
SLOW = Policy(grace=1.0)
ROUTES = {"fast": RouteSpec(name="fast", targets=(Target("groq", "x"), Target("openai", "y")), policy=SLOW)}
ROUTER = Router(PROVIDERS, ROUTES)


@pytest.mark.parametrize(
    ("model", "dialect", "targets"),
    [
        ("fast", "plain", ["groq/x", "openai/y"]),
        ("anthropic/claude-z", "openai_chat", ["anthropic/claude-z"]),
        ("groq/openai/gpt-oss", "plain", ["groq/openai/gpt-oss"]),
        ("gpt-a", "anthropic", ["openai/gpt-a"]),
        ("claude-z", "anthropic", ["anthropic/claude-z"]),
        ("tiny", "plain", ["local/tiny"]),
        ("local/tiny", "plain", ["local/tiny"]),
        ("sim-tool", "anthropic", None),
        ("sim/sim:tokens=4", "plain", ["sim/sim:tokens=4"]),
        # Two providers speak this dialect, so a bare name says too little.
        ("gpt-z", "openai_chat", None),
        ("shared", "plain", None),
        # The small local model must not pass for another.
        ("local/gpt-4", "openai_chat", None),
        ("sim/claude-z", "plain", None),
        ("nobody/x", "plain", None),
        ("anthropic/", "plain", None),
        ("", "anthropic", None),
    ],
)
def test_names(model: str, dialect: str, targets: list[str] | None) -> None:
    if model == "sim-tool":
        # One provider that answers to any name speaks Anthropic here besides the simulator, which answers to this one.
        with pytest.raises(NotFound):
            ROUTER.resolve(model, dialect)
        return
    if targets is None:
        with pytest.raises(NotFound):
            ROUTER.resolve(model, dialect)
    else:
        assert [str(target) for target in ROUTER.resolve(model, dialect).targets] == targets


def test_a_route_brings_its_policy() -> None:
    assert ROUTER.resolve("fast", "plain").policy is SLOW
    assert ROUTER.resolve("gpt-a", "plain").policy == Policy(retry=Retry(attempts=1))


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(NotFound) as caught:
        ROUTER.resolve("gpt-9", "plain")
    assert "'gpt-9'" in str(caught.value)
    assert "fast, anthropic/claude-a, openai/gpt-a" in str(caught.value)
    assert "anthropic/…" in str(caught.value)
    assert "local/…" not in str(caught.value)
    assert caught.value.param == "model"
