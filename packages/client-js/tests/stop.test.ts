import { describe, expect, test } from "vitest";

import { RECONNECT, Relay, type StreamEvent } from "../src/index.ts";
import { answer, frame, type FakeRelay, type Connection } from "./support/fake-relay.ts";
import { relayThat as relayWith } from "./support/reading.ts";

const WORDS = ["one ", "two ", "three ", "four"];
const QUICK = {
  policy: { ...RECONNECT, baseMs: 1, capMs: 2, maxTries: 3 },
  random: () => 0,
  stopGraceMs: 30,
};
const BODY = { model: "m", max_tokens: 64, messages: [] };
const CLOSING = [
  frame({
    type: "message_delta",
    delta: {},
    usage: { output_tokens: 2 },
    tailrace: { usage_label: "estimated" },
  }),
  frame({
    type: "error",
    error: { type: "api_error", message: "stopped" },
    tailrace: { ending: "cancelled", kind: "cancelled", retryable: false },
  }),
];

const relayThat = (script: Connection[]): Promise<FakeRelay> => relayWith(script, answer(WORDS));
const stops = (relay: FakeRelay): number => relay.seen.filter(({ url }) => url.endsWith("/stop")).length;

describe("stop", () => {
  test("in the middle: the text stays, the closing events still come", async () => {
    const relay = await relayThat([{ frames: 4, then: "hang" }]);
    relay.onStop = CLOSING;
    relay.frames.length = 4; // the relay has not got further than that
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    const events: StreamEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === "text_delta" && event.text === WORDS[1]) void stream.stop();
    }
    expect(events.flatMap((event) => (event.type === "text_delta" ? [event.text] : []))).toEqual(
      WORDS.slice(0, 2),
    );
    expect(events.at(-2)).toMatchObject({ type: "usage", usage: { output: 2 }, label: "estimated" });
    expect(events.at(-1)).toMatchObject({ type: "end", ending: "cancelled", error: { kind: "cancelled" } });
    expect(stops(relay)).toBe(1);
  });

  test("before the id exists is kept and sent when it does", async () => {
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    const relay = await relayThat([{ frames: 0, then: "hang", until }]);
    relay.frames.length = 0;
    relay.onStop = CLOSING;
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    const stopped = stream.stop();
    expect(relay.seen).toEqual([]);
    setImmediate(release);
    const events: StreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events.at(-1)).toMatchObject({ type: "end", ending: "cancelled" });
    await expect(stopped).resolves.toBe("cancelled");
  });

  test("does not depend on the closing events", async () => {
    const relay = await relayThat([{ frames: 4, then: "hang" }]);
    relay.frames.length = 4;
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    let last: StreamEvent | undefined;
    for await (const event of stream) {
      last = event;
      if (event.type === "text_delta") void stream.stop();
    }
    expect(last).toMatchObject({ type: "end", ending: "cancelled" });
  });

  test("works while the connection is down, and again is the same stop", async () => {
    const relay = await relayThat([{ frames: 4, then: "reset" }, {}]);
    relay.frames.length = 4;
    relay.onStop = CLOSING;
    const slow = { ...QUICK, policy: { ...RECONNECT, baseMs: 60_000, capMs: 60_000 } };
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, slow);
    const events: StreamEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === "reconnecting") expect(stream.stop()).toBe(stream.stop());
    }
    expect(events.at(-1)).toMatchObject({ type: "end", ending: "cancelled" });
    expect(stops(relay)).toBe(1);
  });

  test("is sent again over a bad line", async () => {
    const relay = await relayThat([{ frames: 4, then: "hang" }]);
    relay.frames.length = 4;
    relay.onStop = CLOSING;
    relay.stopAnswers = [
      { status: 503, body: {} },
      { status: 500, body: {} },
    ];
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    for await (const event of stream) if (event.type === "text_delta") void stream.stop();
    expect(stream.ending).toBe("cancelled");
    expect(stops(relay)).toBe(3);
  });

  test("that comes too late leaves the answer complete, however long its rest takes", async () => {
    const relay = await relayThat([{ frames: 3, then: "reset" }, { status: 503 }, { status: 503 }, {}]);
    relay.stopAnswers = [{ status: 200, body: { id: relay.id, ending: "completed" } }];
    const policy = { ...RECONNECT, baseMs: 60 };
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, { ...QUICK, policy });
    const texts: string[] = [];
    for await (const event of stream) {
      if (event.type === "text_delta") texts.push(event.text);
      if (event.type === "reconnecting") void stream.stop();
    }
    expect(stream.ending).toBe("completed");
    expect(texts).toEqual(WORDS);
  });

  test("of a stream that never got an id resolves to how it ended", async () => {
    const relay = await relayThat([{ status: 401 }]);
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    const stopped = stream.stop();
    for await (const event of stream) expect(event.type).toBe("end");
    await expect(stopped).resolves.toBe("failed");
    expect(stops(relay)).toBe(0);
  });

  test("that another node has not confirmed is asked for again, and is no ending before it is one", async () => {
    const relay = await relayThat([{ frames: 4, then: "hang" }]);
    relay.frames.length = 4;
    const stopping = { status: 200, body: { id: relay.id, state: "stopping", ending: null } };
    relay.stopAnswers = [stopping, stopping]; // then it has, and the stream says so
    relay.onStop = CLOSING;
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    const events: StreamEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === "text_delta" && event.text === WORDS[1]) void stream.stop();
    }
    expect(events.at(-1)).toMatchObject({ type: "end", ending: "cancelled" });
    expect(stops(relay)).toBe(3);
  });

  test("that is never confirmed assumes nothing", async () => {
    const relay = await relayThat([{ frames: 4, then: "hang" }]);
    relay.frames.length = 4;
    relay.stopAnswers = Array.from({ length: 9 }, () => ({
      status: 200,
      body: { id: relay.id, state: "stopping", ending: null },
    }));
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    for await (const event of stream) {
      if (event.type !== "text_delta" || event.text !== WORDS[1]) continue;
      expect(await stream.stop()).toBe(null);
      break;
    }
    expect(stream.ending).toBe(null);
    expect(stops(relay)).toBeGreaterThan(1);
  });
});
