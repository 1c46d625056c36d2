"""Dialect: plain.

Knows: the feed of JSON strings that a page reads with ten lines, or a person with curl.
Does not know: the other dialects; thinking, tools, usage in the stream.
May import: sse, events, errors; from dialects only base.py and fields.py.
Start reading at: encode.py.
"""

from tailrace.dialects.base import Dialect
from tailrace.dialects.flat_errors import error_body, read_error
from tailrace.dialects.plain.body import message_body
from tailrace.dialects.plain.decode import PlainDecoder
from tailrace.dialects.plain.encode import PlainEncoder
from tailrace.dialects.plain.request import build, endpoint, forward, headers, parse
from tailrace.sse import comment

PLAIN = Dialect(
    name="plain",
    content_type="text/event-stream",
    ids=True,
    heartbeat=comment("hb"),
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=PlainDecoder,
    encoder=PlainEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)

__all__ = ["PLAIN"]
