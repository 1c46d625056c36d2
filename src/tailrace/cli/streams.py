"""``tailrace tail | stop | ls | models``: what a server has and keeps."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tailrace.cli.options import Json, NoStats, Url, examples

TAIL_EXAMPLES = examples("tailrace tail dQw4w9WgXcQ", "tailrace tail dQw4w9WgXcQ --from 17 --json")
STOP_EXAMPLES = examples("tailrace stop dQw4w9WgXcQ")
LS_EXAMPLES = examples("tailrace ls", "tailrace ls --json | jq -r 'select(.state == \"live\").id'")
MODELS_EXAMPLES = examples("tailrace models", "tailrace models --url https://relay.example.com")

StreamId = Annotated[str, typer.Argument(metavar="ID", help="The stream's id, as `tailrace ls` shows it.")]


def tail(
    stream_id: StreamId,
    *,
    after: Annotated[int, typer.Option("--from", min=0, help="Go on after this event.", metavar="N")] = 0,
    as_json: Json = False,
    no_stats: NoStats = False,
    url: Url = None,
) -> int:
    """Follow a stream that a server keeps: what has come, then what still comes."""
    from tailrace.cli.answer import show
    from tailrace.cli.target import relay

    with relay(url) as client:
        return show(client.resume(stream_id, after), as_json=as_json, stats=not no_stats, url=url)


def stop(stream_id: StreamId, *, url: Url = None) -> int:
    """Stop a stream. Its text is kept; stopping one that has ended changes nothing."""
    from tailrace.cli.target import relay
    from tailrace.cli.terminal import line

    with relay(url) as client:
        said = client.stop(stream_id)
    line(f"{said.get('id', stream_id)}  {said.get('ending') or said.get('state', 'stopping')}")
    return 0


def ls(*, as_json: Json = False, url: Url = None) -> int:
    """List your streams, newest first."""
    from tailrace.cli.target import relay
    from tailrace.cli.terminal import line, say

    with relay(url) as client:
        found = client.streams()
    for entry in found:
        line(json.dumps(entry, ensure_ascii=False) if as_json else _row(entry))
    if not found and not as_json:
        say("no streams")
    return 0


def models(*, as_json: Json = False, url: Url = None) -> int:
    """List the models of a server."""
    from tailrace.cli import target
    from tailrace.cli.terminal import line, say

    with target.relay(url) as client:
        found = target.models(client, url)
    for model in found:
        line(json.dumps(model.data, ensure_ascii=False) if as_json else f"{model.id}{_badge(model.data)}")
    if not found and not as_json:
        say("the server lists no models; any model of its providers can be asked for as provider/model")
    return 0


def _row(entry: dict[str, Any]) -> str:
    state = entry.get("ending") or entry.get("state", "")
    return f"{entry['id']}  {state:<11}  {entry.get('frames', ''):>7}  {entry.get('model', '')}"


def _badge(data: dict[str, Any]) -> str:
    kind = data.get("tailrace")
    said = [word for word in ("local", "simulated") if isinstance(kind, dict) and kind.get(word)]
    return "".join(f"  [{word}]" for word in said)
