"""Room: server.

Knows: HTTP in: doors, resuming, stopping, who owns a stream, health, the page.
Does not know: providers, what is inside a frame, how a configuration is written.
May import: engine and inward.
Start reading at: app.py, then respond.py and sink.py.
"""

from tailrace.server.app import create_app
from tailrace.server.doors import DOOR_NAMES
from tailrace.server.hosts import is_loopback
from tailrace.server.listen import bind, url_of
from tailrace.server.run import Server, make_server, serve
from tailrace.server.spec import KeySource, KeySpec, ServerSpec
from tailrace.server.spec import digest as key_digest
from tailrace.server.worker import Seat
from tailrace.server.workers import Supervisor

__all__ = [
    "DOOR_NAMES",
    "KeySource",
    "KeySpec",
    "Seat",
    "Server",
    "ServerSpec",
    "Supervisor",
    "bind",
    "create_app",
    "is_loopback",
    "key_digest",
    "make_server",
    "serve",
    "url_of",
]
