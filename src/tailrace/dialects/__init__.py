"""Room: dialects.

Knows: wire formats, each both ways: requests, provider bytes to events, events to client bytes.
Does not know: sockets, time, logs, sequence numbers, configuration, which provider is which.
May import: sse, events, errors.
Start reading at: base.py, then anthropic/decode.py.
"""

from tailrace.dialects.base import Decoder, Dialect, Encoder, Quirks, Received, Reply, Translation
from tailrace.dialects.providers import KNOWN_PROVIDERS, KnownProvider
from tailrace.dialects.registry import DIALECTS

__all__ = [
    "DIALECTS",
    "KNOWN_PROVIDERS",
    "Decoder",
    "Dialect",
    "Encoder",
    "KnownProvider",
    "Quirks",
    "Received",
    "Reply",
    "Translation",
]
