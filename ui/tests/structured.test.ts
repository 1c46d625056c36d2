import { Tokenizer } from "@streamparser/json";
import { describe, expect, test, vi } from "vitest";

import { DocumentReader, looksLikeDocument, type Key, type Sink, type State } from "../src/structured.ts";

interface Row {
  readonly path: string;
  value: string;
  open: boolean;
}

/** What has been told, as rows in their order. */
class Told implements Sink {
  readonly rows: Row[] = [];
  readonly #within: Row[] = [];
  #growing: Row | null = null;

  open(key: Key, kind: "object" | "array"): void {
    this.#within.push(this.#add(key, kind === "array" ? "[" : "{"));
  }

  close(): void {
    const row = this.#within.pop();
    if (row === undefined) throw new Error("more closed than opened");
    row.open = false;
  }

  text(key: Key, value: string, complete: boolean): void {
    this.#growing ??= this.#add(key, '"');
    this.#growing.value = `"${value}`;
    this.#growing.open = !complete;
    if (complete) this.#growing = null;
  }

  scalar(key: Key, literal: string): void {
    this.#add(key, literal).open = false;
  }

  #add(key: Key, value: string): Row {
    const path = key === null ? "" : `${this.#within.at(-1)?.path}/${key}`;
    const row = { path, value, open: true };
    this.rows.push(row);
    return row;
  }
}

function read(...pieces: string[]): { state: State; rows: Row[] } {
  const told = new Told();
  const reader = new DocumentReader(told);
  for (const piece of pieces) reader.push(piece);
  reader.finish();
  return { state: reader.state, rows: told.rows };
}

/** The rows of a whole document, by way of JSON.parse. */
function rowsOf(value: unknown, path = ""): string[] {
  if (typeof value === "string") return [`${path}="${value}`];
  if (typeof value !== "object" || value === null) return [`${path}=${String(value)}`];
  const inside = Object.entries(value).flatMap(([key, child]) => rowsOf(child, `${path}/${key}`));
  return [`${path}=${Array.isArray(value) ? "[" : "{"}`, ...inside];
}

const written = (rows: readonly Row[]): string[] => rows.map(({ path, value }) => `${path}=${value}`);

const DOCUMENTS = [
  '{"title":"Pancakes \\"thick\\"","servings":12,"ingredients":["flour","milk",""],"steps":[]}',
  '\n[ {"a":{"b":[[1,-2.5,3e2],{}]}, "c":null} , true,\tfalse , "x" ]\r\n',
  '{"smile":"\\ud83d\\ude00 and \ud83d\ude00","tab":"\\t\\u00e9\\/","lone":"\\ud83d!"}',
  '{"open":{"then":1},"key":"\\\\","":0}',
];

describe.each(DOCUMENTS)("%s", (text) => {
  test("is read as JSON.parse reads it, cut at any character or at all of them", () => {
    const truth = rowsOf(JSON.parse(text)).map((row) => row.replace("=300", "=3e2"));
    for (let cut = 0; cut <= text.length; cut += 1) {
      const { state, rows } = read(text.slice(0, cut), text.slice(cut));
      expect([state, written(rows)]).toEqual(["complete", truth]);
    }
    const one = read(...text.split(""));
    expect([one.state, written(one.rows)]).toEqual(["complete", truth]);
    expect(one.rows.every(({ open }) => !open)).toBe(true);
  });

  test("shows in every prefix only what has come, and takes nothing back", () => {
    const whole = read(text).rows;
    const told = new Told();
    const reader = new DocumentReader(told);
    let before = 0;
    for (const [i, char] of text.split("").entries()) {
      reader.push(char);
      expect(reader.state === "open" || reader.state === "complete", text.slice(0, i + 1)).toBe(true);
      expect(told.rows.length).toBeGreaterThanOrEqual(before);
      before = told.rows.length;
      for (const [at, { path, value, open }] of told.rows.entries()) {
        const last = whole[at];
        expect(path).toBe(last?.path);
        expect(open ? last?.value.startsWith(value) : last?.value === value, value).toBe(true);
        // A pair that has come by half would be shown as a broken character.
        if (open && value.length < (last?.value.length ?? 0)) expect(value).not.toMatch(/[\ud800-\udbff]$/);
      }
    }
  });
});

test("a number is told when nothing can be added to it, with all its digits", () => {
  const told = new Told();
  const reader = new DocumentReader(told);
  reader.push('{"n":123456789012345678901234567890.10');
  expect(written(told.rows)).toEqual(["={"]);
  reader.push("}");
  expect(written(told.rows)).toEqual(["={", "/n=123456789012345678901234567890.10"]);
});

test("a member that comes twice is told twice", () => {
  expect(written(read('{"a":1,"a":"x"}').rows)).toEqual(["={", "/a=1", '/a="x']);
});

test.each<[string, string[]]>([
  ['{"a":1 "b":2}', ["={", "/a=1"]],
  ["[1,2,]", ["=[", "/0=1", "/1=2"]],
  ['{"a":1} and more', ["={", "/a=1"]],
  ['{"a":1}{"b":2}', ["={", "/a=1"]],
  ['{"a":[1}', ["={", "/a=[", "/a/0=1"]],
  ['["a\nb"]', ["=["]],
  ["[01]", ["=[", "/0=0"]],
  ["[NaN]", ["=["]],
  ["\ufeff[1]", []],
  ["[link](https://example.org)", ["=["]],
])("%j is refused, whole and by character, and nothing after it is read", (text, least) => {
  for (const pieces of [[text], text.split("")]) {
    const { state, rows } = read(...pieces, '"more"');
    expect(state).toBe("refused");
    for (const row of written(rows)) expect([...least, '/0="a']).toContain(row);
  }
});

test.each(['{"a":"x', '{"a":', '{"a":tr', "[1,2", '["\\ud83d'])("%j is truncated", (text) => {
  expect(read(text).state).toBe("truncated");
});

test.each([
  ["depth", "[".repeat(100_000)],
  ["length", `[${"0,".repeat(100_000)}`],
])("its %s is bounded", (_, text) => {
  const { state, rows } = read(text);
  expect(state).toBe("unwieldy");
  expect(rows.length).toBeLessThanOrEqual(2_000);
});

test("every character goes through the parser once", () => {
  const write = vi.spyOn(Tokenizer.prototype, "write");
  const text = JSON.stringify({ path: "a.py", content: "x = 1\n".repeat(10_000) });
  const pieces = text.match(/[\s\S]{1,4}/g) ?? [];
  expect(read(...pieces).state).toBe("complete");
  expect(write.mock.calls.map(([piece]) => piece)).toEqual(pieces);
  write.mockRestore();
});

test.each<[string, boolean | null]>([
  ["", null],
  [" \n\t", null],
  ['\n {"a"', true],
  ["[", true],
  ["Text {", false],
  ["```json\n{", false],
  ["\u00a0{", false],
])("%j looks like a document: %s", (text, verdict) => {
  expect(looksLikeDocument(text)).toBe(verdict);
});
