import type { StreamEvent } from "@tailrace/client";
import { describe, expect, test } from "vitest";

import {
  apply,
  isEmpty,
  isLive,
  isStopped,
  newAnswer,
  toMessages,
  type Answer,
  type Turn,
} from "../src/chat.ts";

const text = (words: string): StreamEvent => ({ type: "text_delta", index: 0, text: words });
const end = (ending: "completed" | "cancelled"): StreamEvent => ({ type: "end", ending, error: null });

function answer(...events: StreamEvent[]): Answer {
  const made = newAnswer({ model: "m", max_tokens: 9, messages: [] }, 0);
  for (const [i, event] of events.entries()) apply(made, event, (i + 1) * 10);
  return made;
}

describe("an answer as it is written", () => {
  test("notes when the first and the last words came, and how long it thought", () => {
    const made = answer(
      { type: "open", streamId: "s", resumed: false },
      { type: "thinking_delta", index: 0, text: "h" },
      { type: "thinking_delta", index: 0, text: "m" },
      { type: "text_delta", index: 1, text: "a" },
      { type: "usage", usage: { input: 1, output: 2, cacheRead: null, cacheWrite: null }, label: "exact" },
    );
    expect(made.streamId).toBe("s");
    expect(made.timing).toMatchObject({
      firstAt: 20,
      lastAt: 40,
      thinkingFrom: 20,
      thinkingTo: 30,
      broken: false,
    });
    expect(made.message.usage.output).toBe(2);
    expect(isLive(made)).toBe(true);
  });

  test("takes no words after a stop, but its figures and its end", () => {
    const made = answer(text("one"));
    made.stopped = true;
    expect(isLive(made)).toBe(false);
    apply(made, text(" two"), 50);
    apply(made, { type: "block_start", index: 1, kind: "text", id: null, name: null }, 50);
    apply(
      made,
      { type: "usage", usage: { input: 1, output: 9, cacheRead: null, cacheWrite: null }, label: "exact" },
      50,
    );
    apply(made, end("completed"), 60);
    expect(made.message.blocks.map((block) => block.text)).toEqual(["one"]);
    expect(made).toMatchObject({ cut: true, ending: "completed", timing: { lastAt: 10 } });
    expect(made.message.usage.output).toBe(9);
    expect(isStopped(made)).toBe(true);
  });

  test("a stop after the last word stopped nothing", () => {
    const made = answer(text("all"));
    made.stopped = true;
    apply(made, end("completed"), 20);
    expect(isStopped(made)).toBe(false);
  });

  test("stopped elsewhere is stopped too", () => {
    expect(isStopped(answer(text("one"), end("cancelled")))).toBe(true);
  });

  test("a tool call without arguments is not nothing", () => {
    expect(isEmpty(answer())).toBe(true);
    expect(isEmpty(answer({ type: "block_start", index: 0, kind: "tool_call", id: "t", name: "f" }))).toBe(
      false,
    );
  });
});

describe("the request for the next answer", () => {
  const ask = (words: string): Turn => ({ role: "question", text: words });

  test.each<[string, Turn[], string[]]>([
    ["one question", [ask("a")], ["user: a"]],
    [
      "question and answer",
      [ask("a"), answer(text(" b \n")), ask("c")],
      ["user: a", "assistant: b", "user: c"],
    ],
    ["an answer that never came", [ask("a"), answer(), ask("c")], ["user: a", "user: c"]],
    [
      "a second try",
      [ask("a"), answer(text("half")), answer(text("whole")), ask("c")],
      ["user: a", "assistant: whole", "user: c"],
    ],
    [
      "a second try that brought nothing",
      [ask("a"), answer(text("half")), answer()],
      ["user: a", "assistant: half"],
    ],
  ])("%s", (_, turns, messages) => {
    expect(toMessages(turns).map(({ role, content }) => `${role}: ${content}`)).toEqual(messages);
  });
});
