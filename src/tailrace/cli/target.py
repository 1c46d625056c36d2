"""Whom to ask: a relay by its URL, a provider by its name and key, or the relay that runs on this machine."""

from __future__ import annotations

import os
from typing import NamedTuple

from tailrace.cli.terminal import aside
from tailrace.client import Client, Model
from tailrace.dialects import KNOWN_PROVIDERS
from tailrace.errors import ConfigError, ConnectError

LOCAL_URL = "http://127.0.0.1:8484"
"""Where `tailrace serve` and `tailrace demo` listen."""


class Target(NamedTuple):
    """A client, and the model's name as its server knows it."""

    client: Client
    model: str


def relay(url: str | None) -> Client:
    """Return a client of the relay at ``url``, or of the one on this machine. Nothing is connected yet."""
    # A server on this machine is there or it is not: trying again would only keep people waiting.
    return Client(url) if url else Client(LOCAL_URL, max_retries=0)


def models(client: Client, url: str | None, *, wanted: str | None = None) -> list[Model]:
    """Return the models of a relay; for one on this machine that is not there, say what to do (for ``wanted``)."""
    try:
        return client.models()
    except ConnectError as error:
        if url:
            raise
        raise ConnectError(_nobody_here(wanted)) from error


def find(model: str | None, url: str | None) -> Target:
    """Return whom to ask for ``model``; without one, the relay's first.

    A ``url`` wins. Else ``provider/model`` goes straight to a well-known provider whose key is in the environment,
    and anything else to the relay on this machine. Raises `ConnectError` when that one does not run: the local model
    is never started behind anyone's back.
    """
    if not url and model and (straight := _provider(model)):
        return straight
    client = relay(url)
    try:
        if model and url:
            return Target(client, model)
        found = models(client, url, wanted=model)
        return Target(client, model or _first(found))
    except BaseException:
        client.close()
        raise


def _provider(model: str) -> Target | None:
    name, slash, rest = model.partition("/")
    known = KNOWN_PROVIDERS.get(name)
    if known is None or not slash or not rest or not os.environ.get(known.key_variable, "").strip():
        return None
    return Target(Client(provider=name), rest)


def _first(found: list[Model]) -> str:
    if not found:
        raise ConfigError("the server lists no models: name one with -m")
    first = found[0]
    kind = first.data.get("tailrace")
    if isinstance(kind, dict) and kind.get("simulated"):
        aside(f"[simulated] {first.id}: no language model, only invented words")
    else:
        aside(f"model: {first.id}")
    return first.id


def _nobody_here(model: str | None) -> str:
    provider = (model or "").partition("/")[0]
    known = KNOWN_PROVIDERS.get(provider)
    straight = (
        f"set {known.key_variable} to ask {provider} straight"
        if known
        else "name a model with its provider to ask that straight, as in -m anthropic/claude-haiku-4-5"
    )
    return (
        f"no Tailrace server at {LOCAL_URL}. Start one with `tailrace demo` (a small local model, no key needed) "
        f"or `tailrace serve`; give another one's address with --url; or {straight}"
    )
