/**
 * Closes what the last line of unfinished Markdown has opened, so that the text does not jump when the closing mark
 * comes: `**bo` is shown bold from its first letter, a link shows its words before its address is whole.
 *
 * For display only, and only of the tail; what it guesses wrong is put right with the next token.
 */

/** Longest first, so that `**` is not read as two `*`. */
const PAIRS = ["**", "__", "~~", "*", "_"] as const;

export function heal(markdown: string): string {
  if (insideFence(markdown)) return markdown;
  const start = markdown.lastIndexOf("\n\n") + 1;
  const text = healLinks(markdown.slice(start));
  const ticks = openCode(text);
  if (ticks !== null) return markdown.slice(0, start) + closeCode(text, ticks);
  return markdown.slice(0, start) + closeMarks(text);
}

/** Whether the text ends inside fenced code, of a list item or a quotation, say: there no mark means anything. */
function insideFence(markdown: string): boolean {
  const fences = markdown.match(/^[\s>*+\-\d.)]*(?:`{3,}|~{3,})/gm);
  return fences !== null && fences.length % 2 === 1;
}

/** `[words](http://exa` shows its words; `![alt](http` shows nothing yet. */
function healLinks(text: string): string {
  return text.replace(/(!?)\[([^\][\n]*)\]\([^()\s]*$/, (_, image: string, words: string) =>
    image ? "" : words,
  );
}

/** The run of backticks that opened code and has not been closed; null when there is none. */
function openCode(text: string): string | null {
  let open: string | null = null;
  for (const [run] of text.matchAll(/`+/g)) {
    if (open === null) open = run;
    else if (run === open) open = null;
  }
  return open;
}

function closeCode(text: string, ticks: string): string {
  // Just opened: an empty pair would be shown as backticks.
  return text.endsWith(ticks) ? text.slice(0, -ticks.length) : text + ticks;
}

function closeMarks(text: string): string {
  const open: string[] = [];
  const bare = text.replace(/\\./g, "xx").replace(/(`+)[\s\S]*?\1/g, (code) => "x".repeat(code.length));
  for (let at = 0; at < bare.length;) {
    const mark = PAIRS.find((pair) => bare.startsWith(pair, at));
    if (mark === undefined) {
      at += 1;
      continue;
    }
    const before = bare[at - 1] ?? " ";
    const after = bare[at + mark.length] ?? " ";
    if (open.at(-1) === mark && !/\s/.test(before)) open.pop();
    else if (opens(mark, before, after, at + mark.length === bare.length)) open.push(mark);
    at += mark.length;
  }
  const last = open.at(-1);
  if (last !== undefined && text.endsWith(last)) {
    open.pop();
    text = text.slice(0, -last.length); // nothing to mark yet
  }
  const trailing = /\s*$/.exec(text)?.[0] ?? ""; // a closing mark after a space closes nothing
  return text.slice(0, text.length - trailing.length) + open.reverse().join("") + trailing;
}

/** Whether `mark` can open here: not before a space, and a `_` or a bullet's `*` only where they mean emphasis. */
function opens(mark: string, before: string, after: string, atEnd: boolean): boolean {
  if (/\s/.test(after)) return atEnd && mark.length === 2 && !/\w/.test(before);
  return !(mark.startsWith("_") && /\w/.test(before));
}
