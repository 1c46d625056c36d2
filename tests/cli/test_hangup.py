"""SIGHUP has the keys read again, of a server that runs as people run it."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

from tailrace.server import key_digest
from tests.cli.processes import running

OLD, NEW = "the-old-key-0001", "the-new-key-0002"


def code(url: str, key: str) -> int:
    request = urllib.request.Request(f"{url}/streams", headers={"x-api-key": key})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_hangup_has_the_keys_read_whatever_the_files_look_like(tmp_path: Path) -> None:
    config, keys = tmp_path / "tailrace.toml", tmp_path / "keys.toml"
    provider = '[providers.x]\ndialect = "plain"\nbase_url = "http://127.0.0.1:1"\n[ledger]\nbackend = "none"\n'
    config.write_text(f'[server]\nport = 0\nkeys_file = "keys.toml"\n{provider}')
    keys.write_text(f'[keys.one]\nsha256 = "{key_digest(OLD)}"\n')
    with running("serve", "--config", str(config)) as server:
        assert (code(server.url, OLD), code(server.url, NEW)) == (200, 401)
        # As long as before, and as old: nobody who only looks sees a difference.
        before = keys.stat()
        keys.write_text(f'[keys.one]\nsha256 = "{key_digest(NEW)}"\n')
        os.utime(keys, ns=(before.st_atime_ns, before.st_mtime_ns))
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while code(server.url, NEW) != 200:
            assert time.monotonic() < deadline
        assert code(server.url, OLD) == 401
        assert server.process.poll() is None
