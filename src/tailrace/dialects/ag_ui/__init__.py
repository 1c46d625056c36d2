"""Dialect: ag_ui.

Knows: AG-UI 1.0, the protocol between agents and front ends: its run, its events, its messages, its errors.
Does not know: the other dialects; providers, none of which speaks it; state, activities, subagents and interrupts.
May import: sse, events, errors; from dialects only what stands beside this folder (base.py, fields.py …).
Start reading at: encode.py, then request.py.
"""

from tailrace.dialects.ag_ui.body import message_body
from tailrace.dialects.ag_ui.decode import AgUiDecoder
from tailrace.dialects.ag_ui.encode import AgUiEncoder
from tailrace.dialects.ag_ui.names import NAME
from tailrace.dialects.ag_ui.request import build, endpoint, forward, headers, parse
from tailrace.dialects.base import Dialect
from tailrace.dialects.flat_errors import error_body, read_error
from tailrace.sse import comment

AG_UI = Dialect(
    name=NAME,
    content_type="text/event-stream",
    ids=True,
    # A comment of its own block would do too; the client skips every line that is not data.
    heartbeat=comment("hb"),
    parse=parse,
    build=build,
    forward=forward,
    endpoint=endpoint,
    headers=headers,
    decoder=AgUiDecoder,
    encoder=AgUiEncoder,
    message_body=message_body,
    error_body=error_body,
    read_error=read_error,
)
"""The dialect."""

__all__ = ["AG_UI"]
