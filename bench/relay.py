"""What relaying a stream costs: CPU of the relay's processes for each event delivered, beside rivals in the same run.

A paced provider (the simulator) and a client that counts every event stand on either side. CPU time hardly moves on a
shared machine, since waiting does not count; compare rows of one run, not runs. Linux only: it reads /proc.

    python bench/relay.py [--streams 100] [--rate 25] [--events 150] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PYTHON = sys.executable
TICK = os.sysconf("SC_CLK_TCK")


class Rival(NamedTuple):
    """A relay to measure; ``command`` starts it on ``port`` in front of ``provider``."""

    name: str
    command: list[str]
    port: int
    path: str = "/v1/messages"
    model: str = "sim"
    env: dict[str, str] | None = None


class Figures(NamedTuple):
    """One row."""

    cpu: float
    ttft: list[float]
    memory: float
    lost: int


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def tree(pid: int) -> list[int]:
    """Return ``pid`` and its descendants."""
    found = [pid]
    for process in found:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
            found += map(int, children.split())
    return found


def cpu_seconds(pid: int) -> float:
    total = 0.0
    for process in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def memory_kb(pid: int) -> float:
    total = 0
    for process in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
                total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total


@contextlib.contextmanager
def running(command: list[str], port: int, env: dict[str, str] | None = None) -> Iterator[int]:
    """Start ``command``, wait until ``port`` answers, and yield its process id."""
    process = subprocess.Popen(
        command, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        for _ in range(200):
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended: {process.stderr.read().decode() if process.stderr else ''}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()


async def one(rival: Rival, scenario: str) -> tuple[float, int]:
    """Read one stream; return seconds to its first content event, and the events that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rival.port, limit=1 << 20)
    model = f"{rival.model}:{scenario}"
    body = json.dumps(
        {"model": model, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "x"}]}
    ).encode()
    start = time.perf_counter()
    writer.write(
        f"POST {rival.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    seen, first = b"", 0.0
    mark = b"_delta" if rival.path == "/v1/messages" else b'"content":'
    while data := await reader.read(1 << 16):
        seen += data
        if not first and mark in seen:
            first = time.perf_counter() - start
    writer.close()
    return first, seen.count(b"text_delta") if rival.path == "/v1/messages" else seen.count(b'"content":"')


async def load(rival: Rival, pid: int, args: argparse.Namespace) -> Figures:
    scenario = f"tokens={args.events},rate={args.rate},ttft=0"
    await asyncio.gather(*(one(rival, "tokens=2,ttft=0") for _ in range(10)))
    idle = memory_kb(pid)
    before = cpu_seconds(pid)
    tasks = [asyncio.ensure_future(one(rival, scenario)) for _ in range(args.streams)]
    await asyncio.sleep(args.events / args.rate / 2)
    memory = (memory_kb(pid) - idle) / args.streams
    results = await asyncio.gather(*tasks)
    cpu = cpu_seconds(pid) - before
    quiet = [(await one(rival, "tokens=2,ttft=0"))[0] for _ in range(40)]
    delivered = sum(count for _, count in results)
    return Figures(cpu / delivered * 1e6, sorted(quiet), memory, args.streams * args.events - delivered)


def nginx_config(folder: str, port: int, provider: int) -> str:
    path = Path(folder) / "nginx.conf"
    config = """\
daemon off; worker_processes 1; pid FOLDER/pid; error_log FOLDER/err warn;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b;
  fastcgi_temp_path FOLDER/c; uwsgi_temp_path FOLDER/d; scgi_temp_path FOLDER/e;
  server {
    listen 127.0.0.1:PORT;
    location / {
      proxy_pass http://127.0.0.1:PROVIDER; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
"""
    for name, value in (("FOLDER", folder), ("PORT", port), ("PROVIDER", provider)):
        config = config.replace(name, str(value))
    path.write_text(config, encoding="ascii")
    return str(path)


def tailrace_config(folder: str, provider: int) -> str:
    path = Path(folder) / "tailrace.toml"
    path.write_text(
        f'[providers.ant]\ndialect = "anthropic"\nbase_url = "http://127.0.0.1:{provider}"\n'
        f'[providers.oai]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:{provider}/v1"\n',
        encoding="ascii",
    )
    return str(path)


def rivals(folder: str, provider: int) -> list[Rival]:
    serve = [PYTHON, "-m", "tailrace", "serve", "--config", tailrace_config(folder, provider), "--port"]
    found = []
    if nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
        port = free_port()
        found.append(
            Rival("nginx, no buffering", [nginx, "-c", nginx_config(folder, port, provider), "-p", folder], port)
        )
    for name, path, model in [
        ("tailrace, anthropic", "/v1/messages", "ant/sim"),
        ("tailrace, openai_chat", "/v1/chat/completions", "oai/sim"),
        ("tailrace, openai_chat from anthropic", "/v1/chat/completions", "ant/sim"),
    ]:
        port = free_port()
        found.append(Rival(name, [*serve, str(port)], port, path, model))
    port = free_port()
    naive = [PYTHON, "-m", "uvicorn", "--app-dir", str(HERE), "--log-level", "error", "--port", str(port), "naive:app"]
    found.append(Rival("by hand: Starlette + httpx2", naive, port, env={"PROVIDER": f"http://127.0.0.1:{provider}"}))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--rate", type=float, default=25)
    parser.add_argument("--events", type=int, default=150)
    parser.add_argument("--json")
    args = parser.parse_args()
    provider = free_port()
    head = ["relay", "CPU µs an event", "times nginx", "TTFT p50 / p99 ms", "KB a stream", "events lost"]
    rows: list[list[str]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running([PYTHON, "-m", "tailrace", "simulate", "--port", str(provider)], provider),
    ):
        anchor = 0.0
        for rival in rivals(folder, provider):
            with running(rival.command, rival.port, rival.env) as pid:
                figures = asyncio.run(load(rival, pid, args))
            anchor = anchor or figures.cpu
            p50, p99 = figures.ttft[len(figures.ttft) // 2] * 1e3, figures.ttft[-1] * 1e3
            rows.append([rival.name, f"{figures.cpu:.0f}", f"{figures.cpu / anchor:.1f}", f"{p50:.1f} / {p99:.1f}",
                         f"{figures.memory:.0f}", str(figures.lost)])  # fmt: skip
            print("| " + " | ".join(rows[-1]) + " |", flush=True)
    if args.json:
        machine = (
            f"{args.streams} streams at {args.rate:g} events/s on {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, one run."
        )
        text = json.dumps({"machine": machine, "head": head, "rows": rows}, indent=1, ensure_ascii=False)
        Path(args.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
