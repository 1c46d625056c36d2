"""The dialect's own words, each once.

Source: the schemas of npm ``@ag-ui/core`` 1.0.0 and what the verifier of ``@ag-ui/client`` 1.0.0 allows.
"""

from __future__ import annotations

from tailrace.events import ErrorKind

NAME = "ag_ui"
"""The dialect's name: in the configuration, and on data that only it can write."""

PROTOCOL = "1.0"
"""``protocolVersion``: a producer of this version must say it."""

MARKS = "tailrace"
"""The key of an event's ``metadata`` under which this relay keeps what the dialect has no field for. The client folds
the metadata of a message's and a call's events into the message and the call, and sends them back with the next run."""

CITATION = f"{MARKS}.citation"
"""Name of the ``CUSTOM`` event that says a citation, for which the protocol has no word of its own."""

CANCELLED = "cancelled"
"""``outcome.type`` of a run that somebody stopped, and ``code`` of a ``RUN_ERROR`` that says so."""

REDACTED = "redacted_thinking"
"""Key of the object whose JSON is the ``encryptedValue`` of reasoning that only its provider can read: a signature,
the other thing that stands there, is never an object."""

BROKEN_INPUT = "the model's arguments for this tool are not whole JSON; it was not run"
"""What is told of a call that nobody may run: the model was cut off in it, or made a mistake."""

RETRYABLE: frozenset[ErrorKind] = frozenset({"rate_limit", "overloaded", "timeout", "unreachable", "upstream"})
"""Kinds of an agent's error after which the same run may work, where it does not say so itself."""
