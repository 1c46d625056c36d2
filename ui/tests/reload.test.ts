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

  /** The stream as the relay lists it. */
  const mine = () => ({ id: server.id, dialect: "anthropic", created: Date.now() / 1000 - 0.05, model: "m" });

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

  test("before the relay has named the stream finds it among the reader's own", async () => {
    server.holdHead = true;
    await ask("Go");
    server.streams = [mine()];
    server.begin();
    server.say("found");
    await open();
    server.complete();
    await settle();
    expect(answerText()).toBe("found");
  });

  test("that makes the request fail on its way out is still a reload", async () => {
    server.refusals = [() => Promise.reject(new TypeError("Failed to fetch"))];
    await ask("Go");
    server.streams = [mine()];
    server.begin();
    server.say("found");
    await open();
    server.complete();
    await settle();
    expect(answerText()).toBe("found");
    expect(visible("error")).toBe(false);
  });

  test("and Stop while it is still looking for the stream is kept until it is found", async () => {
    server.holdHead = true;
    await ask("Go");
    let found: () => void = () => undefined;
    server.streams = new Promise((resolve) => (found = () => resolve([mine()])));
    await open();
    press("Escape");
    await settle();
    expect(server.paths()).not.toContain("POST /streams/st_fake/stop");
    found();
    await settle();
    expect(server.paths()).toContain("POST /streams/st_fake/stop");
  });

  test("with two that it could be it guesses nothing", async () => {
    server.holdHead = true;
    await ask("Go");
    const created = Date.now() / 1000;
    server.streams = ["a", "b"].map((id) => ({ id, dialect: "anthropic", created, model: "sim/one" }));
    await open();
    expect(visible("retry")).toBe(true);
    expect(server.paths().some((path) => path.startsWith("GET /streams/"))).toBe(false);
  });
});
