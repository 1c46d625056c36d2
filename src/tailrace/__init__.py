"""Tailrace carries an LLM's answer from any provider to any client while it is being written.

Ask a Tailrace server, or a provider with nothing between::

    client = tailrace.Client()
    with client.stream(model="fast", messages="Write a haiku.") as answer:
        for text in answer.text_stream:
            print(text, end="", flush=True)

    print(tailrace.ask("anthropic/claude-haiku-4-5", "Write a haiku."))

Names are loaded when they are first used, so that importing the package costs next to nothing. The events of an
answer are in `tailrace.events`, all exceptions in `tailrace.errors`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tailrace import errors, events
    from tailrace.client import (
        AsyncClient,
        AsyncStream,
        Cancel,
        Client,
        Drain,
        Model,
        Reset,
        Stream,
        Timeout,
        Timing,
        ViewToken,
        ask,
        stream,
    )
    from tailrace.errors import (
        ConfigError,
        ConnectError,
        CursorLost,
        InvalidOutput,
        ProviderError,
        ProviderTimeout,
        RequestError,
        StatusError,
        StreamCancelled,
        StreamError,
        StreamFailed,
        StreamGone,
        StreamInterrupted,
        StreamRestarted,
        StreamTimedOut,
        StreamTruncated,
        TailraceError,
    )
    from tailrace.events import Event, Message, Usage

    __version__: str

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Cancel",
    "Client",
    "ConfigError",
    "ConnectError",
    "CursorLost",
    "Drain",
    "Event",
    "InvalidOutput",
    "Message",
    "Model",
    "ProviderError",
    "ProviderTimeout",
    "RequestError",
    "Reset",
    "StatusError",
    "Stream",
    "StreamCancelled",
    "StreamError",
    "StreamFailed",
    "StreamGone",
    "StreamInterrupted",
    "StreamRestarted",
    "StreamTimedOut",
    "StreamTruncated",
    "TailraceError",
    "Timeout",
    "Timing",
    "Usage",
    "ViewToken",
    "__version__",
    "ask",
    "errors",
    "events",
    "stream",
]

_SUBMODULES = frozenset({"errors", "events"})
_EVENTS = frozenset({"Event", "Message", "Usage"})
_CLIENT = frozenset({
    "AsyncClient", "AsyncStream", "Cancel", "Client", "Drain", "Model", "Reset", "Stream", "Timeout", "Timing",
    "ViewToken", "ask", "stream",
})  # fmt: skip


if not TYPE_CHECKING:  # a checker sees the names above, and complains about others

    def __getattr__(name: str) -> Any:
        """Load what ``name`` is when it is first asked for (PEP 562)."""
        from importlib import import_module

        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: Any
        if name == "__version__":
            value = import_module("importlib.metadata").version("tailrace")
        elif name in _SUBMODULES:
            value = import_module(f"tailrace.{name}")
        else:
            room = "client" if name in _CLIENT else "events" if name in _EVENTS else "errors"
            value = getattr(import_module(f"tailrace.{room}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
