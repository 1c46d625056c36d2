"""Which provider answers: a model's name as the client wrote it → targets. Pure lookup.

In this order: a route's name; ``provider/model``; a model that exactly one provider lists; a bare name for the one
provider that speaks the door's own dialect. A model that runs in this process or is simulated only answers to its
own names: it must never pass for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tailrace.engine.spec import Policy, ProviderSpec, Retry, RouteSpec, Target
from tailrace.errors import BadRequest, NotFound

MAX_NAME = 512
"""Most characters of a model's name, which stands in logs and lists. Bedrock's ARNs, the longest, have below 200."""


PLAIN = Policy(retry=Retry(attempts=1))
"""The policy of a model that is asked for without a route: its failure is told at once, to clients whose SDK tries
again by itself."""


class Resolved(NamedTuple):
    """Where a request goes, and under which policy."""

    targets: tuple[Target, ...]
    policy: Policy


class Router:
    """Looks models up among ``providers`` and ``routes``."""

    def __init__(self, providers: Mapping[str, ProviderSpec], routes: Mapping[str, RouteSpec]) -> None:
        self.providers = dict(providers)
        self.routes = dict(routes)

    def resolve(self, model: str, dialect: str) -> Resolved:
        """Return the targets of ``model`` asked for at a door of ``dialect``; raises `NotFound` or `BadRequest`."""
        if len(model) > MAX_NAME or not model.isprintable():
            text = f"model: must be a name of at most {MAX_NAME} printable characters"
            raise BadRequest(text, code="bad_model", param="model")
        route = self.routes.get(model)
        if route is not None:
            return Resolved(route.targets, route.policy)
        target = self._named(model) or self._listed(model) or self._of_dialect(model, dialect)
        if target is None:
            raise NotFound(self._unknown(model), code="model_not_found", param="model")
        return Resolved((target,), PLAIN)

    def names(self) -> list[str]:
        """The names that are sure to be known: routes, then ``provider/model`` for each listed model."""
        listed = [f"{spec.name}/{model}" for spec in self.providers.values() for model in spec.models]
        return [*self.routes, *listed]

    def _named(self, model: str) -> Target | None:
        provider, slash, name = model.partition("/")
        spec = self.providers.get(provider)
        return Target(provider, name) if spec and slash and _answers_to(spec, name) else None

    def _listed(self, model: str) -> Target | None:
        having = [spec for spec in self.providers.values() if model in spec.models]
        return Target(having[0].name, model) if len(having) == 1 else None

    def _of_dialect(self, model: str, dialect: str) -> Target | None:
        speaking = [spec for spec in self.providers.values() if spec.dialect == dialect and _answers_to(spec, model)]
        return Target(speaking[0].name, model) if len(speaking) == 1 and "/" not in model else None

    def _unknown(self, model: str) -> str:
        known = [*self.names(), *(f"{name}/…" for name, spec in self.providers.items() if not _closed(spec))]
        return f"no model or route {model!r} here; known: {', '.join(known) or 'none'}"


def _closed(spec: ProviderSpec) -> bool:
    return spec.local or spec.simulated


def _answers_to(spec: ProviderSpec, model: str) -> bool:
    if not _closed(spec):
        return bool(model)
    # The simulator's models carry their scenario in the name: "sim", "sim-tool", "sim:tokens=40".
    scenarios = tuple(f"{name}{mark}" for name in spec.models for mark in "-:")
    return model in spec.models or (spec.simulated and model.startswith(scenarios))
