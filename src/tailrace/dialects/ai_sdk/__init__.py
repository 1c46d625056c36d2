"""Dialect: ai_sdk.

Knows: the UI message stream of Vercel's AI SDK, as ``useChat`` and its transports speak it; its messages and errors.
Does not know: the other dialects; providers, none of which speaks it; chats and who owns them.
May import: sse, events, errors; from dialects only what stands beside this folder (base.py, fields.py …).
Start reading at: encode.py, then request.py.
"""

from tailrace.dialects.ai_sdk.body import message_body
from tailrace.dialects.ai_sdk.decode import AiSdkDecoder
from tailrace.dialects.ai_sdk.encode import AiSdkEncoder
from tailrace.dialects.ai_sdk.names import NAME
from tailrace.dialects.ai_sdk.request import build, endpoint, forward, headers, parse
from tailrace.dialects.base import Dialect
from tailrace.dialects.flat_errors import error_body, read_error
from tailrace.sse import comment

AI_SDK = Dialect(
    name=NAME,
    content_type="text/event-stream",
    ids=True,
    heartbeat=comment("hb"),
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=AiSdkDecoder,
    encoder=AiSdkEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)
"""The dialect."""

__all__ = ["AI_SDK"]
