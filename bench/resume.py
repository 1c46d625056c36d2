"""How long a reader that comes back waits: GET /streams/{id}?after=N to its first byte and to its last.

One answer of about 100 KB, finished or still being written, read again over a new connection each time: from the node
that wrote it (from memory), and from another node through Redis where there is a ``redis-server``. Wall time on
loopback, connecting included, on an otherwise quiet machine; the CPU time of the relay hardly depends on that.

    python bench/resume.py [--kilobytes 100] [--rounds 300] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from relay import cpu_seconds, free_port, running

PYTHON = sys.executable
HEAD = ["a stream of {kb} KB, read from", "cursor", "first byte p50 / p99 ms", "last byte p50 / p99 ms", "CPU ms"]
FRAME = 130
"""Bytes of a text event in the Anthropic dialect, about."""


class Node(NamedTuple):
    """A relay that runs."""

    port: int
    pid: int


class Row(NamedTuple):
    """Where it is read from, and after which part of it."""

    name: str
    node: Node
    stream: str
    after: int


async def begin(port: int, model: str, until: int | None) -> tuple[str, int, int]:
    """Ask for an answer; return its stream, its frames and bytes, read to the end or to ``until`` bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    body = json.dumps(
        {"model": model, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "x"}]}
    ).encode()
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"tailrace-on-disconnect: detach\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    seen = b""
    while (until is None or len(seen) < until) and (data := await reader.read(1 << 16)):
        seen += data
    writer.close()
    fields = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    names = {name.lower(): value for name, value in fields}
    if "tailrace-stream-id" not in names:
        raise SystemExit(f"no stream: {head}{seen.decode()}")
    return names["tailrace-stream-id"], seen.count(b"\nid: "), len(seen)


async def read(row: Row, live: bool, size: int) -> tuple[float, float]:
    """Read the stream once; return seconds to the first byte of its events and to the last that there is."""
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", row.node.port, limit=1 << 22)
    writer.write(
        f"GET /streams/{row.stream}?after={row.after} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"not read: {head.decode()}")
    came = len(await reader.read(1 << 16))
    first = time.perf_counter() - start
    while (not live or came < size) and (data := await reader.read(1 << 16)):
        came += len(data)
    last = time.perf_counter() - start
    writer.close()
    return first, last


def percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2] * 1e3:.1f} / {ordered[int(len(ordered) * 0.99)] * 1e3:.1f}"


def config(folder: str, name: str, provider: int, redis: int | None) -> str:
    path = Path(folder) / f"{name}.toml"
    text = f'[providers.ant]\ndialect = "anthropic"\nbase_url = "http://127.0.0.1:{provider}"\n'
    if redis is not None:
        text += f'[log]\nbackend = "redis"\nurl = "redis://127.0.0.1:{redis}/0"\n'
    path.write_text(text, encoding="ascii")
    return str(path)


def serve(stack: ExitStack, folder: str, name: str, provider: int, redis: int | None) -> Node:
    port = free_port()
    command = [PYTHON, "-m", "tailrace", "serve", "--config", config(folder, name, provider, redis)]
    return Node(port, stack.enter_context(running([*command, "--port", str(port)], port)))


async def measure(writer: Node, readers: dict[str, Node], args: argparse.Namespace) -> list[list[str]]:
    tokens = args.kilobytes * 1000 // FRAME
    rows: list[list[str]] = []
    whole = await begin(writer.port, f"ant/sim:tokens={tokens},rate=100000,ttft=0", None)
    # It says as much and then nothing more for as long as this takes.
    going = await begin(
        writer.port, f"ant/sim:tokens={tokens},rate=100000,ttft=0,fault=stall_event@{tokens}:600", whole[2] * 9 // 10
    )
    for where, node in readers.items():
        for state, (stream, frames, size) in (("finished", whole), ("live", going)):
            for cursor, after in (("0", 0), ("the middle", frames // 2), ("the last but one", frames - 2)):
                row = Row(f"{where}, {state}", node, stream, after)
                left = size * 9 // 10 * (frames - after) // frames if state == "live" else size
                await asyncio.gather(*(read(row, state == "live", left) for _ in range(10)))
                before = cpu_seconds(node.pid)
                times = [await read(row, state == "live", left) for _ in range(args.rounds)]
                cpu = (cpu_seconds(node.pid) - before) / args.rounds * 1e3
                first, last = percentiles([t[0] for t in times]), percentiles([t[1] for t in times])
                rows.append([row.name, cursor, first, last, f"{cpu:.1f}"])
                print("| " + " | ".join(rows[-1]) + " |", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kilobytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        provider = free_port()
        stack.enter_context(running([PYTHON, "-m", "tailrace", "simulate", "--port", str(provider)], provider))
        one = serve(stack, folder, "memory", provider, None)
        rows = asyncio.run(measure(one, {"memory": one}, args))
        if server := shutil.which("redis-server"):
            redis = free_port()
            command = [server, "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
            stack.enter_context(running(command, redis))
            nodes = [serve(stack, folder, f"node{n}", provider, redis) for n in range(2)]
            rows += asyncio.run(measure(nodes[0], {"another node, by Redis": nodes[1]}, args))
    if args.json:
        urgent = os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
        urgently = " with real-time priority on a machine that was busy otherwise" if urgent else ""
        machine = (
            f"{args.rounds} connections in turn for each row, on {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, one run{urgently}."
        )
        head = [name.format(kb=args.kilobytes) for name in HEAD]
        text = json.dumps({"machine": machine, "head": head, "rows": rows}, indent=1, ensure_ascii=False)
        Path(args.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
