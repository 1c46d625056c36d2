"""Show a structured answer field by field while it is being written.

    python examples/partial.py "Which river is it?" [model]

The answer comes from the Tailrace server at TAILRACE_URL (http://127.0.0.1:8484), by default from its first model.
"""

import sys

from pydantic import BaseModel

import tailrace


class Place(BaseModel):
    name: str
    depth: int


class River(BaseModel):
    title: str
    rows: list[Place]


def main() -> None:
    question = sys.argv[1] if len(sys.argv) > 1 else "Which river is it?"
    with tailrace.Client() as client:
        model = sys.argv[2] if len(sys.argv) > 2 else client.models()[0].id
        with client.stream(model=model, messages=question, output=River) as answer:
            for partial in answer.partial():
                print(f"\r{partial.title}: {len(partial.rows or [])} places", end="", flush=True)
            river = answer.get_final_output()
    print(f"\ndeepest: {max(place.depth for place in river.rows)}")


if __name__ == "__main__":
    try:
        main()
    except tailrace.InvalidOutput as error:
        sys.exit(f"\n[no river: {error}]")
