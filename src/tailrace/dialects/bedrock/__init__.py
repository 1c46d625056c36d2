"""Dialect: bedrock.

Knows: AWS Bedrock's ConverseStream: its requests, its binary event stream, errors and token counts, both ways; and the
frames of InvokeModelWithResponseStream, as far as another dialect here reads what is in them.
Does not know: sockets, time, signatures of requests (SigV4): it takes an API key.
May import: events, errors, the dialects' base; for what InvokeModel carries, anthropic and openai_chat.
Start reading at: frames.py, then converse.py.
"""

from tailrace.dialects.base import Dialect
from tailrace.dialects.bedrock.body import message_body
from tailrace.dialects.bedrock.build import build, forward
from tailrace.dialects.bedrock.decode import BedrockDecoder
from tailrace.dialects.bedrock.encode import BedrockEncoder
from tailrace.dialects.bedrock.failures import error_body, read_error
from tailrace.dialects.bedrock.names import NAME
from tailrace.dialects.bedrock.request import endpoint, headers, parse

BEDROCK = Dialect(
    name=NAME,
    content_type="application/vnd.amazon.eventstream",
    ids=False,
    # None: the service has no frame that says nothing, and no client of a relay reads this dialect.
    heartbeat=b"",
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=BedrockDecoder,
    encoder=BedrockEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)
"""The dialect. No door of a relay speaks it."""

__all__ = ["BEDROCK"]
