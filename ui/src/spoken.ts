/** Markdown as it is read out: words without marks, listings by their name only. */

/** A bracket alone may be a link. */
const DOCUMENT = /^[ \t\r\n]*(?:\{[ \t\r\n]*["}]|\[[ \t\r\n]*[[{"\]])/;

/** How much of `text` can be read out already: up to its last finished sentence or line, or all of a `whole` one. */
export function spoken(text: string, whole: boolean): string {
  const said = whole ? text : text.slice(0, lastSentenceEnd(text));
  return DOCUMENT.test(text) ? documentWords(said) : plain(said);
}

/** A document's names and values without its punctuation. */
function documentWords(json: string): string {
  return json
    .replace(/"\s*:\s*/g, ": ")
    .replace(/[[\]{}"]+/g, " ")
    .replace(/\\[nrtbf]/g, " ")
    .replace(/\\/g, "")
    .replace(/\s+/g, " ")
    .replace(/ (?=,)/g, "")
    .trim();
}

function lastSentenceEnd(text: string): number {
  const line = text.lastIndexOf("\n") + 1;
  const sentence = /^[\s\S]*[.!?…。！？](?=\s)/.exec(text.slice(line));
  return line + (sentence?.[0].length ?? 0);
}

function plain(text: string): string {
  return (
    text
      // An open listing is already called by its name, so that what has been read out stays true when it closes.
      .replace(
        /^[ \t>]*(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^[ \t>]*\1[`~]*[ \t]*$|(?![\s\S]))/gm,
        "Code listing.",
      )
      .replace(/^[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*$/gm, "")
      .replace(/^[ \t]*\|(.*)\|[ \t]*$/gm, (_, row: string) => row.split("|").join(", ") + ".")
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/^[ \t]*(?:#{1,6}|>|[-*+])[ \t]+/gm, "")
      .replace(/[*`~]{1,3}|(?<!\w)_{1,2}(?=\S)|(?<=\S)_{1,2}(?!\w)/g, "")
      .replace(/\s+/g, " ")
      .replace(/ (?=[,.])/g, "")
      .trim()
  );
}
