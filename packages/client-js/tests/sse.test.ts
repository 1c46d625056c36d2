import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { SseLimitExceeded, SseParser } from "../src/index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("work is linear", () => {
  // Quadratic work on these sizes takes minutes; the time-out of the runner is the assertion.
  const SIZE = 3_000_000;

  test("in a line that drips in", () => {
    const parser = new SseParser();
    const drop = bytes("x");
    parser.feed(bytes("data: "));
    for (let i = 0; i < SIZE; i += 1) parser.feed(drop);
    expect(parser.feed(bytes("\n\n"))[0]?.data).toHaveLength(SIZE);
  });

  test.each(["\n", "\r", "\r\n"])("in many short lines of one chunk (%j)", (end) => {
    const lines = `data: x${end}`.repeat(SIZE / 10);
    expect(new SseParser().feed(bytes(lines + end))[0]?.data).toHaveLength((SIZE / 10) * 2 - 1);
  });
});

describe("after a limit", () => {
  test("the parser stays dead, and what it held is let go", () => {
    const parser = new SseParser({ limits: { line: 10, event: 10 } });
    expect(() => parser.feed(bytes("data: 0123456789"))).toThrow(SseLimitExceeded);
    expect(() => parser.feed(bytes("\n\ndata: a\n\n"))).toThrow("a line of more than 10 characters");
  });
});

/** web-platform-tests' own cases, where a copy of them is at hand. */
describe("web-platform-tests", () => {
  const folder =
    process.env["TAILRACE_CONFORMANCE"] ??
    new URL("../../../../shared/conformance", import.meta.url).pathname;
  const file = `${folder}/wpt-eventsource.jsonl`;

  test.skipIf(!existsSync(file))("every case, at every split", () => {
    let ran = 0;
    for (const line of readFileSync(file, "utf-8").trim().split("\n")) {
      const { input, expected, name, ...more } = JSON.parse(line) as {
        input: string;
        name: string;
        status: number;
        asserted: string;
        reconnect?: unknown[];
        expected: Array<{ type: string; data: string; lastEventId: string }>;
      };
      // What a connection does about statuses, content types and reconnections is not the parser's affair.
      if (more.reconnect !== undefined || more.status !== 200 || more.asserted === "fail-connection")
        continue;
      const whole = bytes(input);
      const wanted = expected.map(({ type, data, lastEventId }) => ({ type, data, id: lastEventId }));
      for (let at = 0; at <= whole.length; at += 1) {
        const parser = new SseParser();
        const events = [...parser.feed(whole.subarray(0, at)), ...parser.feed(whole.subarray(at))];
        expect(events, `${name} at ${at}`).toEqual(wanted);
      }
      ran += 1;
    }
    expect(ran).toBeGreaterThan(30);
  });
});
