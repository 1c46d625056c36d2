import { describe, expect, test } from "vitest";

import { nextDelay, parseRetryAfter, RECONNECT, resumeVerdict } from "../src/retry.ts";

const LOSS = { attempt: 1, outageMs: 0, retryAfterMs: null, streamRetryMs: null };

describe("the wait before the next try", () => {
  test.each([
    // attempt, random, delay
    [1, 0, 125],
    [1, 0.999, 250],
    [2, 0, 250],
    [3, 0, 500],
    [5, 0, 2000],
    [6, 0, 2000],
    [6, 0.999, 3998],
    [40, 0.5, 3000],
  ])("try %i at random %f waits %i ms", (attempt, random, delay) => {
    expect(nextDelay(RECONNECT, { ...LOSS, attempt }, random)).toBe(delay);
  });

  test.each([
    ["the stream's retry takes the place of the base", { streamRetryMs: 1000 }, 500],
    ["but not past the cap", { streamRetryMs: 60_000 }, 2000],
    ["a retry of 0 means at once", { streamRetryMs: 0 }, 0],
    ["Retry-After is a floor", { retryAfterMs: 7000 }, 7000],
    ["a shorter Retry-After changes nothing", { retryAfterMs: 10 }, 125],
    ["past the longest outage: give up", { outageMs: 90_000 }, null],
    ["a wait that would end past it: give up now", { outageMs: 89_000, retryAfterMs: 7000 }, null],
    ["past the most tries: give up", { attempt: 61 }, null],
  ])("%s", (_, loss, delay) => {
    expect(nextDelay(RECONNECT, { ...LOSS, ...loss }, 0)).toBe(delay);
  });

  test("a relay's usual grace of 30 s sees many tries", () => {
    let outageMs = 0;
    let tries = 0;
    while (outageMs < 30_000) {
      tries += 1;
      outageMs += nextDelay(RECONNECT, { ...LOSS, attempt: tries, outageMs }, 0.999) ?? Infinity;
    }
    expect(tries).toBeGreaterThan(8);
  });
});

test.each([
  [200, "stream"],
  [204, "drained"],
  [404, "gone"],
  [410, "misplaced"],
  [408, "later"],
  [429, "later"],
  [500, "later"],
  [502, "later"],
  [503, "later"],
  [529, "later"],
  [400, "refused"],
  [401, "refused"],
  [403, "refused"],
  [302, "refused"],
])("a resume answered %i means: %s", (status, verdict) => {
  expect(resumeVerdict(status)).toBe(verdict);
});

test.each([
  [null, null],
  ["3", 3000],
  [" 0.5 ", 500],
  ["-1", null],
  ["soon", null],
  ["Thu, 01 Jan 1970 00:01:00 GMT", 50_000],
  ["Thu, 01 Jan 1970 00:00:01 GMT", 0],
])("Retry-After %j is %s ms", (value, wanted) => {
  expect(parseRetryAfter(value, 10_000)).toBe(wanted);
});
