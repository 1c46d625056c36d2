import { describe, expect, test } from "vitest";

import { Relay, TailraceError } from "../src/index.ts";

function relayWith(answer: () => Response | Promise<Response>, baseUrl: string | URL = "http://relay.test/") {
  const asked: Array<{ url: string; method: string; headers: Headers }> = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    asked.push({ url: String(input), method: init?.method ?? "GET", headers: new Headers(init?.headers) });
    return answer();
  };
  return { asked, relay: new Relay({ baseUrl, headers: { authorization: "Bearer k" }, fetch }) };
}

const ok = (body: unknown) => () => Response.json(body);

test.each([
  ["http://h/", "http://h/v1/models"],
  ["http://h", "http://h/v1/models"],
  ["http://h/ai", "http://h/ai/v1/models"],
  ["http://h/ai/?x=1#y", "http://h/ai/v1/models"],
])("a relay mounted at %s is asked at %s", async (base, url) => {
  const { asked, relay } = relayWith(ok({ data: [] }), base);
  await relay.models();
  expect(asked.map((one) => one.url)).toEqual([url]);
});

test("every request carries the relay's headers; ids are escaped", async () => {
  const { asked, relay } = relayWith(ok({ data: [], id: "a/b", ending: null, message: {} }));
  await relay.streams();
  await relay.message("a/b");
  await relay.stop("a/b");
  expect(asked.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
    "GET /streams",
    "GET /streams/a%2Fb/message",
    "POST /streams/a%2Fb/stop",
  ]);
  expect(asked.every(({ headers }) => headers.get("authorization") === "Bearer k")).toBe(true);
});

describe("what goes wrong is one kind of error", () => {
  test.each([
    [() => Response.json({ error: { type: "x", message: "gone" } }, { status: 404 }), "not_found", "gone"],
    [() => new Response("<h1>Bad gateway</h1>", { status: 502 }), "upstream", "the server answered 502"],
    [() => new Response("<h1>Hello</h1>"), "protocol", "v1/models did not answer with JSON"],
    [() => Promise.reject(new TypeError("fetch failed")), "unreachable", "the server could not be reached"],
  ])("%#", async (answer, kind, message) => {
    const caught: unknown = await relayWith(answer)
      .relay.models()
      .catch((error: unknown) => error);
    expect(caught).toBeInstanceOf(TailraceError);
    expect((caught as TailraceError).failure).toMatchObject({ kind, message });
  });
});
