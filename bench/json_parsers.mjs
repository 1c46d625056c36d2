/**
 * What the page's candidates for reading JSON while it is written cost, and how strict they are.
 *
 *     npm install --no-save jsonriver@1.1.1 @streamparser/json@0.0.26 && node bench/json_parsers.mjs
 *
 * Documents come in 4-character fragments, as a model writes them; after each one the value so far must be there. Times
 * are the best of several rounds in which the candidates take turns. Linear: ns/char at 100 KB is at most 1.3 times that
 * at 10 KB. The baseline parses the whole text again at every fragment, at 24 lengths and added up.
 */

import { JSONParser } from "@streamparser/json";
import { parse as jsonriver } from "jsonriver";

const FRAGMENT = 4;
const SIZES = [1_000, 10_000, 100_000];
const ROUNDS = 9;
const SAMPLES = 24;

/** Objects, arrays, short and long strings, numbers and literals. */
function nested(size) {
  const sections = [];
  for (let i = 0, length = 0; length < size; i += 1) {
    const section = {
      heading: `Section ${i}: what was measured`,
      body: 'The stream was "slow" between the first token and the second.\n'.repeat(1 + (i % 5)),
      reviewed: i % 2 === 0,
      score: i * 1.25,
      figures: [{ id: i, label: "time to first token", unit: "ms", range: [i, i + 40] }],
      tags: ["latency", "stream"],
      owner: null,
    };
    sections.push(section);
    length += JSON.stringify(section).length + 1;
  }
  return JSON.stringify({ title: "A report", sections });
}

/** The call of a tool that writes a file. */
function longString(size) {
  const line = '    total += weights["a"] * values[i]  # and so on\n';
  return JSON.stringify({ path: "src/report.py", content: line.repeat(Math.ceil(size / (line.length + 4))) });
}

function fragments(text, size = FRAGMENT) {
  const pieces = [];
  for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
  return pieces;
}

/** Each takes the fragments and returns the final value; every one shows the value so far after each fragment. */
const CANDIDATES = {
  async jsonriver(pieces, seen = () => undefined) {
    // It pulls: this is how a page that is pushed to would feed it.
    async function* source() {
      for (const piece of pieces) yield piece;
    }
    let value;
    for await (value of jsonriver(source())) seen(value);
    return value;
  },
  async "@streamparser/json"(pieces, seen = () => undefined) {
    const parser = new JSONParser({ emitPartialTokens: true, emitPartialValues: true });
    let last;
    parser.onValue = ({ value, partial, stack }) => {
      if (!partial && stack.length === 0) last = value;
      seen(value);
    };
    for (const piece of pieces) {
      parser.write(piece);
    }
    if (!parser.isEnded) parser.end();
    return last;
  },
};

function parseAgain(text) {
  const pieces = Math.ceil(text.length / FRAGMENT);
  let total = 0;
  for (let i = 0; i < SAMPLES; i += 1) {
    const length = Math.floor(((i + 0.5) / SAMPLES) * text.length);
    const whole = JSON.stringify(text.slice(0, length)); // as much work as the prefix, and valid
    const began = performance.now();
    JSON.parse(whole);
    total += performance.now() - began;
  }
  return (total / SAMPLES) * pieces;
}

async function timed(candidate, pieces) {
  const began = performance.now();
  await candidate(pieces);
  return performance.now() - began;
}

async function costs() {
  for (const [name, make] of Object.entries({ nested, "one long string": longString })) {
    console.log(
      `\n${name}, ns/char`.padEnd(28),
      ...SIZES.map((size) => `${size / 1000} KB`.padStart(9)),
      "  linear",
    );
    const rows = new Map([...Object.keys(CANDIDATES), "JSON.parse again"].map((key) => [key, []]));
    for (const size of SIZES) {
      const text = make(size);
      const pieces = fragments(text);
      const best = new Map([...rows.keys()].map((key) => [key, Infinity]));
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [key, candidate] of Object.entries(CANDIDATES)) {
          best.set(key, Math.min(best.get(key), await timed(candidate, pieces)));
        }
        best.set("JSON.parse again", Math.min(best.get("JSON.parse again"), parseAgain(text)));
      }
      for (const [key, ms] of best) rows.get(key).push((ms * 1e6) / text.length);
    }
    for (const [key, figures] of rows) {
      const [, ten, hundred] = figures;
      const linear = hundred <= 1.3 * ten ? "yes" : `no (${(hundred / ten).toFixed(1)}×)`;
      console.log(key.padEnd(27), ...figures.map((ns) => ns.toFixed(0).padStart(9)), `  ${linear}`);
    }
  }
}

/** Text, and whether JSON.parse takes it; what is read must be equal. */
const TEXTS = [
  '{"a":1 "b":2}',
  "[1,2,]",
  '{"a":1,}',
  '{"a":1} x',
  '{"a":1}{"b":2}',
  '{"a":[1}',
  "[01]",
  "[1.]",
  "[-]",
  "[+1]",
  "[NaN]",
  '["\n"]',
  '["\\x"]',
  "['a']",
  "\u000c[1]",
  "\ufeff[1]",
  '{"a":1',
  '["\\ud83d\\ude00"]',
  '["\\ud83d"]',
  '["\ud83d\ude00 \u00e9"]',
  "[123456789012345678901234567890, 1e400, -0]",
  '{"2":1,"1":2,"__proto__":3}',
  '{"a":1,"a":2}',
  "[]",
  " 12 ",
  '""',
];

async function outcome(candidate, pieces) {
  try {
    return JSON.stringify(await candidate(pieces));
  } catch {
    return "refused";
  }
}

async function strictness() {
  console.log(
    "\nAs JSON.parse, whole / in single characters:".padEnd(46),
    Object.keys(CANDIDATES).join("   "),
  );
  for (const text of TEXTS) {
    let wanted = "refused";
    try {
      wanted = JSON.stringify(JSON.parse(text));
    } catch {}
    const cells = [];
    for (const candidate of Object.values(CANDIDATES)) {
      const got = [await outcome(candidate, [text]), await outcome(candidate, fragments(text, 1))];
      cells.push(got.map((one) => (one === wanted ? "yes" : `NO: ${one}`)).join(" / "));
    }
    console.log(JSON.stringify(text).padEnd(46), cells.join("   "));
  }
}

/** Whether anything shown was wrong: half a pair, or a number before its last digit. */
async function retracted() {
  const text = '{"a":"x\\ud83d\\ude00y","n":1234.5e3,"t":true,"s":"\ud83d\ude00"}';
  for (const [key, candidate] of Object.entries(CANDIDATES)) {
    const seen = new Set();
    const note = (value) => {
      for (const one of typeof value === "object" && value !== null ? Object.values(value) : [value]) {
        if (typeof one !== "object") seen.add(one);
      }
    };
    await candidate(fragments(text, 1), note);
    console.log(`\n${key} showed`, JSON.stringify([...seen]));
  }
}

await costs();
await strictness();
await retracted();
