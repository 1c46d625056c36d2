import { Marked } from "marked";
import { describe, expect, test } from "vitest";

import { BlockSplitter, type Block } from "../src/blocks.ts";
import { random } from "./support/random.ts";
import { SAMPLES } from "./support/samples.ts";

const marked = new Marked({ gfm: true, breaks: true });
const html = (blocks: readonly Block[]): string[] => blocks.map(({ token }) => marked.parser([token]));

function whole(source: string): string[] {
  const splitter = new BlockSplitter(marked.defaults);
  return [...html(splitter.push(source)), ...html(splitter.finish())];
}

/** All blocks that come of `source` in pieces that end at `cuts`. */
function split(source: string, cuts: Iterable<number>): string[] {
  const splitter = new BlockSplitter(marked.defaults);
  const blocks: string[] = [];
  let from = 0;
  for (const at of cuts) {
    blocks.push(...html(splitter.push(source.slice(from, at))));
    from = at;
  }
  blocks.push(...html(splitter.push(source.slice(from))));
  return [...blocks, ...html(splitter.finish())];
}

const everyCharacter = (source: string): number[] => Array.from({ length: source.length }, (_, i) => i + 1);

describe.each(Object.entries(SAMPLES))("%s", (_, source) => {
  test("in one piece: what marked makes of it", () => {
    expect(whole(source).join("")).toBe(marked.parse(source));
  });

  test("by character: the same blocks", () => {
    expect(split(source, everyCharacter(source))).toEqual(whole(source));
  });
});

describe("any Markdown in any pieces", () => {
  const atoms = Object.values(SAMPLES).flatMap((sample) => sample.split(/(?<=\n)/));

  test.each(Array.from({ length: 300 }, (_, seed) => seed))("seed %i", (seed) => {
    const next = random(seed);
    const text = Array.from({ length: 14 }, () => atoms[Math.floor(next() * atoms.length)]).join("");
    const source = text.replaceAll("[r]:", "r:"); // a definition after its use: the known exception
    expect(whole(source).join("")).toBe(marked.parse(source));
    const cuts = everyCharacter(source).filter(() => next() < 0.4);
    expect(split(source, cuts)).toEqual(whole(source));
  });
});

test("a reference is known to the blocks after its definition", () => {
  const source = "[r]: https://example.org\n\nfirst\n\n[r]\n";
  expect(split(source, everyCharacter(source)).at(-1)).toContain('href="https://example.org"');
});

test("an open fence is not looked through again for each of its lines", () => {
  // Quadratic work on this size takes minutes; the time-out of the runner is the assertion.
  const line = "total += weights[i] * values[i];\n";
  const splitter = new BlockSplitter(marked.defaults);
  splitter.push("```c\n");
  for (let i = 0; i < 20_000; i += 1) expect(splitter.push(line)).toEqual([]);
  expect(splitter.push("```\nend\n")).toHaveLength(1);
});

test.each([
  ["list", Array.from({ length: 1500 }, (_, i) => `${i + 1}. item **number** ${i}\n`)],
  ["verse", Array.from({ length: 1500 }, (_, i) => `line ${i} of verse without end\n`)],
])("a long %s is settled in pieces that are joined", (_, lines) => {
  const splitter = new BlockSplitter(marked.defaults);
  const blocks = lines.flatMap((line) => splitter.push(line));
  blocks.push(...splitter.finish());
  expect(blocks.length).toBeGreaterThan(3);
  expect(blocks.map(({ raw }) => raw.trimEnd()).join("\n")).toBe(lines.join("").trimEnd());
  expect(blocks.map(({ joined }) => joined)).toEqual(blocks.map((_, i) => i > 0));
});
