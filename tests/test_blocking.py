"""The watch over blocking calls is watched: it sees one of ours, and only one of ours, and only in a loop."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from types import CodeType

import pytest

import tailrace
from tests import blocking

pytestmark = pytest.mark.anyio


def ours(source: str, file: str = "server/planted.py") -> CodeType:
    """Return code that looks as if it stood in a file of the package."""
    return compile(source, str(Path(tailrace.__file__).parent / file), "exec")


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("time.sleep(0.001)", "time.sleep"),
        ("Path(file).read_text()", "io.open"),
        ("socket.getaddrinfo('127.0.0.1', 80)", "socket.getaddrinfo"),
        ("subprocess.run(['true'])", "subprocess.Popen.communicate"),
        ("sqlite3.connect(':memory:').execute('select 1').close()", "sqlite3.Connection.execute"),
    ],
)
async def test_a_blocking_call_of_ours_is_seen(blocking_calls: list[str], source: str, call: str) -> None:
    exec(ours(f"import socket, sqlite3, subprocess, time\nfrom pathlib import Path\n{source}"), {"file": __file__})
    seen = [line.partition("\n")[0] for line in blocking_calls]
    blocking_calls.clear()
    assert f"server/planted.py:<module> calls {call}" in seen


async def test_others_may(blocking_calls: list[str]) -> None:
    time.sleep(0.001)
    assert blocking_calls == []


async def test_in_a_thread_of_its_own_anybody_may(blocking_calls: list[str]) -> None:
    await asyncio.to_thread(exec, ours("import time; time.sleep(0.001)"))
    assert blocking_calls == []


async def test_a_socket_that_does_not_block_is_no_matter(blocking_calls: list[str]) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        exec(ours("one.send(b'x')"), {"one": one})
    assert blocking_calls == []


@pytest.mark.parametrize("where", list(blocking.ALLOWED))
def test_what_is_allowed_is_there_and_has_a_reason(where: tuple[str, str]) -> None:
    file, function = where
    path = Path(tailrace.__file__).parent / file
    assert path.exists()
    assert not function or f"def {function}(" in path.read_text()
    assert blocking.ALLOWED[where]
