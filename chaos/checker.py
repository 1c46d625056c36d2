"""The one checker: given what the provider said and what everybody saw, which promises were broken. Pure.

    I1 prefix      a reader's frames over all its connections are 1..k: no gap, no repeat, bytes equal to the log
    I2 end         exactly one terminal event in the log, the right one, reached by every reader in time
    I3 fidelity    the log says what the provider put on the wire up to the cut
    I4 money       one ledger row for each attempt, the provider's figure or an estimate that says so
    I5 stop        the provider's connection is closed in time, nothing comes after the end
    I6 memory      no more than base + streams × cap
    I7 secrets     no canary in any output
    I8 isolation   never a frame of another stream
    I9 neighbours  the others' p99 gap at most twice the baseline

Every check returns violations; none means that the promise was kept. What was not seen is not assumed: a field that is
None was not looked at, and a cell says in its name what it looks at.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from chaos.truth import Truth
from chaos.wire import Frame, content, verdict

ESTIMATE = 0.10
"""How far an estimate may be from what the provider bills (I4)."""

FEW = 20
"""Tokens below which an estimate is only held to be labelled: a tenth of ten tokens is one word."""


class Violation(NamedTuple):
    """A broken promise: its number (``I1`` … ``I9``) and what was seen."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


class Connection(NamedTuple):
    """What one connection brought: the cursor it asked with, its whole frames, and whether it was ended properly.

    ``reset`` says that the server refused the cursor in so many words and the reader began anew at ``after``.
    """

    after: int
    frames: list[Frame]
    complete: bool = False
    reset: bool = False


class Reader(NamedTuple):
    """One client over all its connections. ``left`` says that it went for good before the end."""

    name: str
    connections: list[Connection]
    left: bool = False


class Row(NamedTuple):
    """A ledger row as far as the checker looks: whose attempt it is, and what it says (None: still open).

    ``swept`` is whether another closed it, because its writer had died: with what the log told, if anything.
    """

    stream: str
    number: int
    ending: str | None
    output_tokens: int | None
    label: str | None
    swept: bool = False


class Stream(msgspec.Struct, kw_only=True):
    """One stream, and everything that is known about it.

    ``log`` is what a full replay brings, frame by frame. ``dialect`` is the client's. ``ending`` is what the server
    says of it. ``cause`` is why it should have ended otherwise than completed, where the cell did that (``cancelled``,
    …): without it the truth decides between a completed and a cut answer. ``attempts`` is how many requests the
    provider got. ``usage`` is whether the dialect's own figures are looked at. ``stopped`` holds the seconds from the
    stop to the end of the provider's connection, and ``allowed`` how many there may be. ``last_words`` is whether
    readers may be told the end in an event that is in no log, because it cannot be stored. ``killed`` is whether its
    relay was: a row that was open then is closed by the next start, and says that it knows no more.
    """

    id: str
    dialect: str
    log: list[bytes]
    ending: str | None
    readers: list[Reader]
    truth: Truth | None = None
    cause: str | None = None
    attempts: int | None = None
    rows: list[Row] | None = None
    usage: bool = True
    stopped: list[float] = []
    allowed: float = 0.25
    last_words: bool = False
    killed: bool = False


def check(streams: Sequence[Stream]) -> list[Violation]:
    """Return everything that is wrong with ``streams``."""
    found: list[Violation] = []
    for stream in streams:
        others = {frame for other in streams if other is not stream for frame in other.log} - set(stream.log)
        for reader in stream.readers:
            found += prefix(stream, reader, others)
        found += end(stream)
        found += fidelity(stream)
        found += money(stream)
        found += stop(stream)
    return found


# --- I1, I8 -----------------------------------------------------------------------------------------------------


def prefix(stream: Stream, reader: Reader, others: set[bytes] | None = None) -> list[Violation]:
    """Check a reader's frames against the log."""
    found: list[Violation] = []
    held = 0
    for number, connection in enumerate(reader.connections, 1):
        where = f"{reader.name}, connection {number}"
        if connection.reset:
            held = connection.after
        elif connection.after > held:
            found.append(Violation("I1", f"{where}: asked after {connection.after} holding {held}"))
        else:
            held = connection.after
        for frame in connection.frames:
            if frame.number == 0:
                if not stream.last_words or verdict(frame.data, stream.dialect) != "error":
                    found.append(Violation("I1", f"{where}: an event without a number: {frame.data[:80]!r}"))
                continue
            logged = stream.log[frame.number - 1] if frame.number <= len(stream.log) else b""
            if stream.last_words and frame.data != logged and verdict(frame.data, stream.dialect) == "error":
                continue  # last words in a dialect without numbers
            if frame.number != held + 1:
                what = "repeats" if frame.number <= held else "leaves out"
                found.append(Violation("I1", f"{where}: {what} frames: {frame.number} after {held}"))
                return found
            if frame.number > len(stream.log):
                found.append(Violation("I1", f"{where}: frame {frame.number} is not in the log of {len(stream.log)}"))
                return found
            if frame.data != stream.log[frame.number - 1]:
                foreign = others is not None and frame.data in others
                promise = "I8" if foreign else "I1"
                what = "is another stream's" if foreign else "differs from the log"
                found.append(Violation(promise, f"{where}: frame {frame.number} {what}: {frame.data[:80]!r}"))
                return found
            held = frame.number
    return found


# --- I2 ---------------------------------------------------------------------------------------------------------


def end(stream: Stream) -> list[Violation]:
    """Check that the stream ended once, honestly, for everybody."""
    found: list[Violation] = []
    verdicts = [verdict(data, stream.dialect) for data in stream.log]
    said = [v for v in verdicts if v]
    if stream.dialect == "gemini" and said == ["done", "error"]:
        said = ["error"]  # this dialect gives its reason to stop first, and may still say that the rest did not come
    if len(said) != 1:
        found.append(Violation("I2", f"{len(said)} terminal events in the log: {said}"))
    elif verdicts[-1] is None and not (stream.dialect == "gemini" and said == ["done"]):
        found.append(Violation("I2", "something stands after the terminal event"))
    success = stream.ending == "completed"
    if stream.ending is None:
        found.append(Violation("I2", "it has no ending"))
    elif said and success != (said[-1] == "done"):
        found.append(Violation("I2", f"the log ends with {said[-1]!r}, the stream as {stream.ending}"))
    if stream.cause is not None and stream.ending != stream.cause:
        found.append(Violation("I2", f"ended as {stream.ending}, not {stream.cause}"))
    truth = stream.truth
    if stream.cause is None and truth is not None and success != truth.done and not truth.either:
        what = "said everything" if truth.done else "was cut"
        found.append(Violation("I2", f"ended as {stream.ending}, but the provider {what}"))
    for reader in stream.readers:
        if reader.left:
            continue
        last = reader.connections[-1] if reader.connections else None
        if last and last.frames and stream.last_words and verdict(last.frames[-1].data, stream.dialect) == "error":
            continue  # told that it is over, by words that could not be stored
        held = last.frames[-1].number if last and last.frames else last.after if last else 0
        if held != len(stream.log):
            found.append(Violation("I2", f"{reader.name} came to frame {held} of {len(stream.log)}"))
        elif last is not None and not last.complete:
            found.append(Violation("I2", f"{reader.name}'s last connection was not ended properly"))
    return found


# --- I3 ---------------------------------------------------------------------------------------------------------


def fidelity(stream: Stream) -> list[Violation]:
    """Check the log against what the provider said."""
    truth = stream.truth
    if truth is None:
        return []
    found: list[Violation] = []
    said = content(stream.log, stream.dialect)
    for what, got, whole, sure in (
        ("text", said.text, truth.text, truth.sure_text),
        ("arguments", said.arguments, truth.arguments, truth.sure_arguments),
    ):
        if what == "arguments" and stream.dialect in {"gemini", "ollama", "plain"}:
            continue  # these write a call whole, or not at all
        if not whole.startswith(got):
            found.append(Violation("I3", f"{what} that was never said: {got[-60:]!r}"))
        elif stream.ending == "completed" and got != whole:
            found.append(Violation("I3", f"completed with {len(got)} of {len(whole)} characters of {what}"))
        elif stream.cause is None and len(got) < len(sure):
            found.append(Violation("I3", f"{len(got)} characters of {what}; {len(sure)} had come"))
    looked = stream.usage and not truth.either and stream.dialect != "plain" and said.output_tokens is not None
    wrong = said.output_tokens != truth.billed or said.estimated
    if looked and wrong and stream.ending == "completed":
        found.append(Violation("I3", f"usage {said.output_tokens} told of {truth.billed}"))
    if stream.ending == "truncated" and not said.retryable:
        found.append(Violation("I2", "a cut answer is not called retryable"))
    return found


# --- I4 ---------------------------------------------------------------------------------------------------------


def money(stream: Stream) -> list[Violation]:
    """Check the ledger's rows against the provider's requests and figures."""
    rows = stream.rows
    if rows is None:
        return []
    found: list[Violation] = []
    numbers = sorted(row.number for row in rows)
    if stream.attempts is not None and len(rows) != stream.attempts:
        found.append(Violation("I4", f"{len(rows)} rows for {stream.attempts} requests"))
    if numbers != list(range(1, len(rows) + 1)):
        found.append(Violation("I4", f"rows numbered {numbers}"))
    found += [Violation("I4", f"row {row.number} is still open") for row in rows if row.ending is None]
    last = max(rows, key=lambda row: row.number, default=None)
    if last is not None and last.ending is not None:
        # A relay that dies, or loses its store, behind the provider's last word: paid for in full, told as interrupted.
        torn = stream.ending == "interrupted" and (
            (last.ending == "completed" and stream.truth is not None and stream.truth.done)
            or (last.ending in {"truncated", "failed"} and stream.last_words)
        )
        # A stop that was asked of a relay that died: its heir ends the stream as cancelled, the next start the row.
        torn = torn or (stream.last_words and (stream.ending, last.ending) == ("cancelled", "interrupted"))
        swept = stream.killed and last.swept and last.ending in {"interrupted", stream.ending}
        if last.ending != stream.ending and not torn and not swept:
            found.append(Violation("I4", f"the row says {last.ending}, the stream {stream.ending}"))
        if stream.truth is not None and swept:
            found += _swept(last, stream.truth)
        elif stream.truth is not None:
            # A call that comes whole is one delta to the script and seventy tokens to whoever counts its characters.
            whole_calls = bool(stream.truth.arguments) and stream.dialect in {"gemini", "ollama"}
            found += _figures(last, stream.truth, stream.ending, 1.0 if whole_calls else ESTIMATE)
    return found


def _swept(row: Row, truth: Truth) -> list[Violation]:
    """Check a row that was closed for a dead writer: what its log had not heard of is missing, never the other way."""
    if truth.either or row.output_tokens is None:
        return []
    exact = row.label == "exact"
    if row.output_tokens == truth.billed if exact else row.output_tokens <= truth.billed * (1 + ESTIMATE) + 1:
        return []
    return [Violation("I4", f"{row.output_tokens} tokens ({row.label}) of a dead relay, billed {truth.billed}")]


def _figures(row: Row, truth: Truth, ending: str | None, tolerance: float) -> list[Violation]:
    if truth.either:
        return []
    if ending == "completed":
        if (row.output_tokens, row.label) != (truth.billed, "exact"):
            return [Violation("I4", f"{row.output_tokens} tokens ({row.label}), billed {truth.billed}")]
        return []
    if row.label == "exact" and row.output_tokens != truth.billed:
        return [Violation("I4", f"{row.output_tokens} tokens called exact, billed {truth.billed}")]
    if truth.billed > FEW:
        if row.label == "unknown" or row.output_tokens is None:
            return [Violation("I4", f"unknown usage after {truth.billed} tokens")]
        if abs(row.output_tokens - truth.billed) > tolerance * truth.billed:
            return [Violation("I4", f"{row.output_tokens} tokens ({row.label}), billed {truth.billed}")]
    return []


# --- I5 to I9 ---------------------------------------------------------------------------------------------------


def stop(stream: Stream) -> list[Violation]:
    """Check that a stop reached the provider in time."""
    return [
        Violation("I5", f"the provider's connection was open for {seconds:.3f} s after the stop")
        for seconds in stream.stopped
        if seconds > stream.allowed
    ]


def memory(base: float, peak: float, streams: int, cap: float) -> list[Violation]:
    """Check resident bytes: no more than ``base`` + ``streams`` × ``cap``."""
    allowed = base + streams * cap
    return [] if peak <= allowed else [Violation("I6", f"{peak / 1e6:.1f} MB, allowed {allowed / 1e6:.1f} MB")]


def secrets(canaries: Iterable[str], outputs: Iterable[tuple[str, bytes]]) -> list[Violation]:
    """Look for ``canaries`` in named outputs: plain, in base64, in hex."""
    forms = [
        (canary, form)
        for canary in canaries
        for form in (canary.encode(), base64.b64encode(canary.encode()).rstrip(b"="), canary.encode().hex().encode())
    ]
    return [
        Violation("I7", f"a canary ({canary[:4]}…) in {name}")
        for name, output in outputs
        for canary, form in forms
        if form in output
    ]


def neighbours(baseline: Sequence[float], beside: Sequence[float], floor: float = 0.05) -> list[Violation]:
    """Check the gaps (seconds) between the events of streams that should notice nothing against the ``baseline``'s.

    ``floor`` seconds are always allowed: below it a busy machine's own hiccups decide.
    """
    before, now = percentile(baseline, 0.99), percentile(beside, 0.99)
    if now <= max(2 * before, floor):
        return []
    return [Violation("I9", f"p99 gap {now * 1e3:.0f} ms, {before * 1e3:.0f} ms without the fault")]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of ``values`` lie; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
