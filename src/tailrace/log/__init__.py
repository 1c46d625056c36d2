"""Room: log.

Knows: what was said on a stream, frame by frame, by sequence number; how a cursor is written and read.
Does not know: dialects, sockets, who is reading, why a stream ended.
May import: events, errors.
Start reading at: base.py, then memory.py; redis/ for many processes.
"""

from tailrace.log.base import Claim, Claimed, Entry, Held, LogStore, StoreListener, StreamInfo, StreamLog
from tailrace.log.cursor import parse_cursor, stamp_id
from tailrace.log.memory import MemoryLog, MemoryStore
from tailrace.log.redis import Durability, RedisSpec, redis_store
from tailrace.log.waiting import begun, ended, when

__all__ = [
    "Claim",
    "Claimed",
    "Durability",
    "Entry",
    "Held",
    "LogStore",
    "MemoryLog",
    "MemoryStore",
    "RedisSpec",
    "StoreListener",
    "StreamInfo",
    "StreamLog",
    "begun",
    "ended",
    "parse_cursor",
    "redis_store",
    "stamp_id",
    "when",
]
