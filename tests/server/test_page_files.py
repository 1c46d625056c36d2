"""The page's files over HTTP: fresh or cached as they say, with their guards, and nothing beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tailrace.engine import Relay
from tailrace.server import page
from tailrace.testing import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    built = tmp_path / "page"
    (built / "assets").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (built / "index.html").write_text("<!doctype html><title>page</title>")
    (built / "icon.svg").write_text("<svg/>")
    (built / "assets" / "index-1a2b.js").write_text("export {}")
    monkeypatch.setattr(page, "DIRECTORY", built)
    async with serving(Relay({})) as url, aiohttp.ClientSession() as http:
        yield url, http


@pytest.mark.parametrize(
    ("path", "cached"), [("/", False), ("/index.html", False), ("/icon.svg", False), ("/assets/index-1a2b.js", True)]
)
async def test_a_file_is_sent_once_and_guarded(
    site: tuple[str, aiohttp.ClientSession], path: str, cached: bool
) -> None:
    url, http = site
    async with http.get(url + path) as response:
        assert response.status == 200
        assert await response.read()
        assert ("immutable" in response.headers["cache-control"]) is cached
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        again = {"if-none-match": response.headers["etag"]}
    async with http.get(url + path, headers=again) as response:
        assert (response.status, await response.read()) == (304, b"")
    async with http.post(url + path) as response:
        assert response.status == 405


@pytest.mark.parametrize(
    "path",
    ["/assets/../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/..%2fsecret.txt"],
)
async def test_nothing_outside_is_sent(site: tuple[str, aiohttp.ClientSession], path: str) -> None:
    url, http = site
    async with http.get(URL(url + path, encoded=True)) as response:
        assert response.status == 404
        assert "secret" not in (await response.text()).replace("secret.txt", "")
