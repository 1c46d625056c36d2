/** A growing document on the page: its fields, or its text when it has none or the reader asks for it. */

import { make } from "./dom.ts";
import { Fields, type Look } from "./fields.ts";
import { DocumentReader, type State } from "./structured.ts";

export const NOTES: Readonly<Partial<Record<State, string>>> = {
  refused: "This is not valid JSON; it is shown as it came.",
  unwieldy: "This is too large to be shown field by field; it is shown as it came.",
  truncated: "It ended before the document was complete.",
};

export class StructuredView {
  readonly fields: Fields;
  /** The text as it came. */
  readonly raw: HTMLElement;
  readonly #reader: DocumentReader;
  readonly #text = document.createTextNode("");
  #taken = 0;

  constructor(look: Look) {
    this.fields = new Fields(look);
    this.#reader = new DocumentReader(this.fields);
    const attributes = { tabindex: "0", role: "region", "aria-label": "Raw JSON" };
    this.raw = make("pre", { attributes }, this.#text);
  }

  get state(): State {
    return this.#reader.state;
  }

  /** Whether there is more to be shown than fields can show. */
  get failed(): boolean {
    return this.state === "refused" || this.state === "unwieldy";
  }

  /** Shows `source`, which may only have grown since the last call. `whole`: it will not grow any more. */
  update(source: string, whole: boolean): void {
    if (source.length > this.#taken) {
      const piece = source.slice(this.#taken);
      this.#taken = source.length;
      this.#text.appendData(piece);
      this.#reader.push(piece);
    }
    if (!whole) return;
    this.#reader.finish();
    this.fields.finish();
  }
}
