"""``tailrace simulate``: a provider that only pretends, for tests and for trying a page without paying."""

from __future__ import annotations

from typing import Annotated

import typer

from tailrace.cli.options import examples

EXAMPLES = examples(
    "tailrace simulate",
    "tailrace simulate --port 9100 --rate 50 --tokens 200 --seed 7",
    "tailrace simulate --fault cut@300 --fault split",
    "tailrace simulate --faults",
)


def simulate(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 9100,
    seed: Annotated[int, typer.Option(min=0, help="Of the invented words: the same seed gives the same bytes.")] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Tokens per second; 0 is as fast as they are read.")] = 30.0,
    tokens: Annotated[int, typer.Option(min=0, help="Tokens of an answer.")] = 60,
    ttft: Annotated[float, typer.Option(min=0, help="Seconds before the first token.")] = 0.3,
    shape: Annotated[str, typer.Option(help="What an answer holds: text, thinking, tool, …")] = "text",
    fault: Annotated[
        list[str] | None, typer.Option(help="What goes wrong, as name@number; may be repeated.", metavar="FAULT")
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="List the faults and shapes, and leave.")] = False,
) -> int:
    """Run a simulated provider that speaks every dialect.

    Any model name is answered with the given scenario; a name like sim-tool:tokens=9,fault=cut@120 brings its own.
    The words are invented: nothing here is a language model.
    """
    from tailrace.cli.terminal import line, say
    from tailrace.errors import ConfigError
    from tailrace.simulator import FAULTS, SHAPES, parse, run

    if faults:
        for name, kind in FAULTS.items():
            line(f"{name:<14} {kind.does}")
        line(f"\nshapes: {', '.join(SHAPES)}")
        return 0
    pairs = [f"tokens={tokens}", f"rate={rate:g}", f"seed={seed}", f"ttft={ttft:g}"]
    pairs += [f"fault={name}" for name in fault or ()]
    scenario = parse(f"sim-{shape}:{','.join(pairs)}")

    def ready(url: str) -> None:
        say(f"simulated provider at {url} (OpenAI: base_url {url}/v1 · Anthropic: base_url {url}) · Ctrl-C ends")

    try:
        run(host, port, scenario, any_model=True, on_ready=ready)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return 0
