"""The synchronous shell: `httpx2.Client`, threads. Same file names as in `tailrace.client.aio`."""
