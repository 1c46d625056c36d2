"""Servers that stand in front of ours: Debian's nginx and haproxy, on free ports, in a folder of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  log_format taken "$request_method $request_uri";
  access_log {folder}/taken.log taken;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream relay {{ server 127.0.0.1:{back}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{front};
    client_max_body_size 0;
    location / {{
      proxy_pass http://relay; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost;
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 256
  log stdout format raw local0 info
defaults
  mode http
  log global
  log-format "%HM %HU %rt"
  timeout connect 2s
  timeout client 10s
  timeout server 30s
  http-reuse always
frontend front
  bind 127.0.0.1:{front}
  default_backend back
backend back
  server relay 127.0.0.1:{back}
"""


def need(name: str) -> str:
    """Return the path of a program; skip the test, or in CI fail it, where it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def fronted(name: str, back: int, folder: Path) -> AsyncIterator[int]:
    """Run the front ``name`` (``alone``: none) before the port ``back`` and yield the port to ask at.

    It writes each request that it takes for one into `taken`'s file when that is over.
    """
    if name == "alone":
        yield back
        return
    program, front = need(name), free_port()
    text = {"nginx": NGINX, "haproxy": HAPROXY}[name].format(folder=folder, front=front, back=back)
    config = folder / f"{name}.conf"
    config.write_text(text)
    arguments = ["-c", str(config), "-p", str(folder)] if name == "nginx" else ["-db", "-f", str(config)]
    with (folder / "haproxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdout=log, stderr=asyncio.subprocess.DEVNULL
        )
    try:
        async with asyncio.timeout(20):
            await _listening(front)
        yield front
    finally:
        process.terminate()
        await process.wait()


def taken(folder: Path) -> Counter[str]:
    """Return the paths of the requests that the front has read, once it has been stopped."""
    lines = (folder / "haproxy.log").read_text("latin-1").splitlines()
    # haproxy writes some lines twice; it numbers them (%rt).
    unique = [*dict.fromkeys(lines)]
    if (folder / "taken.log").exists():
        unique = (folder / "taken.log").read_text("latin-1").splitlines()
    return Counter(path_of(line.split()[1]) for line in unique)


def path_of(target: str) -> str:
    """Return the path of a target in either form, without its query."""
    if "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0]


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
