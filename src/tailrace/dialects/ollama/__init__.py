"""Dialect: ollama.

Knows: Ollama's ``/api/chat``, as its server and its clients speak it: lines of JSON instead of server-sent events.
Does not know: the other dialects; which server it talks to.
May import: events, errors; from dialects only base.py, fields.py and marks.py.
Start reading at: decode.py, then encode.py.
"""

from tailrace.dialects.base import Dialect
from tailrace.dialects.ollama.body import message_body
from tailrace.dialects.ollama.build import build, forward
from tailrace.dialects.ollama.decode import OllamaDecoder
from tailrace.dialects.ollama.encode import OllamaEncoder
from tailrace.dialects.ollama.failures import error_body, read_error
from tailrace.dialects.ollama.names import NAME
from tailrace.dialects.ollama.request import endpoint, headers, parse

OLLAMA = Dialect(
    name=NAME,
    content_type="application/x-ndjson",
    ids=False,
    # A line that adds nothing: the official Python client takes a blank one for broken JSON, and stricter ones than it
    # want every field in each line.
    heartbeat=b'{"model":"","created_at":"1970-01-01T00:00:00Z","message":{"role":"assistant","content":""},'
    b'"done":false}\n',
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=OllamaDecoder,
    encoder=OllamaEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)
"""The dialect."""

__all__ = ["OLLAMA"]
