"""Room: sse.

Knows: text/event-stream as WHATWG defines it, both ways, and how much of it may be held.
Does not know: JSON, providers, what an event means, connections, time.
May import: errors.
Start reading at: decoder.py.
"""

from tailrace.sse.decoder import MAX_EVENT, MAX_LINE, Decoder
from tailrace.sse.encoder import comment, encode
from tailrace.sse.event import DEFAULT_TYPE, MAX_RETRY_DIGITS, ServerSentEvent

__all__ = [
    "DEFAULT_TYPE",
    "MAX_EVENT",
    "MAX_LINE",
    "MAX_RETRY_DIGITS",
    "Decoder",
    "ServerSentEvent",
    "comment",
    "encode",
]
