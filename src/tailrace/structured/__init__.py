"""Room: structured.

Knows: what a document must look like (a type, a JSON Schema), how to hold a growing one to it, which calls may pass.
Does not know: connections, providers, where the text comes from.
May import: partial_json, events, errors; pydantic and jsonschema_rs when they are first needed.
Start reading at: node.py, then follower.py.
"""

from tailrace.structured.document import check_document
from tailrace.structured.follower import Follower
from tailrace.structured.gate import MAX_HELD, ToolGate
from tailrace.structured.node import Partial
from tailrace.structured.shapes import Shape, shape

__all__ = ["MAX_HELD", "Follower", "Partial", "Shape", "ToolGate", "check_document", "shape"]
