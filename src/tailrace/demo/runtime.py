"""llama.cpp in this process: how it is set up, and the one call that is made to it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tailrace.demo.availability import MODEL

CONTEXT = 2048
"""Tokens of prompt and answer together: what these weights were trained for."""

BATCH = 32
"""Prompt tokens between two looks at whether to stop: about a quarter of a second. 512, the usual number, reads a
prompt a fifth faster but hears a stop only every four seconds."""

ERRORS_ONLY = 1
"""llama.cpp's log level: its errors reach stderr, its 200 lines about loading do not."""


class Runtime(Protocol):
    """The part of ``xllamacpp.Server`` that is used."""

    def handle_chat_completions(self, body: dict[str, Any], callback: Callable[[dict[str, Any]], bool]) -> None:
        """Answer, calling ``callback`` with each chunk until it returns True; blocks, without holding the GIL."""


def load(weights: Path) -> Runtime:
    """Load the model, which takes about half a second and **holds the GIL**: best done before there is a loop.

    Raises ``ImportError`` or ``RuntimeError``.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.verbosity = ERRORS_ONLY
    params.model.path = str(weights)
    params.model_alias = {MODEL}
    params.n_ctx = CONTEXT
    params.n_batch = params.n_ubatch = BATCH
    params.n_parallel = 1
    # More threads are slower wherever something else runs too: they wait for each other at every layer.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    # Prompts of earlier requests would be kept, in up to 8 GiB.
    params.cache_ram_mib = 0
    # The runtime always opens a port of its own on loopback. Nobody is told the key to it.
    params.api_keys = [secrets.token_urlsafe(32)]
    params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = params.ui = False
    runtime: Runtime = xllamacpp.Server(params)
    return runtime
