/** What happens where it cannot simply go on: no answer came, a place or a stream is gone, the answer begins anew. */

import { describe, expect, test } from "vitest";

import { Relay, textOf, type OnDisconnect } from "../src/index.ts";
import { answer, type Connection, type FakeRelay } from "./support/fake-relay.ts";
import { BODY, deltas, ends, kinds, QUICK, read, relayThat, TEXT, WORDS } from "./support/reading.ts";

const keys = (relay: FakeRelay): unknown[] => relay.seen.map(({ headers }) => headers["idempotency-key"]);
const RELAY_FULL: Connection = {
  status: 503,
  headers: { "retry-after": "0" },
  body: JSON.stringify({
    error: { type: "overloaded_error", message: "no room" },
    tailrace: { kind: "overloaded" },
  }),
};

describe("a request of whose answer nothing came", () => {
  test.each<[string, Connection]>([
    ["the connection died", { then: "drop" }],
    ["the relay was full", RELAY_FULL],
  ])("is sent again under the same key: %s", async (_, lost) => {
    const relay = await relayThat([lost, lost, {}]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(deltas(told)).toEqual(WORDS);
    expect(relay.seen.map(({ method }) => method)).toEqual(["POST", "POST", "POST"]);
    expect(new Set(keys(relay)).size).toBe(1);
    expect(String(keys(relay)[0])).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(relay.seen.map(({ body }) => body)).size).toBe(1);
    expect(kinds(told).filter((kind) => kind === "reconnecting" || kind === "open")).toEqual([
      "reconnecting",
      "reconnecting",
      "open",
    ]);
  });

  test("is not sent for ever", async () => {
    const relay = await relayThat([{ then: "drop" }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([
      { ending: "failed", error: { kind: "unreachable", resumable: false } },
    ]);
    expect(relay.seen).toHaveLength(3);
  });

  test("ends with what the relay said when it stays full", async () => {
    const relay = await relayThat([RELAY_FULL]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([
      { ending: "failed", error: { kind: "overloaded", message: "no room" } },
    ]);
    expect(relay.seen).toHaveLength(3);
  });

  test.each<[string, Connection]>([
    ["a refusal", { status: 422, body: "{}" }],
    ["a pause that is too long", { status: 503, headers: { "retry-after": "3600" } }],
    ["a pause nobody named", { status: 503 }],
  ])("is not sent again after %s", async (_, refusal) => {
    const relay = await relayThat([refusal, {}]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "failed" }]);
    expect(relay.seen).toHaveLength(1);
  });

  test("each stream has a key of its own, or the caller's; the answer says whether it joined", async () => {
    const relay = await relayThat([{}, {}, { headers: { "idempotent-replayed": "true" } }]);
    const client = new Relay({ baseUrl: relay.url });
    const streams = [client.stream(BODY, QUICK), client.stream(BODY, QUICK)];
    streams.push(client.stream(BODY, { ...QUICK, idempotencyKey: "order 7" }));
    for (const stream of streams) await read(stream);
    expect(new Set(keys(relay)).size).toBe(3);
    expect(keys(relay)[2]).toBe("order 7");
    expect(streams.map(({ joined }) => joined)).toEqual([false, false, true]);
  });
});

test.each<[OnDisconnect | undefined, string | undefined]>([
  [undefined, undefined],
  ["detach", "detach"],
  [{ policy: "cancel", seconds: 5 }, "cancel; seconds=5"],
  [{ policy: "drain" }, "drain"],
  [{ policy: "drain", seconds: 30, tokens: 500 }, "drain; seconds=30; tokens=500"],
])("what a disconnect does is said in a header: %j", async (onDisconnect, header) => {
  const relay = await relayThat([{ frames: 3, then: "reset" }, {}]);
  const options = { ...QUICK, ...(onDisconnect !== undefined && { onDisconnect }) };
  await read(new Relay({ baseUrl: relay.url }).stream(BODY, options));
  expect(relay.seen.map(({ headers }) => headers["tailrace-on-disconnect"])).toEqual([header, undefined]);
});

test.each(["cursor_reset", "cursor_trimmed"])(
  "a place that is lost (%s) is not passed over",
  async (code) => {
    const body = JSON.stringify({ error: { type: "conflict_error", message: "no" }, tailrace: { code } });
    const relay = await relayThat([
      { frames: 4, then: "reset" },
      { status: 410, body },
    ]);
    const stream = new Relay({ baseUrl: relay.url }).stream(BODY, QUICK);
    const told = await read(stream);
    expect(ends(told)).toMatchObject([
      {
        ending: "interrupted",
        error: { kind: "conflict", code: expect.any(String), status: 410, resumable: false },
      },
    ]);
    expect(deltas(told)).toEqual(WORDS.slice(0, 2));
    expect(stream.cursor).toBe(4);
    expect(relay.seen).toHaveLength(2);
  },
);

describe("an answer that begins anew", () => {
  const RESTARTED = [
    ...answer(["Grass ", "is gr"]).slice(0, 4),
    { type: "tailrace.reset", reason: "truncated" },
    ...answer(WORDS),
  ];

  test("says so, and the message is that of the new one", async () => {
    const relay = await relayThat([{}], RESTARTED);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, { ...QUICK, restarts: true }));
    expect(told.events.filter(({ type }) => type === "reset")).toEqual([
      { type: "reset", reason: "truncated" },
    ]);
    const place = told.events.findIndex(({ type }) => type === "reset");
    expect(deltas({ ...told, events: told.events.slice(place) })).toEqual(WORDS);
    expect(textOf(told.message)).toBe(TEXT);
    expect(relay.seen[0]?.headers["tailrace-restart"]).toBe("accept");
  });

  test("over a connection that is lost at any frame", async () => {
    for (let frames = 0; frames < RESTARTED.length; frames += 1) {
      const relay = await relayThat([{ frames, then: "close" }, {}], RESTARTED);
      const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
      expect(textOf(told.message)).toBe(TEXT);
      expect(told.events.filter(({ type }) => type === "reset")).toHaveLength(1);
    }
  });

  test("text() returns the new one only", async () => {
    const relay = await relayThat([{}], RESTARTED);
    expect(await new Relay({ baseUrl: relay.url }).stream(BODY, { ...QUICK, restarts: true }).text()).toBe(
      TEXT,
    );
  });

  test("in words that nobody can read is an error", async () => {
    const relay = await relayThat([{ preamble: "id: 1\nevent: tailrace.reset\ndata: [\n\n" }]);
    const told = await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(ends(told)).toMatchObject([{ ending: "failed", error: { kind: "protocol" } }]);
  });

  test("is not asked for by itself", async () => {
    const relay = await relayThat([{}]);
    await read(new Relay({ baseUrl: relay.url }).stream(BODY, QUICK));
    expect(relay.seen[0]?.headers["tailrace-restart"]).toBe(undefined);
  });
});

test("a view token stands for the key, to read and to stop", async () => {
  const relay = await relayThat([{ frames: 4, then: "reset" }, {}]);
  const client = new Relay({ baseUrl: relay.url, token: "vt1.stop-1.x", headers: { "x-page": "1" } });
  const told = await read(client.resume(relay.id, 0, QUICK));
  await client.stop(relay.id);
  expect(deltas(told)).toEqual(WORDS);
  expect(relay.seen).toHaveLength(3);
  expect(new Set(relay.seen.map(({ headers }) => headers.authorization))).toEqual(
    new Set(["Bearer vt1.stop-1.x"]),
  );
});

test("a token is asked for with what it is to be good for", async () => {
  const asked: Array<{ url: string; init: RequestInit | undefined }> = [];
  const said = { token: "vt1.read-9.x", stream: "a/b", scope: "read", expires: 9 };
  const fetch: typeof globalThis.fetch = (input, init) => {
    asked.push({ url: String(input), init });
    return Promise.resolve(Response.json(said, { status: 201 }));
  };
  const client = new Relay({ baseUrl: "http://relay.test/", fetch });
  expect(await client.share("a/b", { seconds: 60 })).toEqual(said);
  expect(asked[0]?.url).toBe("http://relay.test/streams/a%2Fb/tokens");
  expect(asked[0]?.init?.method).toBe("POST");
  expect(JSON.parse(String(asked[0]?.init?.body))).toEqual({ seconds: 60, scope: "read" });
});
