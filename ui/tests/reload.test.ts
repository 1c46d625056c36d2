import { describe, expect, test } from "vitest";

import {
  answerText,
  ask,
  freshServer,
  one,
  open,
  press,
  server,
  settle,
  usePage,
  visible,
} from "./support/page.ts";

usePage();

describe("reload", () => {
  const TEXT = "# A title\n\nSome *words* in a row:\n\n```js\nlet x = 1;\n```\n\n- and\n- a list\n";

  async function uninterrupted(): Promise<string> {
    await ask("Go");
    server.begin();
    server.say(TEXT);
    server.complete();
    await settle();
    const html = one("answer").innerHTML;
    await freshServer();
    return html;
  }

  test("at any moment the answer goes on by itself to the same text", async () => {
    const whole = await uninterrupted();
    const words = TEXT.match(/\s*\S+\s*$|\s*\S+/g) ?? [];
    for (let at = 0; at <= words.length; at += 3) {
      await freshServer();
      await ask("Go");
      server.begin();
      for (const [i, word] of words.entries()) {
        if (i === at) await open();
        server.say(word);
        await settle(17);
      }
      server.complete();
      await settle();
      expect(one("answer").innerHTML, `reloaded at ${at}`).toBe(whole);
      expect(visible("send")).toBe(true);
      expect(server.paths().filter((path) => path === "POST /v1/messages")).toHaveLength(1);
    }
  });

  test("Stop is there and works", async () => {
    await ask("Go");
    server.begin();
    server.say("one");
    await settle(600);
    await open();
    expect(visible("stop")).toBe(true);
    expect(answerText()).toBe("one");
    press("Escape");
    await settle();
    expect(server.paths().at(-1)).toBe("POST /streams/st_fake/stop");
  });

  test("after the relay has forgotten the answer keeps the text and says so", async () => {
    await ask("Go");
    server.begin();
    server.say("one");
    await settle(600);
    server.resumeStatus = 404;
    await open();
    expect(answerText()).toBe("one");
    expect(one("error").textContent).toContain("no longer has this answer");
    expect(visible("retry")).toBe(true);
  });

  const posts = () => server.asked.filter(({ method, path }) => method === "POST" && path === "/v1/messages");

  test("before the relay has named the stream asks again under the same key, and joins", async () => {
    server.holdHead = true;
    await ask("Go");
    server.begin();
    server.say("joined");
    server.holdHead = false;
    await open();
    server.complete();
    await settle();
    expect(answerText()).toBe("joined");
    const [first, second, ...more] = posts();
    expect(more).toEqual([]);
    expect(second).toEqual(first);
    expect(first?.key).toMatch(/^[0-9a-f]{32}$/);
    await ask("And?");
    expect(posts().at(-1)?.key).not.toBe(first?.key);
  });

  test("that makes the request fail on its way out is still a reload", async () => {
    server.refusals = [() => Promise.reject(new TypeError("Failed to fetch"))];
    await ask("Go");
    server.begin();
    server.say("found");
    await open();
    server.complete();
    await settle();
    expect(answerText()).toBe("found");
    expect(visible("error")).toBe(false);
    expect(new Set(posts().map(({ key }) => key)).size).toBe(1);
  });

  test("and Stop while the stream has no name yet is kept until it has", async () => {
    server.holdHead = true;
    await ask("Go");
    await open();
    press("Escape");
    await settle();
    expect(server.paths()).not.toContain("POST /streams/st_fake/stop");
    server.release();
    await settle();
    expect(server.paths()).toContain("POST /streams/st_fake/stop");
  });

  test("long after an unnamed question asks nothing, since that could be a new answer", async () => {
    server.holdHead = true;
    await ask("Go");
    await settle(1000);
    const kept = sessionStorage.getItem("tailrace.conversation") ?? "";
    const earlier = kept.replace(/"sentAt":(\d+)/, (_, at: string) => `"sentAt":${Number(at) - 300_000}`);
    sessionStorage.setItem("tailrace.conversation", earlier);
    await open();
    expect(visible("retry")).toBe(true);
    expect(posts()).toHaveLength(1);
    expect(server.paths().some((path) => path.startsWith("GET /streams/"))).toBe(false);
  });
});
