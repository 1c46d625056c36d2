import { describe, expect, test } from "vitest";

import { emptyMessage, fold, RECONNECT, Relay, TailraceError, type Message } from "../src/index.ts";
import { answer } from "./support/fake-relay.ts";
import { WORDS, TEXT, QUICK, BODY, relayThat, read, deltas, ends, kinds } from "./support/reading.ts";

describe("a whole answer", () => {
  test("comes as typed events and ends once, as completed", async () => {
    const relay = await relayThat([{}]);
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    const told = await read(stream);
    expect(kinds(told)).toEqual([
      "open",
      "message_start",
      "usage",
      "block_start",
      ...WORDS.map(() => "text_delta"),
      "block_stop",
      "usage",
      "finish",
      "end",
    ]);
    expect(told.events.at(-1)).toEqual({ type: "end", ending: "completed", error: null });
    expect(stream.id).toBe(relay.id);
    expect(stream.cursor).toBe(relay.frames.length);
    expect(stream.ending).toBe("completed");
    expect(told.message.usage).toEqual({ input: 7, output: WORDS.length, cacheRead: null, cacheWrite: null });
    expect(JSON.parse(relay.seen[0]?.body ?? "")).toEqual({ ...BODY, stream: true });
  });

  test("text() returns the words", async () => {
    const relay = await relayThat([{}]);
    await expect(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK).text()).resolves.toBe(TEXT);
  });

  test("can be iterated once only", async () => {
    const relay = await relayThat([{}]);
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    await read(stream);
    await expect(read(stream)).rejects.toThrow(TypeError);
  });
});

describe("taking up a stream by id and cursor", () => {
  test.each([0, 1, 5])("after %i gives the rest", async (after) => {
    const relay = await relayThat([{}]);
    const told = await read(new Relay({ baseUrl: relay.url }).resume(relay.id, after, QUICK));
    expect(deltas(told)).toEqual(WORDS.slice(Math.max(0, after - 2)));
    expect(told.events[0]).toEqual({ type: "open", streamId: relay.id, resumed: true });
  });

  test("text and cursor kept together at any moment make the same text", async () => {
    const relay = await relayThat([{}]);
    const client = new Relay({ baseUrl: relay.url });
    const kept: Array<{ message: string; cursor: number }> = [];
    const live = emptyMessage();
    const stream = client.stream(BODY, QUICK);
    await read(stream, (event) => {
      fold(live, event);
      kept.push({ message: JSON.stringify(live), cursor: stream.cursor });
    });
    for (const { message, cursor } of kept.slice(0, -1)) {
      const copy = JSON.parse(message) as Message;
      await read(client.resume(relay.id, cursor, QUICK), (event) => fold(copy, event));
      expect(copy).toEqual(live);
    }
  });
});

describe("errors", () => {
  test("in the stream end it with the relay's own word", async () => {
    const error = {
      type: "error",
      error: { type: "overloaded_error", message: "busy" },
      tailrace: { ending: "truncated", kind: "truncated", retryable: true },
    };
    const relay = await relayThat([{}], [...answer(WORDS).slice(0, 5), error]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([
      { ending: "truncated", error: { kind: "truncated", message: "busy", code: "overloaded_error" } },
    ]);
    expect(deltas(told)).toEqual(WORDS.slice(0, 3));
    expect(relay.seen).toHaveLength(1);
  });

  test("before the stream carry status, code and the time to wait", async () => {
    const body = JSON.stringify({ type: "error", error: { type: "rate_limit_error", message: "slow down" } });
    const relay = await relayThat([{ status: 429, headers: { "retry-after": "7" }, body }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(told.events).toEqual([
      {
        type: "end",
        ending: "failed",
        error: {
          kind: "rate_limit",
          message: "slow down",
          code: "rate_limit_error",
          status: 429,
          retryable: true,
          retryAfterMs: 7000,
          resumable: false,
        },
      },
    ]);
    expect(relay.seen).toHaveLength(1); // a generation is never asked for twice by itself
  });

  test("nobody there: failed, retryable", async () => {
    const relay = await relayThat([{}]);
    const { url } = relay;
    await relay.close();
    const told = await read(new Relay({ baseUrl: url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "failed", error: { kind: "unreachable", retryable: true } }]);
  });

  test.each([
    ["a page instead of a stream", { headers: { "content-type": "text/html" } }],
    ["data that is not JSON", { preamble: "id: 1\nevent: message_start\ndata: {\n\n" }],
  ])("%s is a protocol error", async (_, plan) => {
    const relay = await relayThat([plan]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "failed", error: { kind: "protocol", retryable: false } }]);
  });

  test("text() throws them", async () => {
    const relay = await relayThat([{ status: 401 }]);
    const text = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK).text();
    await expect(text).rejects.toThrow(TailraceError);
  });
});

describe("abort", () => {
  test("throws the signal's reason, also between two tries", async () => {
    for (const script of [
      [{ frames: 4, then: "hang" }],
      [{ frames: 4, then: "reset" }, { status: 503 }],
    ] as const) {
      const relay = await relayThat([...script]);
      const controller = new AbortController();
      const policy = { ...RECONNECT, baseMs: 60_000, capMs: 60_000 };
      const stream = new Relay({ baseUrl: relay.url }).stream(BODY, { policy, signal: controller.signal });
      const reading = read(stream, (event) => {
        const last = script.length === 1 ? event.type === "text_delta" : event.type === "reconnecting";
        if (last) setImmediate(() => controller.abort(new Error("enough")));
      });
      await expect(reading).rejects.toThrow("enough");
      expect(stream.ending).toBeNull(); // how the generation ends is not this reader's to say
    }
  });

  test("before the start sends nothing", async () => {
    const relay = await relayThat([{}]);
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, {
      signal: AbortSignal.abort(new Error("no")),
    });
    await expect(read(stream)).rejects.toThrow("no");
    expect(relay.seen).toEqual([]);
  });
});
