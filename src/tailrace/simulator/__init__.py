"""Room: simulator.

Knows: scenarios and their names, what a provider says and when, what can go wrong on the wire; HTTP by hand.
Does not know: the engine, logs, readers, the server: it stands where a provider stands.
May import: dialects and inward, asyncio, httptools.
Start reading at: scenario.py, then script.py, plan.py, server.py; the table of faults is in faults.py.
"""

from tailrace.simulator.faults import FAULTS
from tailrace.simulator.names import model_names, parse
from tailrace.simulator.plan import bytes_of, frames_of
from tailrace.simulator.record import Record
from tailrace.simulator.run import in_thread, run
from tailrace.simulator.scenario import Fault, Scenario
from tailrace.simulator.script import Step, expected, script
from tailrace.simulator.server import Simulator
from tailrace.simulator.shapes import SHAPES

__all__ = [
    "FAULTS",
    "SHAPES",
    "Fault",
    "Record",
    "Scenario",
    "Simulator",
    "Step",
    "bytes_of",
    "expected",
    "frames_of",
    "in_thread",
    "model_names",
    "parse",
    "run",
    "script",
]
