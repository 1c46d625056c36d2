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
from tailrace.client.sync.client import Client
from tailrace.client.sync.stream import Stream
from tailrace.client.timeouts import Timeout, Timing

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Client",
    "Model",
    "Stream",
    "Timeout",
    "Timing",
    "ask",
    "stream",
]
