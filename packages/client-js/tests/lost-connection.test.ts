import { describe, expect, test } from "vitest";

import { RECONNECT, Relay, textOf } from "../src/index.ts";
import { answer, frame, type Connection } from "./support/fake-relay.ts";
import { WORDS, TEXT, QUICK, BODY, relayThat, read, deltas, ends, kinds } from "./support/reading.ts";

describe("a lost connection", () => {
  const total = answer(WORDS).length;

  test.each(["reset", "close"] as const)("at any frame (%s) gives each token exactly once", async (then) => {
    for (let frames = 0; frames < total; frames += 1) {
      const relay = await relayThat([{ frames, then }, {}]);
      const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
      expect(deltas(told)).toEqual(WORDS);
      expect(ends(told)).toEqual([{ type: "end", ending: "completed", error: null }]);
      expect(relay.seen.map((s) => [s.method, s.url, s.lastEventId])).toEqual([
        ["POST", "/v1/messages", undefined],
        ["GET", `/streams/${relay.id}`, frames === 0 ? undefined : String(frames)],
      ]);
      expect(kinds(told).filter((kind) => kind === "reconnecting" || kind === "open")).toEqual([
        "open",
        "reconnecting",
        "open",
      ]);
    }
  });

  test("at any byte of a frame loses and repeats nothing", async () => {
    const size = Buffer.byteLength(`id: 8\n${frame(answer(WORDS)[7] ?? {})}`);
    for (let bytes = 1; bytes < size; bytes += 1) {
      const relay = await relayThat([{ frames: 7, bytes, then: "reset" }, {}]);
      const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
      expect(deltas(told)).toEqual(WORDS);
    }
  });

  test("on every frame still gives the whole text", async () => {
    const relay = await relayThat([{ frames: 1, then: "reset" }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(textOf(told.message)).toBe(TEXT);
    expect(relay.seen).toHaveLength(total);
  });

  test("frames that come twice are told once", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, { repeat: true }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(deltas(told)).toEqual(WORDS);
  });

  test("a frame that is missing is an error, not a shorter text", async () => {
    const relay = await relayThat([{ preamble: `id: 3\n${frame({ type: "ping" })}` }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "failed", error: { kind: "protocol" } }]);
  });

  test("heartbeats without a number pass and move nothing", async () => {
    const preamble = `: hb\n\n${frame({ type: "ping" })}retry: 1\n\n`;
    const relay = await relayThat([{ preamble, frames: 5, then: "reset" }, { preamble }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(deltas(told)).toEqual(WORDS);
    expect(relay.seen[1]?.lastEventId).toBe("5");
  });

  test.each([503, 429, 500, 408])("a passing %i on the way back is tried again", async (status) => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, { status }, { status }, {}]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(deltas(told)).toEqual(WORDS);
    const tries = told.events.flatMap((e) => (e.type === "reconnecting" ? [e.attempt] : []));
    expect(tries).toEqual([1, 2, 3]);
  });

  test("that cannot be taken up ends as interrupted, and says that resuming may work later", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, { status: 503 }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([
      { ending: "interrupted", error: { kind: "unreachable", retryable: true, resumable: true } },
    ]);
    expect(deltas(told)).toEqual(WORDS.slice(0, 2));
  });

  test("of a stream that is gone ends as interrupted", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, { status: 404 }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([
      { ending: "interrupted", error: { kind: "not_found", resumable: false, retryable: false } },
    ]);
  });

  test("204 means nothing more: the message says how it ended", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, { status: 204 }]);
    relay.message = { status: 200, body: { id: relay.id, ending: "timed_out", message: {} } };
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "timed_out", error: { kind: "timeout" } }]);
  });

  test("204 with nobody to ask is interrupted, never a success", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, { status: 204 }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "interrupted" }]);
  });

  test("without a stream id is truncated: nothing can be taken up", async () => {
    const relay = await relayThat([{ frames: 4, then: "close", headers: { "tailrace-stream-id": "" } }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "truncated", error: { kind: "truncated" } }]);
    expect(relay.seen).toHaveLength(1);
  });

  test("that is silent counts as lost", async () => {
    const relay = await relayThat([{ frames: 4, then: "hang" }, {}]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, { ...QUICK, idleMs: 20 }));
    expect(deltas(told)).toEqual(WORDS);
  });

  test("an outage is measured from its own beginning, not from the stream's", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, {}]);
    const now = (): number => performance.now() + 1_000_000;
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, { ...QUICK, now }));
    expect(deltas(told)).toEqual(WORDS);
  });

  test("a connection that lived a while is no failed try, even if the model only thought", async () => {
    const silent: Connection = { frames: 0, then: "close", preamble: ": hb\n\n" };
    const relay = await relayThat([{ frames: 4, then: "reset" }, ...Array<Connection>(8).fill(silent), {}]);
    let clock = 0;
    const now = (): number => (clock += 3000);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, { ...QUICK, now }));
    expect(deltas(told)).toEqual(WORDS);
    expect(new Set(told.events.flatMap((e) => (e.type === "reconnecting" ? [e.attempt] : [])))).toEqual(
      new Set([1]),
    );
  });

  test("is tried again at once when the page wakes up", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, {}]);
    const slow = { policy: { ...RECONNECT, baseMs: 60_000, capMs: 60_000 }, random: () => 0 };
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, slow);
    const told = await read(stream, (event) => {
      if (event.type === "reconnecting") queueMicrotask(() => setImmediate(() => stream.wake()));
    });
    expect(deltas(told)).toEqual(WORDS);
  });
});
