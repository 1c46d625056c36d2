"""What the matrix tries with every pair of dialects: what the client asks, what the provider does, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from tailrace.events import ImagePart, Request, TextPart, ToolCallPart, ToolResultPart

Wish: TypeAlias = Literal["nothing", "thinking", "tool", "tool result", "image", "schema", "limit"]
"""What a request asks for beyond an answer; each dialect's own words for it are in `tests.matrix.clients`."""

Ends: TypeAlias = Literal["well", "refused", "broken", "stopped"]
"""``refused``: with an HTTP status before any content. ``broken``: in the middle, by the provider's word or silence."""

QUESTION = "When is high water?"
SYSTEM = "Be brief."
TOOL = "get_weather"
DESCRIPTION = "Tells the weather."
SCHEMA = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}
FORM = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "rows": {"type": "array", "items": {"type": "object"}}},
    "required": ["title", "rows"],
    "additionalProperties": False,
}
"""What the simulator's documents look like: a whole answer is only given when it fits what was asked for."""
CALL_ID = "call_7"
INPUT = {"place": "Brest"}
RESULT = "rain, 12 degrees"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
"""One pixel, as PNG in base64."""
LIMIT = 77


class Feature(NamedTuple):
    """One row of the matrix.

    ``model`` is the simulator's, without a seed. ``told`` says whether the provider was asked for what was wished:
    it looks at the body that the simulator received, as its own dialect reads it.
    """

    name: str
    model: str
    told: Callable[[Request], bool]
    wish: Wish = "nothing"
    ends: Ends = "well"


def _asked(request: Request) -> bool:
    return any(part == TextPart(QUESTION) for turn in request.turns for part in turn.parts)


def _has_tool(request: Request) -> bool:
    return _asked(request) and [(tool.name, tool.description, tool.schema) for tool in request.tools] == [
        (TOOL, DESCRIPTION, SCHEMA)
    ]


def _has_result(request: Request) -> bool:
    parts = [part for turn in request.turns for part in turn.parts]
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    results = [part for part in parts if isinstance(part, ToolResultPart)]
    if not (_has_tool(request) and len(calls) == len(results) == 1):
        return False
    # Where a dialect has no ids the two belong together by the tool's name.
    paired = calls[0].id == results[0].tool_call_id or calls[0].name == results[0].name
    said = "".join(part.text for part in results[0].parts if isinstance(part, TextPart))
    return paired and (calls[0].name, calls[0].input) == (TOOL, INPUT) and RESULT in said


def _has_image(request: Request) -> bool:
    images = [part for turn in request.turns for part in turn.parts if isinstance(part, ImagePart)]
    return _asked(request) and [(image.media_type, image.data) for image in images] == [("image/png", PIXEL)]


def _thinks(request: Request) -> bool:
    return _asked(request) and request.reasoning is not None and request.reasoning.enabled


def _has_schema(request: Request) -> bool:
    return _asked(request) and request.output is not None and request.output.schema == FORM


def _has_limit(request: Request) -> bool:
    return _asked(request) and request.max_tokens == LIMIT


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("text", "sim:tokens=12", _asked),
        Feature("thinking", "sim-thinking:tokens=12", _thinks, "thinking"),
        Feature("one tool", "sim-tool:tokens=12", _has_tool, "tool"),
        Feature("parallel tools", "sim-tools:tokens=12", _has_tool, "tool"),
        Feature("tool result turn", "sim:tokens=8", _has_result, "tool result"),
        Feature("image in", "sim:tokens=8", _has_image, "image"),
        Feature("structured output", "sim-json:tokens=12", _has_schema, "schema"),
        Feature("refusal", "sim-refusal:tokens=12", _asked),
        Feature("max tokens", "sim-max_tokens:tokens=12", _has_limit, "limit"),
        Feature("error before content", "sim:fault=status@429:7", _asked, ends="refused"),
        Feature("error mid-stream", "sim:tokens=20,fault=error@8", _asked, ends="broken"),
        Feature("connection cut", "sim:tokens=20,fault=cut_event@8", _asked, ends="broken"),
        Feature("stop", "sim:tokens=20,fault=stall_event@8", _asked, ends="stopped"),
    )
}
"""The rows of the matrix by their names."""
