"""The standard's algorithm, word for word and on whole text: slow, unbounded, and what the decoder must equal."""

import re

from tailrace.sse import ServerSentEvent


def decode(data: bytes, last_event_id: str = "") -> tuple[list[ServerSentEvent], str, int | None]:
    """Return the events of a whole stream, the last event id and the reconnection time."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split("\r\n|\r|\n", text)
    events: list[ServerSentEvent] = []
    retry: int | None = None
    buffer, kind, id_buffer = "", "", last_event_id
    for line in lines:
        if line == "":
            last_event_id = id_buffer
            if buffer:
                events.append(ServerSentEvent(buffer[:-1].encode(), kind or "message", id_buffer))
            buffer, kind = "", ""
            continue
        if line.startswith(":"):
            continue
        field, value = line, ""
        if ":" in line:
            field, value = line.split(":", 1)
            value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            buffer += value + "\n"
        elif field == "id":
            id_buffer = id_buffer if "\0" in value else value
        elif field == "retry" and re.fullmatch("0*[0-9]{1,15}", value):
            retry = int(value)
    return events, last_event_id, retry
