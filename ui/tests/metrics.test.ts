import { describe, expect, test } from "vitest";

import { newAnswer, type Answer } from "../src/chat.ts";
import { duration, metricsOf, timeToFirst, tokensPerSecond } from "../src/metrics.ts";

/** 41 tokens in two seconds, the first after 300 ms. */
function answer(change: (answer: Answer) => void = () => undefined): Answer {
  const made = newAnswer({ model: "route", max_tokens: 9, messages: [] }, 1000);
  made.message.model = "sim-1";
  made.message.usage = { input: 1000, output: 41, cacheRead: 200, cacheWrite: null };
  made.message.usageLabel = "exact";
  made.ending = "completed";
  Object.assign(made.timing, { firstAt: 1300, lastAt: 3300 });
  change(made);
  return made;
}

describe("the line under an answer", () => {
  test.each<[string, (answer: Answer) => void, string]>([
    [
      "all known",
      () => undefined,
      "sim-1 · 300 ms to first token · 20.0 tokens/s · 1,200 tokens in · 41 out",
    ],
    [
      "estimated",
      (a) => (a.message.usageLabel = "estimated"),
      "sim-1 · 300 ms to first token · ≈ 20.0 tokens/s · ≈ 1,200 tokens in · ≈ 41 out (estimated)",
    ],
    [
      "only the prompt's figure is known",
      (a) => (a.message.usageLabel = "unknown"),
      "sim-1 · 300 ms to first token · 1,200 tokens in · out unknown",
    ],
    [
      "nothing is known",
      (a) => (a.message.usage = { input: null, output: null, cacheRead: null, cacheWrite: null }),
      "sim-1 · 300 ms to first token · tokens unknown",
    ],
    [
      "read over two connections: how fast it was written is not known",
      (a) => (a.timing.broken = true),
      "sim-1 · 300 ms to first token · 1,200 tokens in · 41 out",
    ],
    ["still being written", (a) => (a.ending = null), "sim-1 · 300 ms to first token"],
    [
      "nothing came",
      (a) => {
        a.message.model = "";
        Object.assign(a.timing, { firstAt: null, lastAt: null });
      },
      "route · 1,200 tokens in · 41 out",
    ],
  ])("%s", (_, change, line) => {
    expect(metricsOf(answer(change)).join(" · ")).toBe(line);
  });
});

test("no speed is made up of one token, or of one piece", () => {
  expect(tokensPerSecond(answer((a) => (a.message.usage.output = 1)))).toBeNull();
  expect(tokensPerSecond(answer((a) => (a.timing.lastAt = 1301)))).toBeNull();
  expect(tokensPerSecond(answer((a) => (a.cut = true)))).toBeNull();
});

test("a clock that was set back gives no negative time", () => {
  expect(timeToFirst(answer((a) => (a.timing.firstAt = 900)))).toBe(0);
});

test.each([
  [0, "0 ms"],
  [999.4, "999 ms"],
  [999.6, "1.0 s"],
  [12_340, "12.3 s"],
  [59_960, "1 min 0 s"],
  [125_000, "2 min 5 s"],
])("%f ms is %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});
