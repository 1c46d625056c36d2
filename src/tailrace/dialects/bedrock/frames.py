"""Bytes, in any split, to the frames of ``application/vnd.amazon.eventstream``, and frames to bytes.

A frame, numbers big-endian: total length (u32), length of the headers (u32), CRC-32 of these eight bytes (u32), the
headers, the payload, CRC-32 of all before it (u32). A header: length of its name (u8), name, type (u8), value.

The first checksum is looked at before the lengths are believed, the second before the payload is read.

Source: the Smithy specification, "Amazon Event Stream".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tailrace.errors import LimitExceeded, RemoteProtocolError

MAX_HEADERS = 128 * 1024
"""Most bytes of one frame's headers: the specification's own limit."""

MAX_PAYLOAD = 16 * 1024 * 1024
"""Most bytes of one frame's payload. The specification allows 24 MiB; an event of any dialect here is capped at 16,
which carry an image of 12 MiB."""

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_OVERHEAD = _PRELUDE.size + _CHECKSUM.size

_TEXT = 7
_SIZED = frozenset({6, _TEXT})
"""Types of header whose value begins with its length: bytes and text."""

_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Type of header → bytes of its value: true, false, four widths of integer, a moment, a UUID."""


class Frame(NamedTuple):
    """One frame: its headers that are text, its payload, and all of it as it came."""

    headers: dict[str, str]
    payload: bytes
    raw: bytes


class Frames:
    """Splits one answer into frames. It holds one unfinished frame, whose size is known to be allowed."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that ``data`` completes.

        Raises `RemoteProtocolError` for a frame that is none, and `LimitExceeded` for one that is too large, after
        those before it.
        """
        buffer = self._buffer
        buffer += data
        done = 0
        try:
            while len(buffer) - done >= _PRELUDE.size:
                total, length = _prelude(bytes(buffer[done : done + _PRELUDE.size]))
                if len(buffer) - done < total:
                    break
                raw = bytes(buffer[done : done + total])
                done += total
                yield _frame(raw, length)
        finally:
            del buffer[:done]


def _prelude(data: bytes) -> tuple[int, int]:
    """Return the lengths of a frame and of its headers."""
    total, headers, checksum = _PRELUDE.unpack(data)
    if zlib.crc32(data[:8]) != checksum:
        raise RemoteProtocolError("the checksum of an event stream frame's lengths is wrong")
    payload = total - headers - _OVERHEAD
    if payload < 0:
        raise RemoteProtocolError("an event stream frame is shorter than its headers")
    if headers > MAX_HEADERS:
        raise LimitExceeded(f"an event stream frame with more than {MAX_HEADERS} bytes of headers", limit=MAX_HEADERS)
    if payload > MAX_PAYLOAD:
        raise LimitExceeded(f"an event stream frame with more than {MAX_PAYLOAD} bytes of payload", limit=MAX_PAYLOAD)
    return total, headers


def _frame(raw: bytes, length: int) -> Frame:
    end = len(raw) - _CHECKSUM.size
    if zlib.crc32(raw[:end]) != _CHECKSUM.unpack_from(raw, end)[0]:
        raise RemoteProtocolError("the checksum of an event stream frame is wrong")
    start = _PRELUDE.size + length
    try:
        headers = dict(_headers(raw[_PRELUDE.size : start]))
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise RemoteProtocolError("the headers of an event stream frame are broken") from error
    return Frame(headers, raw[start:end], raw)


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the headers that are text; the others say nothing that is read here."""
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind, at = data[at + 1 : name_end].decode(), data[name_end], name_end + 1
        if kind in _SIZED:
            size = _LENGTH.unpack_from(data, at)[0]
            at += _LENGTH.size
        else:
            size = _SIZES[kind]
        if at + size > len(data):
            raise IndexError(at)
        if kind == _TEXT:
            yield name, data[at : at + size].decode()
        at += size


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return the frame that says ``payload`` under ``headers``."""
    head = b"".join(map(_header, headers, headers.values()))
    lengths = _PRELUDE.pack(_OVERHEAD + len(head) + len(payload), len(head), 0)[:8]
    body = lengths + _CHECKSUM.pack(zlib.crc32(lengths)) + head + payload
    return body + _CHECKSUM.pack(zlib.crc32(body))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes((len(key),)) + key + bytes((_TEXT,)) + _LENGTH.pack(len(text)) + text
