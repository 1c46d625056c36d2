"""The asynchronous shell: `httpx2.AsyncClient`, asyncio. Same file names as in `tailrace.client.sync`."""
