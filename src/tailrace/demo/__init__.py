"""Room: demo.

Knows: a small language model in this process: whether it can run, how it is installed, asked, stopped.
Does not know: the engine, HTTP, the dialects; it speaks the bytes of one of them.
May import: events, errors; asyncio, threading, xllamacpp (inside one function).
Start reading at: upstream.py, then model.py.
"""

from tailrace.demo.availability import DOWNLOAD_MB, MODEL, Availability, available
from tailrace.demo.install import commands, install
from tailrace.demo.model import LocalModel
from tailrace.demo.upstream import LocalUpstream

__all__ = ["DOWNLOAD_MB", "MODEL", "Availability", "LocalModel", "LocalUpstream", "available", "commands", "install"]
