"""Room: server.

Knows: HTTP in: doors, resuming, stopping, who owns a stream, health, the page.
Does not know: providers, what is inside a frame, how a configuration is written.
May import: engine and inward.
Start reading at: app.py, then respond.py and sink.py.
"""

from tailrace.server.app import create_app
from tailrace.server.hosts import is_loopback
from tailrace.server.run import Server, bind, make_server, serve, url_of
from tailrace.server.spec import ServerSpec

__all__ = ["Server", "ServerSpec", "bind", "create_app", "is_loopback", "make_server", "serve", "url_of"]
