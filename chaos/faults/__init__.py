"""The faults, one file each; a file's ``FAULT`` says what goes wrong and what must hold."""

from __future__ import annotations

from chaos.card import Fault
from chaos.faults import (
    f00_plants,
    f01_client_drops,
    f02_upstream_cut,
    f03_kill,
    f04_redis,
    f06_partitions,
    f07_slow_readers,
    f08_crowd,
    f09_oversized,
    f10_malformed,
    f13_stalls,
    f18_deploys,
    f20_stop,
    f21_duplicates,
    f22_cursors,
    f26_soak,
)
from chaos.tables import TABLES

_ALL = (
    f00_plants.FAULT,
    f01_client_drops.FAULT,
    f02_upstream_cut.FAULT,
    f03_kill.FAULT,
    f04_redis.FAULT,
    f06_partitions.FAULT,
    f07_slow_readers.FAULT,
    f08_crowd.FAULT,
    f09_oversized.FAULT,
    f10_malformed.FAULT,
    f13_stalls.FAULT,
    f18_deploys.FAULT,
    f20_stop.FAULT,
    f21_duplicates.FAULT,
    f22_cursors.FAULT,
    f26_soak.FAULT,
    *TABLES,
)

FAULTS: dict[str, Fault] = {fault.number: fault for fault in sorted(_ALL, key=lambda fault: int(fault.number[1:]))}
"""``number → fault``, in the order of the scorecard."""

LONG = frozenset({"F26"})
"""Faults that are run when they are asked for only: `make soak`."""
