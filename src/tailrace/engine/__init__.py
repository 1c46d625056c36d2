"""Room: engine.

Knows: how a request becomes an answer: routing, the upstream connection, the generation and its life, flow.
Does not know: HTTP in, ASGI, the command line, where its configuration came from.
May import: log, ledger, dialects, events, sse, errors. It is the only room that starts tasks for generations;
    lifecycle, deadlines, failover, breaker, failures, observer, routing, usage and spec are pure.
Start reading at: lifecycle.py, then attempt.py and generation.py.
"""

from tailrace.engine.asking import Ask, Opened
from tailrace.engine.failures import FAULT, trace
from tailrace.engine.generation import Generation
from tailrace.engine.http import HttpUpstream
from tailrace.engine.observer import Ended, Observer, Readers
from tailrace.engine.relay import Relay
from tailrace.engine.restart import behind_reset
from tailrace.engine.retold import Retold
from tailrace.engine.routing import MAX_NAME, Router
from tailrace.engine.spec import (
    Budget,
    Deadlines,
    Limits,
    OnDisconnect,
    Policy,
    ProviderSpec,
    Retry,
    RouteSpec,
    Secret,
    Target,
)
from tailrace.engine.upstream import Call, Source, Upstream

__all__ = [
    "FAULT",
    "MAX_NAME",
    "Ask",
    "Budget",
    "Call",
    "Deadlines",
    "Ended",
    "Generation",
    "HttpUpstream",
    "Limits",
    "Observer",
    "OnDisconnect",
    "Opened",
    "Policy",
    "ProviderSpec",
    "Readers",
    "Relay",
    "Retold",
    "Retry",
    "RouteSpec",
    "Router",
    "Secret",
    "Source",
    "Target",
    "Upstream",
    "behind_reset",
    "trace",
]
