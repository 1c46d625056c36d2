"""Dialect: gemini.

Knows: Google's generateContent, streamed as server-sent events or as one JSON array, both ways.
Does not know: the other dialects; which server it talks to.
May import: sse, events, errors; from dialects only base.py and fields.py.
Start reading at: names.py, then decode.py; framing.py finds the chunks in the bytes.
"""

from tailrace.dialects.base import Dialect
from tailrace.dialects.gemini.body import message_body
from tailrace.dialects.gemini.build import build, forward
from tailrace.dialects.gemini.decode import GeminiDecoder
from tailrace.dialects.gemini.encode import GeminiEncoder
from tailrace.dialects.gemini.failures import error_body, read_error
from tailrace.dialects.gemini.names import NAME
from tailrace.dialects.gemini.request import endpoint, headers, parse

GEMINI = Dialect(
    name=NAME,
    content_type="text/event-stream",
    # An id line makes one of Google's SDKs fail and the other drop the event; so does a comment.
    ids=False,
    heartbeat=b"\n",
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=GeminiDecoder,
    encoder=GeminiEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)
"""The dialect."""

__all__ = ["GEMINI"]
