/**
 * JSON that is still being written, as it comes: what is certain is told at once, and nothing told is taken back.
 *
 * Strict and linear: every character is looked at once, and the first that no valid document could have ends it. An open
 * string grows; a number or literal is told when it is complete, as `12` may still become `123`.
 */

import { Tokenizer, TokenParser } from "@streamparser/json";

/** Deeper than this nothing can be read on a page; a model that repeats `[` writes it. */
const MAX_DEPTH = 16;
/** Rows that a browser lays out without a pause; more of them are read as text. */
const MAX_ROWS = 2_000;

/** Name of a member, index of an item, null for the whole document. */
export type Key = string | number | null;

/** Is told about the document in its own order. */
export interface Sink {
  /** A container begins; what follows is in it, until `close`. */
  open(key: Key, kind: "object" | "array"): void;
  close(): void;
  /** A string as far as it has come. Until `complete` the next call is about the same one. */
  text(key: Key, value: string, complete: boolean): void;
  /** A number as it was written, `true`, `false` or `null`. */
  scalar(key: Key, literal: string): void;
}

/** `refused`: not JSON. `unwieldy`: too large or too deep to be shown. `truncated`: it ended before it was complete. */
export type State = "open" | "complete" | "refused" | "unwieldy" | "truncated";

/** Whether an answer that begins like this may be a document; null: nothing has come yet. */
export function looksLikeDocument(text: string): boolean | null {
  const first = /[^ \t\r\n]/.exec(text);
  return first === null ? null : first[0] === "{" || first[0] === "[";
}

/** Numbers stay as they were written: a browser's own have too few digits. */
class Spelling extends Tokenizer {
  number = "";

  override parseNumber(text: string): number {
    this.number = text;
    return 0;
  }
}

export class DocumentReader {
  state: State = "open";
  readonly #sink: Sink;
  readonly #tokens = new Spelling({ emitPartialTokens: true });
  readonly #grammar = new TokenParser({ emitPartialValues: true });
  #depth = 0;
  #rows = 0;
  /** A string has been told that is not complete. */
  #growing = false;

  constructor(sink: Sink) {
    this.#sink = sink;
    const fail = (error: Error): never => {
      throw error;
    };
    this.#tokens.onToken = (token) => this.#grammar.write(token);
    this.#tokens.onError = fail;
    this.#grammar.onError = fail;
    this.#grammar.onEnd = () => this.#tokens.end(); // from here on only white space may come
    this.#grammar.onValue = (found) => this.#told(found);
  }

  /** Takes the next piece of the text. Never throws: bad text is a `state`. */
  push(piece: string): void {
    if (piece === "" || !this.#takes()) return;
    try {
      // The parser skips a byte order mark, which JSON does not have.
      if (piece.includes("\ufeff") && this.#rows === 0) throw new Error("not a document");
      this.#tokens.write(piece);
    } catch {
      if (this.state !== "unwieldy") this.state = "refused";
      return;
    }
    if (this.#grammar.isEnded) this.state = "complete";
  }

  /** Nothing more comes. */
  finish(): void {
    if (this.state === "open") this.state = "truncated";
  }

  #takes(): boolean {
    return this.state === "open" || this.state === "complete";
  }

  #told({ value, key, stack, partial = false, parent }: Parameters<TokenParser["onValue"]>[0]): void {
    if (partial && value === undefined) {
      // The beginning of a container, or a name that is still being written, which changes no depth.
      if (stack.length > this.#depth) this.#opened(stack.at(-1)?.key, Array.isArray(parent));
    } else if (typeof value === "string") {
      if (!this.#growing) this.#count();
      this.#growing = partial;
      this.#sink.text(key ?? null, value, !partial);
    } else if (typeof value === "object" && value !== null) {
      this.#depth -= 1;
      this.#sink.close();
    } else if (!partial) {
      this.#count();
      this.#sink.scalar(key ?? null, typeof value === "number" ? this.#tokens.number : String(value));
    }
  }

  #opened(key: string | number | undefined, array: boolean): void {
    this.#count();
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#giveUp();
    this.#sink.open(key ?? null, array ? "array" : "object");
  }

  #count(): void {
    this.#rows += 1;
    if (this.#rows > MAX_ROWS) this.#giveUp();
  }

  #giveUp(): never {
    this.state = "unwieldy";
    throw new Error("too large to be shown");
  }
}
