/**
 * Growing Markdown to blocks: those that are settled, each told once, and the tail, which may still change.
 *
 * A block is settled when a later block begins on a complete line. CommonMark decides block structure line by line and
 * only the last open block can still be changed by a new line (a setext underline, a table's second row, a lazy
 * continuation), so what stands before it is final. An incomplete last line settles nothing: `Text⏎#` is a heading
 * only until it goes on as `#tag`.
 *
 * One exception is accepted: a link reference that is defined after its use stays as it was written, as a finished
 * block is never drawn again.
 */

import { Lexer, type Links, type MarkedOptions, type Token, type Tokens } from "marked";

import { OpenFence } from "./fence.ts";

export interface Block {
  /** Markdown of this block alone. */
  readonly raw: string;
  readonly token: Token;
  /** It goes on what the block before it began: a long list that was settled in pieces. */
  readonly joined: boolean;
}

/** A list or paragraph longer than this is settled in pieces, as each drawing of the tail costs its length: at 15
 * drawings a second, 8 KiB keep one well under a frame. */
const LONG = 8 * 1024;

export class BlockSplitter {
  readonly #options: MarkedOptions;
  /** What is not settled. */
  #tail = "";
  /** A lone CR at the end of the last piece: LF may follow. */
  #cr = false;
  /** Link references defined so far, for the blocks that follow. */
  #links: Links = {};
  /** The tail goes on a block that has been settled in part. */
  #joined = false;

  /** The fence that the tail consists of; null while it is something else. Parsing it anew for each of its lines would
   * make a long listing quadratic. */
  #fence: OpenFence | null = null;

  constructor(options: MarkedOptions) {
    this.#options = options;
  }

  get tail(): string {
    return this.#tail;
  }

  get fence(): OpenFence | null {
    return this.#fence;
  }

  /** Takes the next piece of text, returns the blocks that it settles. */
  push(piece: string): Block[] {
    // marked counts in text with LF line ends only, and so do we.
    if (this.#cr) piece = "\r" + piece;
    this.#cr = piece.endsWith("\r");
    if (this.#cr) piece = piece.slice(0, -1);
    piece = piece.replace(/\r\n?/g, "\n");
    // The tail is only ever appended to while it is a listing: V8 keeps it as a rope and copies nothing.
    this.#tail += piece;
    this.#fence?.push(piece);
    if (!piece.includes("\n") || this.#fence?.closed === false) return [];
    const settled = this.#settle(this.#tail.slice(0, this.#tail.lastIndexOf("\n") + 1));
    this.#fence = OpenFence.at(this.#tail);
    return settled;
  }

  /** The blocks of the tail as they look now, or of `shown` in its place. */
  open(shown = this.#tail): Block[] {
    return this.#blocks(this.#lex(shown));
  }

  /** The text is whole: returns the last blocks. */
  finish(): Block[] {
    if (this.#cr) this.#tail += "\n";
    const blocks = this.open();
    this.#tail = "";
    return blocks;
  }

  #lex(text: string): Token[] {
    const lexer = new Lexer(this.#options);
    Object.assign(lexer.tokens.links, this.#links);
    return lexer.lex(text);
  }

  #settle(lines: string): Block[] {
    const tokens = this.#lex(lines);
    const first = tokens.findIndex((token) => token.type !== "space");
    const last = tokens.findLastIndex((token) => token.type !== "space");
    const token = tokens[last];
    if (token === undefined) return [];
    if (last > first) return this.#take(tokens.slice(0, last), false);
    return token.raw.length > LONG ? this.#settlePart(lengthOf(tokens.slice(0, first)), token) : [];
  }

  /** Settles what is certain of one long block: all items of a list but the last, all lines of a paragraph but the
   * last. `start` is where the block begins in the tail. */
  #settlePart(start: number, token: Token): Block[] {
    let length = 0;
    if (token.type === "list") length = lengthOf((token as Tokens.List).items.slice(0, -1));
    else if (token.type === "paragraph") length = token.raw.trimEnd().lastIndexOf("\n") + 1;
    return length === 0 ? [] : this.#take(this.#lex(this.#tail.slice(0, start + length)), true);
  }

  #take(tokens: Token[], goesOn: boolean): Block[] {
    const blocks = this.#blocks(tokens);
    const length = lengthOf(tokens);
    this.#tail = this.#tail.slice(length);
    this.#joined = goesOn;
    for (const token of tokens) {
      // Only of settled tokens: a definition that is still being written would be kept as it is now.
      if (token.type === "def") this.#links[(token as Tokens.Def).tag] ??= token as Tokens.Def;
    }
    return blocks;
  }

  #blocks(tokens: Token[]): Block[] {
    const shown = tokens.filter(({ type }) => type !== "space" && type !== "def");
    return shown.map((token, i) => ({ raw: token.raw, token, joined: this.#joined && i === 0 }));
  }
}

function lengthOf(tokens: ReadonlyArray<{ raw: string }>): number {
  return tokens.reduce((sum, { raw }) => sum + raw.length, 0);
}
