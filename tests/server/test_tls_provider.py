"""A provider whose certificate nobody vouches for is told nothing, least of all a key."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.server.raw_provider import ANSWER, HEAD, rig
from tests.server.test_doors import DOORS, body

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate"),
]


def certificate(where: Path, name: str) -> ssl.SSLContext:
    """Return a server's context with a fresh certificate of its own signing."""
    key, cert = str(where / "key.pem"), str(where / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=IP:{name}", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_a_certificate_of_its_own_signing(tmp_path: Path) -> None:
    async with rig(context=certificate(tmp_path, "127.0.0.1")) as house:
        house.provider.says = HEAD + b"\r\n" + ANSWER
        for path in DOORS.values():
            async with house.http.post(house.url + path, json=body("ant/m")) as response:
                assert response.status == 502
                assert "certificate" in await response.text()
        assert house.provider.heard == 0
