"""Dialect: openai_chat.

Knows: OpenAI's Chat Completions, as OpenAI and the many compatible servers speak it.
Does not know: the other dialects; which server it talks to.
May import: sse, events, errors; from dialects only base.py and fields.py.
Start reading at: decode.py, then encode.py.
"""

from tailrace.dialects.base import Dialect
from tailrace.dialects.openai_chat.body import message_body
from tailrace.dialects.openai_chat.build import adapt, build, forward
from tailrace.dialects.openai_chat.decode import ChatDecoder
from tailrace.dialects.openai_chat.encode import ChatEncoder
from tailrace.dialects.openai_chat.failures import error_body, read_error
from tailrace.dialects.openai_chat.names import NAME
from tailrace.dialects.openai_chat.request import endpoint, headers, parse
from tailrace.sse import comment

OPENAI_CHAT = Dialect(
    name=NAME,
    content_type="text/event-stream",
    ids=True,
    # Without a blank line: after an id, openai-python takes every blank line for an event with empty data.
    heartbeat=comment("hb"),
    parse=parse,
    build=build,
    forward=forward,
    adapt=adapt,
    endpoint=endpoint,
    headers=headers,
    decoder=ChatDecoder,
    encoder=ChatEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)

__all__ = ["OPENAI_CHAT"]
