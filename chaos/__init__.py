"""Proof of the promises: faults on one side, one checker on the other, a scorecard in between.

Knows: the simulator's truth, raw sockets, processes, what each dialect looks like on the wire (its own reading of it).
Does not know: the engine's insides; a cell goes in through the doors that users use.
Start reading at: card.py (what a cell is), checker.py (what must hold after each), faults/ (one file a fault).
Not part of the package: it stands beside ``src`` as ``bench`` and ``fuzz`` do. `docs/chaos.md` says how to read it.
"""
