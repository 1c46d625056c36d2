import { afterEach, describe, expect, test } from "vitest";

import {
  emptyMessage,
  fold,
  RECONNECT,
  Relay,
  TailraceError,
  textOf,
  type Message,
  type StreamEvent,
  type TailraceStream,
} from "../src/index.ts";
import { answer, FakeRelay, frame, type Connection } from "./support/fake-relay.ts";

const WORDS = ["The ", "sky ", "is ", "blue", " – ", "naïve 🎉", "."];
const TEXT = WORDS.join("");
const QUICK = { policy: { ...RECONNECT, baseMs: 1, capMs: 2, maxTries: 4 }, random: () => 0 };
const BODY = { model: "sim-1", max_tokens: 64, messages: [{ role: "user" as const, content: "Why?" }] };

const running: FakeRelay[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((relay) => relay.close()));
});

async function relayThat(script: Connection[], events = answer(WORDS)): Promise<FakeRelay> {
  const relay = await new FakeRelay(events, script).start();
  running.push(relay);
  return relay;
}

interface Told {
  message: Message;
  events: StreamEvent[];
}

async function read(
  stream: TailraceStream,
  each: (event: StreamEvent) => void = () => undefined,
): Promise<Told> {
  const told: Told = { message: emptyMessage(), events: [] };
  for await (const event of stream) {
    fold(told.message, event);
    told.events.push(event);
    each(event);
  }
  return told;
}

const deltas = ({ events }: Told): string[] =>
  events.flatMap((e) => (e.type === "text_delta" ? [e.text] : []));
const ends = ({ events }: Told) => events.filter((event) => event.type === "end");
const kinds = ({ events }: Told): string[] => events.map((event) => event.type);

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
    running.pop();
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
