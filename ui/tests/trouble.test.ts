import { describe, expect, test } from "vitest";

import { all, answerText, ask, one, server, settle, usePage, visible } from "./support/page.ts";

usePage();

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
