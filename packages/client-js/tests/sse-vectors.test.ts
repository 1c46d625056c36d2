/** The project's own vectors, which the Python decoder reads too; their format is in spec/sse/README.md. */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { SSE_LIMITS, SseLimitExceeded, SseParser, type ServerSentEvent } from "../src/index.ts";

interface Case {
  name: string;
  chunks?: string[];
  chunks_base64?: string[];
  last_event_id_before?: string;
  max_line?: number;
  max_event?: number;
  events: ServerSentEvent[];
  error?: "line" | "event";
  retry?: number | null;
  last_event_id?: string;
}

interface Outcome {
  events: ServerSentEvent[];
  error: string | undefined;
  retry: number | null;
  lastEventId: string;
}

const FOLDER = new URL("../../../spec/sse/", import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith(".json") && name !== "encode.json");

function run(vector: Case, chunks: readonly Uint8Array[]): Outcome {
  const limits = { line: vector.max_line ?? SSE_LIMITS.line, event: vector.max_event ?? SSE_LIMITS.event };
  const parser = new SseParser({ limits, lastEventId: vector.last_event_id_before ?? "" });
  const events: ServerSentEvent[] = [];
  let error: string | undefined;
  try {
    for (const chunk of chunks) events.push(...parser.feed(chunk));
    parser.feed(new Uint8Array()); // a limit passed after the last finished event is told by the next call
  } catch (caught) {
    if (!(caught instanceof SseLimitExceeded)) throw caught;
    error = caught.message.startsWith("a line") ? "line" : "event";
  }
  return { events, error, retry: parser.retry, lastEventId: parser.lastEventId };
}

function check(vector: Case, chunks: readonly Uint8Array[]): void {
  const outcome = run(vector, chunks);
  expect(outcome.events).toEqual(vector.events);
  expect(outcome.error).toBe(vector.error);
  if (vector.retry !== undefined) expect(outcome.retry).toBe(vector.retry);
  if (vector.last_event_id !== undefined) expect(outcome.lastEventId).toBe(vector.last_event_id);
}

test("the vectors are there", () => {
  expect(FILES.length).toBeGreaterThanOrEqual(7);
});

describe.each(FILES)("%s", (file) => {
  const { cases } = JSON.parse(readFileSync(new URL(file, FOLDER), "utf-8")) as { cases: Case[] };

  test.each(cases)("$name", (vector) => {
    const chunks = (vector.chunks ?? []).map((text) => new TextEncoder().encode(text));
    for (const text of vector.chunks_base64 ?? []) chunks.push(new Uint8Array(Buffer.from(text, "base64")));
    const whole = new Uint8Array(Buffer.concat(chunks));
    check(vector, chunks);
    for (let at = 0; at <= whole.length; at += 1) check(vector, [whole.subarray(0, at), whole.subarray(at)]);
    check(
      vector,
      Array.from(whole, (byte) => Uint8Array.of(byte)),
    );
  });
});
