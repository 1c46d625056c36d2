"""Dialect: openai_responses.

Knows: OpenAI's Responses, as OpenAI and compatible servers speak it.
Does not know: where responses are kept or found again; which server it talks to.
May import: sse, events, errors; from dialects only base.py, fields.py, and Chat Completions' errors, which it shares.
Start reading at: decode.py, then encode.py.
"""

from tailrace.dialects.base import Dialect
from tailrace.dialects.openai_responses.body import message_body, public_name, whole_body
from tailrace.dialects.openai_responses.decode import ResponsesDecoder
from tailrace.dialects.openai_responses.encode import ResponsesEncoder
from tailrace.dialects.openai_responses.failures import error_body, read_error
from tailrace.dialects.openai_responses.names import NAME
from tailrace.dialects.openai_responses.request import build, endpoint, forward, headers, parse
from tailrace.sse import comment

OPENAI_RESPONSES = Dialect(
    name=NAME,
    content_type="text/event-stream",
    ids=True,
    # Without a blank line: after an id, openai-python takes every blank line for an event with empty data.
    heartbeat=comment("hb"),
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=ResponsesDecoder,
    encoder=ResponsesEncoder,
    message_body=message_body,
    whole_body=whole_body,
    public_name=public_name,
    error_body=error_body,
    read_error=read_error,
)
"""The dialect."""

__all__ = ["OPENAI_RESPONSES"]
