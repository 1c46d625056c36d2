"""F8 in small: some hundred connections, idle, then reading, then all gone at once and all back."""

from __future__ import annotations

import pytest

from chaos import connections

pytestmark = pytest.mark.anyio


async def test_nobody_is_lost_and_an_idle_connection_is_cheap() -> None:
    figures = await connections.run(connections=400, relays=1)
    assert figures.good, figures
    assert figures.rss_per_connection <= 60 * 1024, figures
    assert figures.storm_seconds <= 30, figures


def test_the_count_of_the_lost_can_be_wrong() -> None:
    """Of a client that is told 1, 2, 4, 4 one event was lost and one said twice, however its bytes are cut."""
    crowd = connections.Crowd([("http://127.0.0.1:1", ["x"])], 1)
    (client,) = crowd.clients
    client.open = True
    said = b"".join(b"event: x\nid: %d\ndata: y\n\n" % number for number in (1, 2, 4, 4))
    for n in range(len(said)):
        client.data_received(said[n : n + 1])
    assert (client.seen, crowd.lost, crowd.repeated) == (4, 1, 1)
