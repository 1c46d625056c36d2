"""Dialect: Anthropic Messages (``POST /v1/messages``).

Knows: its requests, stream events, errors and token counts, both ways; API versions 2023-06-01 and 2026-10-21.
Does not know: sockets, time, which provider speaks it.
May import: sse, events, errors, the dialects' base.
Start reading at: names.py, then decode.py.
"""

from tailrace.dialects.anthropic.body import message_body
from tailrace.dialects.anthropic.decode import AnthropicDecoder
from tailrace.dialects.anthropic.encode import AnthropicEncoder
from tailrace.dialects.anthropic.failures import error_body, read_error
from tailrace.dialects.anthropic.names import NAME
from tailrace.dialects.anthropic.request import build, endpoint, forward, headers, parse
from tailrace.dialects.base import Dialect

ANTHROPIC = Dialect(
    name=NAME,
    content_type="text/event-stream; charset=utf-8",
    ids=True,
    # Every SDK skips it, before the first event too; a proxy that wants data rather than comments is content.
    heartbeat=b'event: ping\ndata: {"type": "ping"}\n\n',
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=AnthropicDecoder,
    encoder=AnthropicEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)
"""The dialect."""

__all__ = ["ANTHROPIC"]
