"""Room: client.

Knows: how to ask a relay or a provider, read the answer, find a lost relay again, stop it; once, for two shells.
Does not know: the engine, the server, logs, routes.
May import: sse, events, partial_json, structured, dialects, errors, and httpx2.
Start reading at: commands.py, then session.py.
"""

from tailrace.client.aio.client import AsyncClient
from tailrace.client.aio.stream import AsyncStream
from tailrace.client.base_client import Model
from tailrace.client.quick import ask, stream
from tailrace.client.reset import Reset
from tailrace.client.sync.client import Client
from tailrace.client.sync.stream import Stream
from tailrace.client.timeouts import Timeout, Timing
from tailrace.client.tokens import ViewToken
from tailrace.client.wishes import Cancel, Drain, OnDisconnect

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Cancel",
    "Client",
    "Drain",
    "Model",
    "OnDisconnect",
    "Reset",
    "Stream",
    "Timeout",
    "Timing",
    "ViewToken",
    "ask",
    "stream",
]
