"""F8: ten thousand connections through two relays: idle, then an event, then all gone at once and all back.

Nobody is refused for good, nobody misses an event or gets one twice. `chaos.connections` does it and counts.
"""

from __future__ import annotations

from chaos.card import Fault, Run
from chaos.connections import run as crowd

CONNECTIONS, RELAYS = 10_000, 2

PER_CONNECTION = 60 * 1024
"""Bytes of a relay's memory for one connection, at most."""

STORM = 30.0
"""Seconds, at most, from the moment at which all are gone to that at which all are back."""


async def run(this: Run) -> None:
    found = await crowd(400 if this.sample else CONNECTIONS, RELAYS)
    wanted = found.connections
    this.figures = {
        "connections": wanted,
        "KB per connection": round(found.rss_per_connection / 1024, 1),
        "storm s": round(found.storm_seconds, 1),
        "storm CPU ms per client": round(found.storm_cpu_ms, 2),
    }
    for name, count in (
        ("connected", found.connected),
        ("heard the event", found.heard),
        ("came back from the storm", found.storm_connected),
        ("caught up", found.caught_up),
    ):
        this.cell(f"{name}: {count} of {wanted}", [] if count == wanted else ["I2: somebody was left out"])
    this.cell(f"lost: {found.lost}", [] if not found.lost else ["I1: lost events"])
    this.cell(f"repeated: {found.repeated}", [] if not found.repeated else ["I1: repeated events"])
    this.cell(f"sockets left: {found.left_open}", [] if not found.left_open else ["I6: sockets left open"])
    late = found.storm_seconds > STORM
    this.cell(f"all back after {found.storm_seconds:.1f} s", ["I6: the storm took too long"] if late else [])
    heavy = found.rss_per_connection > PER_CONNECTION
    this.cell(f"{found.rss_per_connection / 1024:.1f} KB per connection", ["I6: too much memory"] if heavy else [])


FAULT = Fault(
    "F8",
    "ten thousand connections, idle, reading, and all back at once",
    "nobody lost, all back in 30 s, ≤ 60 KB each",
    run,
)
