import { describe, expect, test } from "vitest";

import {
  all,
  answerText,
  ask,
  lastRequest,
  one,
  open,
  press,
  server,
  settle,
  type,
  usePage,
  visible,
} from "./support/page.ts";

usePage();

describe("asking", () => {
  test("Enter sends, the answer grows, and its numbers follow", async () => {
    await ask("Why?");
    expect(one("question").textContent).toBe("Why?");
    expect(one<HTMLTextAreaElement>("composer").value).toBe("");
    server.begin();
    server.say("Because of **the air**");
    await settle();
    expect(answerText()).toBe("Because of the air");
    expect(one("log").getAttribute("aria-busy")).toBe("true");
    await settle(1000);
    server.say(" it is.");
    server.complete();
    await settle();
    expect(one("answer").querySelector("strong")?.textContent).toBe("the air");
    expect(one("metrics").textContent).toMatch(
      /^sim-1 · .* to first token · [\d.]+ tokens\/s · 5 tokens in · 9 out$/,
    );
    expect(one("log").getAttribute("aria-busy")).toBe("false");
    expect(one("status").textContent).toBe("Ready");
    expect(lastRequest()).toMatchObject({
      model: "sim/one",
      messages: [{ role: "user", content: "Why?" }],
      stream: true,
    });
  });

  test("Shift+Enter, and Enter inside an input method, do not send", async () => {
    type("draft");
    press("Enter", { shiftKey: true });
    press("Enter", { isComposing: true });
    await settle();
    expect(server.paths()).toEqual(["GET /v1/models"]);
  });

  test("the next request carries the conversation", async () => {
    await ask("One?");
    server.begin();
    server.say("1");
    server.complete();
    await settle();
    server.refusals = [() => new Response(null, { status: 500 })];
    await ask("Two?");
    expect(lastRequest()).toMatchObject({
      messages: [
        { role: "user", content: "One?" },
        { role: "assistant", content: "1" },
        { role: "user", content: "Two?" },
      ],
    });
  });

  test("a sample prompt asks it", async () => {
    all("sample")[0]?.click();
    await settle();
    expect(one("question").textContent).toBe("Why is the sky blue?");
    expect(visible("empty")).toBe(false);
  });

  test("says which models are simulated or local, and remembers the choice", async () => {
    expect(one("model-note").textContent).toBe("simulated");
    const select = one<HTMLSelectElement>("model");
    select.value = "demo/tiny";
    select.dispatchEvent(new Event("change"));
    expect(one("model-note").textContent).toBe("local model");
    await open();
    expect(one<HTMLSelectElement>("model").value).toBe("demo/tiny");
    await ask("x");
    expect(lastRequest()).toMatchObject({ model: "demo/tiny", max_tokens: 1024 });
  });
});

describe("stopping", () => {
  test("Send is Stop at once, and Stop is Send at once; nothing is printed after it", async () => {
    type("Why?");
    press("Enter");
    expect([visible("send"), visible("stop")]).toEqual([false, true]);
    await settle();
    server.begin();
    server.say("one two");
    await settle();
    press("Escape");
    expect([visible("send"), visible("stop"), visible("stopped-badge")]).toEqual([true, false, true]);
    server.say(" three");
    await settle(500);
    expect(answerText()).toBe("one two");
    expect(server.paths().at(-1)).toBe("POST /streams/st_fake/stop");
    server.push({
      type: "error",
      error: { type: "api_error", message: "stopped" },
      tailrace: { ending: "cancelled" },
    });
    await settle();
    expect(visible("error")).toBe(false);
    await open();
    expect(answerText()).toBe("one two");
    expect(visible("stopped-badge")).toBe(true);
  });

  test("before the relay has named the stream is queued and honoured", async () => {
    server.holdHead = true;
    await ask("Why?");
    one("stop").click();
    await settle();
    expect(visible("send")).toBe(true);
    expect(server.paths().at(-1)).toBe("POST /v1/messages");
    server.release();
    await settle();
    expect(server.paths().at(-1)).toBe("POST /streams/st_fake/stop");
    server.begin();
    server.say("late");
    await settle();
    expect(answerText()).toBe("");
  });

  test("keeps the focus on the page", async () => {
    type("Why?");
    one("send").focus();
    one("send").click();
    await settle();
    expect(document.activeElement).toBe(one("stop"));
    one("stop").click();
    await settle();
    expect(document.activeElement).toBe(one("composer"));
  });
});

describe("editing and starting anew", () => {
  test("ArrowUp edits the last message, Escape leaves it, Enter replaces it", async () => {
    await ask("first");
    server.begin();
    server.say("old");
    server.complete();
    await settle();
    press("ArrowUp");
    expect(one<HTMLTextAreaElement>("composer").value).toBe("first");
    expect(visible("editing")).toBe(true);
    press("Escape");
    expect(one<HTMLTextAreaElement>("composer").value).toBe("");
    press("ArrowUp");
    await ask("second");
    expect(one("question").textContent).toBe("second");
    expect(lastRequest()).toMatchObject({ messages: [{ role: "user", content: "second" }] });
  });

  test("New chat stops what is being written, and nothing of it comes back", async () => {
    await ask("Go");
    server.begin();
    server.say("one");
    await settle();
    press("O", { code: "KeyO", ctrlKey: true, shiftKey: true });
    await settle();
    expect(visible("empty")).toBe(true);
    expect(server.paths().at(-1)).toBe("POST /streams/st_fake/stop");
    server.say(" two");
    await settle(3000);
    await open();
    expect(all("answer")).toEqual([]);
  });
});
