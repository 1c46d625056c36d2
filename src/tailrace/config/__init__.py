"""Room: config.

Knows: the configuration file, the variables over it, where keys are kept, what is wrong with them and on which line.
Does not know: sockets, requests, what is done with the settings.
May import: server, engine, dialects, events, errors; pydantic.
Start reading at: settings.py, then load.py.
"""

from tailrace.config.load import load, parse, schema
from tailrace.config.settings import Ledger, Logging, Logs, Settings

__all__ = ["Ledger", "Logging", "Logs", "Settings", "load", "parse", "schema"]
