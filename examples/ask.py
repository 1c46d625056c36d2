"""Ask one question and print the answer while it is being written.

    python examples/ask.py "Why is the sky blue?" [model]

The answer comes from the Tailrace server at TAILRACE_URL (http://127.0.0.1:8484), by default from its first model.
"""

import sys

import tailrace


def main() -> int:
    question = sys.argv[1] if len(sys.argv) > 1 else "Why is the sky blue?"
    with tailrace.Client() as client:
        model = sys.argv[2] if len(sys.argv) > 2 else client.models()[0].id
        with client.stream(model=model, messages=question, max_tokens=300) as answer:
            try:
                for text in answer.text_stream:
                    print(text, end="", flush=True)
            except tailrace.StreamError as error:
                # What came is still there: error.partial is the message so far.
                print(f"\n[{error.ending}: {error}]", file=sys.stderr)
                return 1
    print()
    print(f"[{answer.usage.output_tokens} tokens in {answer.timing.elapsed:.1f} s]", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
