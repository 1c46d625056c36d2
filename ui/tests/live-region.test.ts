import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { LiveRegion } from "../src/live-region.ts";
import { spoken } from "../src/spoken.ts";
import { SAMPLES } from "./support/samples.ts";

describe("Markdown as it is read out", () => {
  test.each([
    ["One. Two", "One."],
    ["One. Two!\n", "One. Two!"],
    ["Version 1.2 is", ""],
    ["**Bold** and `code` in a_b_c, _so_.\n", "Bold and code in a_b_c, so."],
    ["# Title\n- first\n- second\n> said\n", "Title first second said"],
    ["See [the docs](https://x.example/y). ", "See the docs."],
    ["Try:\n```py\nprint(1)\n```\nDone.\n", "Try: Code listing. Done."],
    ["Try:\n```py\nprint(1)\nx.\n", "Try: Code listing."],
    ['{"title":"Thin. Two', "title: Thin."],
    ['{\n "title": "Thin",\n "steps": [\n  "Stir\\nwell",\n', "title: Thin, steps: Stir well,"],
    ["[the docs](https://x.example/y). So", "the docs."],
    ["| a | b |\n|---|--:|\n| 1 | 2 |\n", "a, b. 1, 2."],
  ])("%j so far: %j", (text, words) => {
    expect(spoken(text, false)).toBe(words);
  });

  test("what has been read out stays true as the text grows", () => {
    const stable = ["paragraphs", "fences", "tables", "a fence in a list", "tasks"] as const;
    for (const name of stable) {
      const text = SAMPLES[name] ?? "";
      let before = "";
      for (let at = 0; at <= text.length; at += 1) {
        const now = spoken(text.slice(0, at), at === text.length);
        expect(now.startsWith(before), `${name} at ${at}: ${before} | ${now}`).toBe(true);
        before = now;
      }
    }
  });
});

describe("the live region", () => {
  let node: HTMLElement;
  let updates: Array<{ at: number; text: string }>;
  let region: LiveRegion;

  beforeEach(() => {
    vi.useFakeTimers();
    node = document.createElement("div");
    updates = [];
    Object.defineProperty(node, "textContent", {
      set: (text: string) => updates.push({ at: performance.now(), text }),
    });
    region = new LiveRegion(node);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("changes at most once a second, however many tokens come, and says everything once", () => {
    region.begin("");
    const sentences = Array.from({ length: 40 }, (_, i) => `Sentence number ${i}.`);
    const text = sentences.join(" ");
    for (let at = 1; at <= text.length; at += 3) {
      region.follow(text.slice(0, at), false);
      vi.advanceTimersByTime(20);
    }
    region.follow(text, true);
    region.say("Answer complete.");
    vi.advanceTimersByTime(5000);
    const gaps = updates.slice(1).map(({ at }, i) => at - (updates[i]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1000);
    expect(updates.map((update) => update.text).join(" ")).toBe(`Answering… ${text} Answer complete.`);
  });

  test("says only what is new after a reload", () => {
    region.begin("Old. Older");
    vi.advanceTimersByTime(1000);
    region.follow("Old. Older. New. ", false);
    vi.advanceTimersByTime(1000);
    expect(updates.map(({ text }) => text)).toEqual(["Answering…", ". New."]);
  });

  test("a very long piece is cut", () => {
    region.begin("");
    region.follow("word ".repeat(500), true);
    vi.advanceTimersByTime(3000);
    expect(updates[0]?.text.length).toBeLessThan(700);
  });
});
