import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import HTML from "../index.html?raw";
import { App } from "../src/app.ts";
import { Store } from "../src/store.ts";
import { FakeServer } from "./support/fake-server.ts";

const BODY = /<body>([\s\S]*)<\/body>/.exec(HTML)?.[1] ?? "";

let server: FakeServer;
let listeners: Array<() => void> = [];

beforeEach(async () => {
  sessionStorage.clear();
  localStorage.clear();
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"],
  });
  // jsdom lays nothing out.
  vi.stubGlobal("matchMedia", () => ({ matches: true }));
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe(): void {}
    },
  );
  for (const target of [window, document]) {
    const { addEventListener } = target;
    vi.spyOn(target, "addEventListener").mockImplementation(
      (name: string, listener: EventListenerOrEventListenerObject) => {
        addEventListener.call(target, name, listener);
        listeners.push(() => target.removeEventListener(name, listener));
      },
    );
  }
  server = new FakeServer();
  await open();
});

afterEach(() => {
  for (const remove of listeners.splice(0)) remove();
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Loads the page, with what the tab has kept. The page before it hears that it goes away, and is gone. */
async function open(): Promise<void> {
  dispatchEvent(new Event("pagehide"));
  for (const remove of listeners.splice(0)) remove();
  vi.clearAllTimers();
  document.body.innerHTML = BODY;
  await new App(server.forNewPage(), new Store(sessionStorage, localStorage)).start();
  await settle();
}

/** Lets everything happen that is due within `ms`. */
async function settle(ms = 100): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

const all = (id: string): HTMLElement[] => [
  ...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`),
];
function one<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = all(id);
  expect(found, id).toHaveLength(1);
  return found[0] as T;
}
const visible = (id: string): boolean => all(id).some((node) => node.closest("[hidden]") === null);
const answerText = (): string => all("answer").at(-1)?.textContent?.trim() ?? "";

function press(key: string, more: KeyboardEventInit = {}): void {
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

function type(text: string): void {
  const box = one<HTMLTextAreaElement>("composer");
  box.focus();
  box.value = text;
  box.dispatchEvent(new Event("input"));
}

async function ask(text: string): Promise<void> {
  type(text);
  press("Enter");
  await settle();
}

const lastRequest = (): unknown =>
  JSON.parse(server.asked.findLast(({ path }) => path === "/v1/messages")?.body ?? "");

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
    sessionStorage.clear();
    server = new FakeServer();
    await open();
    return html;
  }

  test("at any moment the answer goes on by itself to the same text", async () => {
    const whole = await uninterrupted();
    const words = TEXT.match(/\s*\S+\s*$|\s*\S+/g) ?? [];
    for (let at = 0; at <= words.length; at += 3) {
      sessionStorage.clear();
      server = new FakeServer();
      await open();
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

describe("trouble", () => {
  test("a lost connection is a small banner, then goes on", async () => {
    await ask("Go");
    server.begin();
    server.say("one");
    await settle();
    server.resumeStatus = 503;
    server.cut();
    await settle(1500);
    expect(one("reconnecting").textContent).toMatch(/^reconnecting… \([2-5]\)$/);
    expect(visible("error")).toBe(false);
    server.resumeStatus = null;
    await settle(4000);
    server.say(" two");
    server.complete();
    await settle();
    expect(visible("reconnecting")).toBe(false);
    expect(answerText()).toBe("one two");
    expect(one("metrics").textContent).not.toContain("tokens/s"); // not measurable any more
  });

  test("one that cannot be taken up can be tried again by hand, without a second generation", async () => {
    await ask("Go");
    server.begin();
    server.say("one");
    await settle();
    server.resumeStatus = 503;
    server.cut();
    await settle(120_000);
    expect(one("error").textContent).toContain("No connection");
    server.resumeStatus = null;
    one("retry").click();
    server.say(" two");
    server.complete();
    await settle(500);
    expect(answerText()).toBe("one two");
    expect(all("answer")).toHaveLength(1);
    expect(server.paths().filter((path) => path === "POST /v1/messages")).toHaveLength(1);
  });

  test("an error in the stream: sentence, code and stream, one Retry, the text stays", async () => {
    await ask("Go");
    server.begin();
    server.say("partial");
    const error = { type: "overloaded_error", message: "busy" };
    server.push({
      type: "error",
      error,
      tailrace: { ending: "failed", kind: "overloaded", retryable: true },
    });
    await settle();
    expect(answerText()).toBe("partial");
    expect(one("error").textContent).toContain("The model is overloaded just now.");
    expect(one("reference").textContent).toBe("overloaded_error · st_fake");
    server.close();
    server.refusals = [() => Response.json({}, { status: 401 })];
    one("retry").click();
    await settle();
    expect(all("answer").map((node) => node.textContent)).toEqual(["partial\n", ""]);
    expect(all("retry")).toHaveLength(1);
  });

  test("a refusal with Retry-After counts down", async () => {
    server.refusals = [() => Response.json({}, { status: 429, headers: { "retry-after": "3" } })];
    await ask("Go");
    const retry = one<HTMLButtonElement>("retry");
    expect([retry.textContent, retry.disabled]).toEqual(["Retry in 3 s", true]);
    await settle(3000);
    expect([retry.textContent, retry.disabled]).toEqual(["Retry", false]);
    retry.click();
    await settle();
    expect(all("answer")).toHaveLength(1); // nothing had come: nothing is kept
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
