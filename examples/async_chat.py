"""Chat, one line at a time; the conversation is kept. End with Ctrl-D.

python examples/async_chat.py [model]
"""

import asyncio
import sys
from typing import Any

import tailrace
from tailrace.events import TextDelta, ThinkingDelta


async def main() -> None:
    conversation: list[Any] = []
    async with tailrace.AsyncClient() as client:
        model = sys.argv[1] if len(sys.argv) > 1 else (await client.models())[0].id
        while line := await asyncio.to_thread(sys.stdin.readline):
            conversation.append({"role": "user", "content": line.strip()})
            async with client.stream(model=model, messages=conversation, max_tokens=300) as answer:
                async for event in answer:
                    if isinstance(event, TextDelta):
                        print(event.text, end="", flush=True)
                    elif isinstance(event, ThinkingDelta):
                        print(event.text, end="", flush=True, file=sys.stderr)
            print()
            conversation.append(answer.message)


if __name__ == "__main__":
    asyncio.run(main())
