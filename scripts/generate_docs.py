"""Rewrite the generated parts of the documentation, or with ``--check`` say which are out of date.

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; `PARTS` says who writes it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from matrix import matrix

ROOT = Path(__file__).parent.parent
MARKED = re.compile(r"(<!-- generated: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def order() -> str:
    from tailrace.events.grammar import TRANSITIONS

    kinds = list(dict.fromkeys(kind for steps in TRANSITIONS.values() for kind in steps))
    rows = [
        [f"`{kind.__name__}`", *(f"→ {steps[kind]}" if kind in steps else "-" for steps in TRANSITIONS.values())]
        for kind in kinds
    ]
    return table(["event", *TRANSITIONS], rows)


def grows() -> str:
    from tailrace.events.grammar import GROWS

    return table(["delta", "kinds of block"], ([f"`{k.__name__}`", ", ".join(sorted(v))] for k, v in GROWS.items()))


def life() -> str:
    from typing import get_args

    from tailrace.engine.lifecycle import LIFE, Signal, Step

    def cell(steps: Mapping[Signal, Step], signal: Signal) -> str:
        step = steps.get(signal)
        return "-" if step is None else f"**{step[1]}**" if step[1] else f"→ {step[0]}"

    phases = [phase for phase in LIFE if phase != "ended"]
    return table(["signal", *phases], ([s, *(cell(LIFE[p], s) for p in phases)] for s in get_args(Signal)))


def errors() -> str:
    from tailrace.dialects import DIALECTS
    from tailrace.events import ERROR_STATUS, Error

    def named(dialect: str, kind: str, field: str = "type") -> str:
        body = DIALECTS[dialect].error_body(Error(kind, "…"))  # type: ignore[arg-type]
        return f"`{body['error'][field]}`"

    rows = (
        [k, s, named("anthropic", k), named("openai_chat", k), named("gemini", k, "status")]
        for k, s in sorted(ERROR_STATUS.items())
    )
    return table(["kind", "status", "anthropic", "openai_chat, openai_responses", "gemini"], rows)


def taxonomy() -> str:
    from tailrace.dialects import DIALECTS
    from tailrace.engine.failover import CODES, VERDICTS
    from tailrace.engine.taxonomy import MEANING, OVERALL, TAXONOMY
    from tailrace.events import ERROR_STATUS, Error

    def words(kind: str | None) -> list[str]:
        if kind is None:
            return ["its own", "its own", "its own"]
        bodies = {
            name: DIALECTS[name].error_body(Error(kind, "…"))["error"]
            for name in ("anthropic", "openai_chat", "gemini")
        }  # type: ignore[arg-type]
        return [
            f"`{bodies['anthropic']['type']}`",
            f"`{bodies['openai_chat']['type']}`",
            f"`{bodies['gemini']['status']}`",
        ]

    again = {"again": "and this one again", "elsewhere": "yes", "final": "no"}
    rows = []
    for cause, fates in TAXONOMY.items():
        for when, (kind, ending, retryable) in fates.items():
            unseen = "by its kind" if kind is None else again[CODES.get(cause) or VERDICTS[kind]]
            status = (
                "200"
                if when == "answering"
                else ("its own" if when == "before" else "its kind's")
                if kind is None
                else str(ERROR_STATUS[kind])
            )
            rows.append(
                [
                    MEANING[cause],
                    when,
                    status,
                    f"`{kind}`" if kind else "its own",
                    *words(kind),
                    f"`{ending}`",
                    {True: "yes", False: "no", None: "as it says"}[retryable],
                    "no" if when == "answering" or cause in OVERALL else unseen,
                ]
            )
    head = ["the provider", "when", "HTTP status", "kind", "anthropic", "openai", "gemini", "ending", "retryable"]
    return table([*head, "another is asked first"], rows)


def ignorable() -> str:
    import importlib
    import pkgutil

    from tailrace import dialects

    rows = []
    for module in pkgutil.walk_packages(dialects.__path__, "tailrace.dialects."):
        fields = getattr(importlib.import_module(module.name), "IGNORABLE", None)
        if fields:
            rows.append([f"`{module.name.split('.')[2]}`", ", ".join(f"`{field}`" for field in sorted(fields))])
    return table(["to a provider that speaks", "left out, and listed"], sorted(rows))


def settings() -> str:
    schema = json.loads(
        subprocess.run(
            [sys.executable, "-m", "tailrace", "config", "schema"], capture_output=True, text=True, check=True
        ).stdout
    )

    def rows(name: str, properties: dict[str, Any]) -> Iterator[list[object]]:
        for key, said in properties.items():
            inner = next((part for part in [said, *said.get("anyOf", [])] if "$ref" in part), None)
            named = next((part for part in [said] if isinstance(said.get("additionalProperties"), dict)), None)
            if inner or (named and "$ref" in named["additionalProperties"]):
                part = inner or named["additionalProperties"]  # type: ignore[index]
                below = schema["$defs"][part["$ref"].rpartition("/")[2]]
                yield from rows(f"{name}{key}.{'' if inner else 'NAME.'}", below["properties"])
            else:
                default = json.dumps(said["default"]) if "default" in said else "needed"
                yield [f"`{name}{key}`", f"`{default}`", said.get("description", "")]

    return table(["setting", "default", "meaning"], rows("", schema["properties"]))


def commands() -> str:
    from tailrace.cli.main import COMMANDS, config, keyring

    parts = [f"```text\n$ tailrace --help\n{helped()}\n```\n"]
    for app, name, _, _ in COMMANDS:
        group = {id(config): ["config"], id(keyring): ["keys"]}.get(id(app), [])
        words = [*group, name]
        parts.append(f"\n### `tailrace {' '.join(words)}`\n\n```text\n{helped(*words)}\n```\n")
    return "".join(parts)


def helped(*command: str) -> str:
    """Return the help of a command as a terminal of a hundred columns shows it."""
    env = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    program = "import sys; sys.argv[0] = 'tailrace'; from tailrace.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", program, *command, "--help"], capture_output=True, text=True, env=env, check=True
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def faults() -> str:
    from tailrace.simulator import FAULTS

    return table(["fault", "what happens"], ([f"`{name}`", fault.does] for name, fault in FAULTS.items()))


def metrics() -> str:
    from tailrace.server.measures import MEASURES

    rows = ([f"`{m.name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels), m.help] for m in MEASURES)
    return table(["metric", "kind", "labels", "meaning"], rows)


def decisions() -> str:
    lines = []
    for path in sorted((ROOT / "docs/decisions").glob("0*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})\n")
    return "".join(lines)


def measured() -> str:
    return figures_of("figures.json")


def figures_of(name: str) -> str:
    results = ROOT / "bench" / name
    if not results.is_file():
        return "_No figures yet: `make bench` writes them._\n"
    figures = json.loads(results.read_text(encoding="utf-8"))
    return f"{figures['machine']}\n\n" + table(figures["head"], figures["rows"])


def parsers() -> str:
    results = ROOT / "bench" / "parsers.json"
    if not results.is_file():
        return "_No figures yet: `make bench` writes them._\n"
    figures = json.loads(results.read_text(encoding="utf-8"))
    cells: dict[str, dict[tuple[str, int], tuple[float, bool]]] = {}
    for row in figures["rows"]:
        cost = row["seconds"] / row["characters"] * 1e9
        cells.setdefault(row["candidate"], {})[row["document"][0], row["size"]] = (cost, row["sampled"])
    columns = sorted({column for costs in cells.values() for column in costs})
    head = ["ns per character", *(f"{document} {size // 1000} KB" for document, size in columns)]

    def cell(costs: dict[tuple[str, int], tuple[float, bool]], column: tuple[str, int]) -> str:
        cost, sampled = costs.get(column, (None, False))
        return "" if cost is None else f"{cost:,.0f}{' ~' if sampled else ''}"

    rows = [[name, *(cell(costs, column) for column in columns)] for name, costs in cells.items()]
    ours = cells["tailrace, events and live value"]
    again = [name for name in cells if name.endswith("parsed again")]
    rows.append(
        [
            "**times our CPU: the faster that parses again**",
            *(
                f"**{min(cells[name][column][0] for name in again if column in cells[name]) / ours[column][0]:,.1f}**"
                if any(column in cells[name] for name in again)
                else ""
                for column in columns
            ),
        ]
    )
    fragment = figures["plain_fragment_seconds"]["live"] * 1e6
    versions = ", ".join(f"{name} {version}" for name, version in figures["packages"].items() if version)
    return (
        f"CPython {figures['python']}; {versions}. ~ added up from sampled lengths.\n\n{table(head, rows)}\n"
        f"A fragment inside a string costs {fragment:.2f} µs, whatever the size of the document.\n"
    )


def example(name: str) -> str:
    return f"```html\n{(ROOT / 'examples' / name).read_text(encoding='utf-8')}```\n"


def example_eventsource() -> str:
    return example("resume-eventsource.html")


def example_fetch() -> str:
    return example("resume-fetch.html")


def resume_cost() -> str:
    return figures_of("resume.json")


def scorecard() -> str:
    path = ROOT / "chaos" / "scorecard.json"
    if not path.is_file():
        return "_No scorecard yet: `make chaos` writes it._\n"
    card = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for number, fault in card["faults"].items():
        sample = " (sample)" if fault["sample"] else ""
        share = f"**{fault['passed']:,}** / {fault['all']:,}"
        rows.append([number, fault["title"], fault["target"], share + sample, f"{fault['seconds']:,.0f}"])
    passed = sum(fault["passed"] for fault in card["faults"].values())
    total = sum(fault["all"] for fault in card["faults"].values())
    head = ["", "what goes wrong", "what must hold", "cells passed / all", "s"]
    return f"{card['machine']}; {passed:,} of {total:,} cells passed.\n\n{table(head, rows)}\n{_misses(card)}"


def _misses(card: dict[str, Any]) -> str:
    lines = [
        f"- {number}: {miss.replace('|', '/')}\n"
        for number, fault in card["faults"].items()
        for miss in fault["misses"]
    ]
    if not lines:
        return "No misses.\n"
    if len(lines) <= FEW:
        return f"Misses:\n\n{''.join(lines)}"
    return "Each miss by its name: [docs/chaos.md](docs/chaos.md#misses).\n"


FEW = 12
"""Most misses that stand in the README themselves."""


def misses() -> str:
    path = ROOT / "chaos" / "scorecard.json"
    if not path.is_file():
        return "_None yet._\n"
    lines = []
    for number, fault in json.loads(path.read_text(encoding="utf-8"))["faults"].items():
        lines += [f"- {number}: {miss.replace('|', '/')}\n" for miss in fault["misses"]]
        left = fault["all"] - fault["passed"] - len(fault["misses"])
        lines += [f"- {number}: … and {left} more\n"] if left else []
    return "".join(lines) or "None.\n"


def proofs() -> str:
    path = ROOT / "chaos" / "scorecard.json"
    if not path.is_file():
        return "_No figures yet: `make chaos` writes them._\n"
    card = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        [number, name, value] for number, fault in card["faults"].items() for name, value in fault["figures"].items()
    ]
    return table(["", "figure", ""], rows)


PARTS: dict[str, Callable[[], str]] = {
    part.__name__: part
    for part in (
        order,
        grows,
        life,
        errors,
        taxonomy,
        ignorable,
        matrix,
        settings,
        commands,
        faults,
        metrics,
        decisions,
        example_eventsource,
        example_fetch,
        resume_cost,
        measured,
        parsers,
        scorecard,
        proofs,
        misses,
    )
}


def main() -> int:
    check = "--check" in sys.argv
    stale = []
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if not path.is_file():
            continue
        old = path.read_text(encoding="utf-8")
        new = MARKED.sub(lambda match: match[1] + PARTS[match[2]]() + match[3], old)
        if new != old:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(new, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'out of date, run `make docs`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
