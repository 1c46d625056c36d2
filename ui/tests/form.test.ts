import type { Block } from "@tailrace/client";
import { describe, expect, test } from "vitest";

import { TextView } from "../src/text-view.ts";
import { ToolCard } from "../src/tool-card.ts";
import { all, ask, lastRequest, one, open, press, server, settle, usePage, visible } from "./support/page.ts";

const find = (root: HTMLElement, id: string): HTMLElement[] => [
  ...root.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`),
];
/** Rows without rows in them: `path: what is shown`. */
const leaves = (root: HTMLElement, id: string): string[] =>
  find(root, id)
    .filter((row) => row.querySelector(`[data-testid="${id}"]`) === null)
    .map((row) => `${row.dataset["path"]}: ${(row.querySelector("dd") ?? row).textContent}`);

describe("a text that is a document", () => {
  const SOURCE = '{"cook_time":25,"title":"Stew","parts":["a","b"],"inner":{"hot":true},"none":[]}';

  test("fills in field by field, and no row is ever made anew", () => {
    const view = new TextView();
    const seen: HTMLElement[] = [];
    for (let i = 1; i < SOURCE.length; i += 1) {
      view.update(SOURCE.slice(0, i), false);
      const rows = find(view.root, "field");
      expect(rows.slice(0, seen.length)).toEqual(seen);
      for (const [at, row] of seen.entries()) expect(rows[at]).toBe(row);
      seen.splice(0, Infinity, ...rows);
    }
    view.update(SOURCE, true);
    expect(leaves(view.root, "field")).toEqual([
      "/cook_time: 25",
      "/title: Stew",
      "/parts/0: a",
      "/parts/1: b",
      "/inner/hot: true",
      "/none: none",
    ]);
    expect([...view.root.querySelectorAll("dt")].map(({ textContent }) => textContent)).toEqual([
      "Cook time",
      "Title",
      "Parts",
      "Inner",
      "Hot",
      "None",
    ]);
    expect(find(view.root, "form-state")[0]?.textContent).toBe("Structured answer");
    expect(find(view.root, "form-note")[0]?.hidden).toBe(true);
  });

  test("is shown as it came at the press of a button", () => {
    const view = new TextView();
    view.update(SOURCE, true);
    const toggle = find(view.root, "form-raw")[0];
    const raw = view.root.querySelector("pre");
    const fields = view.root.querySelector<HTMLElement>(".fields");
    for (const pressed of [true, false]) {
      toggle?.click();
      expect(toggle?.getAttribute("aria-pressed")).toBe(String(pressed));
      expect([raw?.hidden, fields?.hidden]).toEqual([!pressed, pressed]);
    }
    expect(raw?.textContent).toBe(SOURCE);
  });

  test("and breaks off keeps its fields and says so", () => {
    const view = new TextView();
    view.update('{"title":"St', false);
    expect(view.root.querySelector(".growing")?.textContent).toBe("St");
    view.update('{"title":"St', true);
    expect(leaves(view.root, "field")).toEqual(["/title: St"]);
    expect(find(view.root, "form-note")[0]?.textContent).toBe("It ended before the document was complete.");
    expect(view.root.querySelector(".growing")).toBeNull();
  });

  test("says nothing of markup in it", () => {
    const view = new TextView();
    view.update('{"<img src=x>":"<script>alert(1)</script>"}', true);
    expect(view.root.querySelector("img, script")).toBeNull();
    expect(view.root.textContent).toContain("<script>alert(1)</script>");
  });
});

describe("a text that only begins like a document", () => {
  test.each(["[the *docs*](https://example.org) say", "{{ template }}", "{"])(
    "%j was never a form",
    (source) => {
      const view = new TextView();
      for (let i = 1; i <= source.length; i += 1) {
        view.update(source.slice(0, i), false);
        expect(find(view.root, "form").some(({ hidden }) => !hidden)).toBe(false);
      }
      view.update(`${source} **x**`, true);
      expect(view.root.querySelector("strong")?.textContent).toBe("x");
      expect(find(view.root, "form-note")).toEqual([]);
    },
  );

  test("is text again, with a note, when fields have been seen", () => {
    const view = new TextView();
    view.update('{"a":"x" oh', false);
    view.update('{"a":"x" oh **no**', true);
    expect(find(view.root, "form")).toEqual([]);
    expect(find(view.root, "form-note")[0]?.textContent).toBe(
      "This is not valid JSON; it is shown as it came.",
    );
    expect(view.root.querySelector("strong")?.textContent).toBe("no");
  });
});

describe("a tool card", () => {
  const block = (text: string, done = false): Block => ({
    kind: "tool_call",
    text,
    id: "t",
    name: "get_weather",
    signature: null,
    done,
  });
  const note = (card: ToolCard): HTMLElement | undefined => find(card.root, "tool-note")[0];
  const state = (card: ToolCard): string | null | undefined => find(card.root, "tool-state")[0]?.textContent;

  test("shows arguments as they come, complete when the call is closed", () => {
    const card = new ToolCard();
    card.update(block('{"city":"Osl'), true);
    expect([leaves(card.root, "tool-field"), state(card)]).toEqual([["/city: Osl"], "writing…"]);
    card.update(block('{"city":"Oslo","days":2'), true);
    expect(leaves(card.root, "tool-field")).toEqual(["/city: Oslo"]);
    card.update(block('{"city":"Oslo","days":2}'), true);
    expect([leaves(card.root, "tool-field"), state(card)]).toEqual([["/city: Oslo", "/days: 2"], "writing…"]);
    card.update(block('{"city":"Oslo","days":2}', true), false);
    expect(state(card)).toBe("complete");
    expect(card.root.querySelector("details")?.open).toBe(false);
    expect(card.root.querySelector("pre")?.textContent).toBe('{"city":"Oslo","days":2}');
  });

  test("opens the text, with a note, when it is not JSON", () => {
    const card = new ToolCard();
    card.update(block('{"city":"Oslo" "days":2}'), true);
    expect(state(card)).toBe("not valid");
    expect(note(card)?.textContent).toBe("This is not valid JSON; it is shown as it came.");
    expect(card.root.querySelector("details")?.open).toBe(true);
    expect(card.root.querySelector<HTMLElement>(".fields")?.hidden).toBe(true);
  });

  test.each<[string, string, boolean, string]>([
    ["no arguments at all", "", true, "complete"],
    ["a call that broke off", '{"city":"Os', false, "incomplete"],
    ["a call that closed too early", '{"city":"Os', true, "incomplete"],
  ])("%s", (_, text, done, word) => {
    const card = new ToolCard();
    card.update(block(text, done), false);
    expect(state(card)).toBe(word);
  });
});

describe("the sample of a document", () => {
  usePage();

  const choose = (id: string): void => {
    const select = one<HTMLSelectElement>("model");
    select.value = id;
    select.dispatchEvent(new Event("change"));
  };
  const samples = (): string[] => all("sample").map(({ textContent }) => textContent ?? "");

  test("is offered where the model writes one, and asks for its form", async () => {
    expect(samples()).toHaveLength(3); // a simulator's text is no document
    choose("demo/tiny");
    expect(samples()).toHaveLength(4);
    all("sample").at(-1)?.click();
    await settle();
    const format = { type: "json_schema", schema: { type: "object", additionalProperties: false } };
    expect(lastRequest()).toMatchObject({ model: "demo/tiny", output_config: { format } });
    server.begin();
    server.say('{"title":"Thin pancakes"');
    await settle();
    expect(visible("form")).toBe(true);
    expect(leaves(one("answer"), "field")).toEqual(["/title: Thin pancakes"]);
    await open(); // a reload in the middle goes on in the same form
    server.say(',"servings":4}');
    server.complete();
    await settle(1000);
    expect(leaves(one("answer"), "field")).toEqual(["/title: Thin pancakes", "/servings: 4"]);
    press("ArrowUp");
    await ask("Fill in a card for soup.");
    expect(lastRequest()).toMatchObject({ output_config: { format } }); // other words, the same form
  });

  test("is not asked for by what is typed", async () => {
    choose("demo/tiny");
    await ask("Hello");
    expect(lastRequest()).not.toHaveProperty("output_config");
  });
});
