"""One answer, shown while it is being written."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec

from tailrace.cli.exits import Exit, code_of
from tailrace.cli.interrupts import Interrupts
from tailrace.cli.reconnects import Reconnects
from tailrace.cli.terminal import aside, line, put, say
from tailrace.client import Reset, Stream
from tailrace.errors import StreamError, TailraceError
from tailrace.events import Event, TextDelta, Usage, UsageLabel, wire

_LOST = frozenset({"interrupted", "timed_out"})
"""Endings after which the relay may still have more of the answer."""


def show(stream: Stream, *, as_json: bool = False, stats: bool = True, url: str | None = None) -> Exit:
    """Write ``stream`` to stdout as it comes, its figures to stderr at the end; return the exit code.

    ``url`` is the relay's address where the user gave one, for the command that resumes. Raises what opening the
    stream raises, and ``KeyboardInterrupt`` for the second Ctrl-C.
    """
    writer = _JsonLines(stream) if as_json else _Text()
    error: StreamError | None = None
    with Interrupts(stream) as interrupts, Reconnects(stream):
        try:
            with stream:
                writer.begin()
                for event in stream:
                    writer.event(event)
        except StreamError as raised:
            error = raised
        except KeyboardInterrupt:
            writer.end()
            _hint(stream, url)
            raise
        except BrokenPipeError:
            # Nobody reads on: what is still being written would be paid for in vain.
            with contextlib.suppress(TailraceError):
                stream.stop()
            raise
    writer.end()
    if stats:
        aside(figures(stream))
    if interrupts.stopped:
        return Exit.INTERRUPTED
    if error is None:
        return Exit.OK
    say(f"error: {error}")
    if error.ending in _LOST:
        _hint(stream, url)
    return code_of(error)


def figures(stream: Stream) -> str:
    """Return the line of figures: time to first token, speed, usage and how far it can be trusted, the ending."""
    timing = stream.timing
    message = stream.message
    parts = [
        f"TTFT {timing.ttft:.2f} s" if timing.ttft is not None else "no token came",
        f"{timing.tokens_per_second:.1f} tokens/s" if timing.tokens_per_second is not None else "",
        _usage(message.usage, message.usage_label),
        "cut at the token limit" if message.stop_reason == "max_tokens" else "",
        "" if stream.ending == "completed" else stream.ending or "left",
    ]
    return " · ".join(part for part in parts if part)


def _usage(usage: Usage, label: UsageLabel) -> str:
    counts = ((usage.input_tokens, "in"), (usage.output_tokens, "out"))
    said = ", ".join(f"{count} {way}" for count, way in counts if count is not None)
    return f"tokens: {said} ({label})" if said else "tokens: unknown"


def _hint(stream: Stream, url: str | None) -> None:
    if stream.stream_id is not None:
        # An address that holds a password is not repeated.
        where = f" --url {url}" if url and "@" not in url else ""
        say(f"resume: tailrace tail {stream.stream_id} --from {stream.cursor}{where}")


class _Text:
    """The words, and a line end after the last."""

    def __init__(self) -> None:
        self._last = ""

    def begin(self) -> None:
        """Nothing stands before the words."""

    def event(self, event: Event | Reset) -> None:
        """Write the words of ``event``; a refusal's are words too. What is revoked is on the screen already."""
        if isinstance(event, Reset):
            self.end()
            self._last = ""
            say(f"the answer begins anew ({event.reason}): what stands above does not count")
        elif isinstance(event, TextDelta) and event.text:
            put(event.text)
            self._last = event.text[-1]

    def end(self) -> None:
        """Leave the cursor at the beginning of a line."""
        if self._last not in {"", "\n"}:
            put("\n")


class _JsonLines:
    """Each event as one line of JSON (`tailrace.events.wire`) between a line ``stream`` and a line ``end``."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def begin(self) -> None:
        """Say the version of what follows, and whose events they are."""
        self._line(type="stream", version=wire.VERSION, stream=self._stream.stream_id)

    def event(self, event: Event | Reset) -> None:
        """Write ``event``."""
        if isinstance(event, Reset):
            self._line(type="reset", reason=event.reason)
        else:
            line(wire.encode(event).decode())

    def end(self) -> None:
        """Write how it ended, with the figures."""
        timing, message = self._stream.timing, self._stream.message
        self._line(
            type="end",
            ending=self._stream.ending,
            cursor=self._stream.cursor,
            usage=msgspec.to_builtins(message.usage),
            usage_label=message.usage_label,
            ttft=timing.ttft,
            tokens_per_second=timing.tokens_per_second,
        )

    def _line(self, **fields: Any) -> None:
        line(json.dumps(fields, ensure_ascii=False, separators=(",", ":")))
