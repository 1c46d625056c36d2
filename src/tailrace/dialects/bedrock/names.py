"""The dialect's own words beside the vocabulary's, each once.

Source: the service's description in botocore (``bedrock-runtime`` 2023-09-30, botocore 1.44).
"""

from __future__ import annotations

from tailrace.events import ErrorKind, Finish, StopReason

NAME = "bedrock"
"""The dialect's name: in the configuration, and on data that only it can write."""

STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "tool_use": "tool_use",
    "content_filtered": "refusal",
    "guardrail_intervened": "refusal",
    "model_context_window_exceeded": "context_window",
}
"""``stopReason`` → the vocabulary's word; any other (``malformed_tool_use`` …) is ``other``, kept in
`Finish.native`."""

STOP_WORDS: dict[StopReason, str] = {
    # Reversed, so that the first of two words for one reason is the one that is written.
    **{reason: word for word, reason in reversed(STOP_REASONS.items())},
    # A paused turn is unfinished and can be continued: of the words that clients know, only this one says so.
    "pause": "max_tokens",
}
"""The vocabulary's word → ``stopReason``."""

EXCEPTIONS: dict[str, ErrorKind] = {
    "validationException": "invalid_request",
    "accessDeniedException": "permission",
    "resourceNotFoundException": "not_found",
    "conflictException": "conflict",
    "throttlingException": "rate_limit",
    "modelNotReadyException": "overloaded",
    "serviceUnavailableException": "overloaded",
    "modelTimeoutException": "timeout",
    "modelStreamErrorException": "upstream",
    "modelErrorException": "upstream",
    "internalServerException": "upstream",
}
"""``:exception-type`` → kind."""

EXCEPTION_WORDS: dict[ErrorKind, str] = {
    "rate_limit": "throttlingException",
    "overloaded": "serviceUnavailableException",
    "invalid_request": "validationException",
    "authentication": "validationException",
    "billing": "validationException",
    "permission": "validationException",
    "not_found": "validationException",
    "conflict": "validationException",
    "too_large": "validationException",
}
"""Kind → ``:exception-type``; every other kind is an ``internalServerException``.

Of the service's exceptions only those that it sends in a stream: AWS's clients lose the words of any other.
"""

STREAMED = frozenset({*EXCEPTION_WORDS.values(), "internalServerException", "modelStreamErrorException"})
"""The exceptions that the service sends in a stream."""

EFFORTS = {"minimal": "low"}
"""Words for an effort that this dialect calls otherwise: it knows low, medium, high, xhigh and max."""

PATHS = "additionalModelResponseFieldPaths"
"""Field of a request that names what else the service shall say of the model's answer."""

STOP_SEQUENCE = ["/stop_sequence"]
"""The stop sequence that was met, as `PATHS` names it: JSON pointers."""


def stop_word(finish: Finish) -> str:
    """Return the ``stopReason`` that says ``finish``: the provider's own word where it is one of these."""
    native = finish.native
    if native is not None and STOP_REASONS.get(native) == finish.reason:
        return native
    return STOP_WORDS.get(finish.reason) or native or "end_turn"
