/**
 * Streaming Markdown: settled blocks are drawn once and never touched again, only the tail is drawn anew.
 *
 * A fence that has no end yet is the exception within the tail: its code is appended as text, so that a long listing
 * costs its new characters and not its length at every drawing.
 */

import { BlockSplitter, type Block } from "./blocks.ts";
import type { OpenFence } from "./fence.ts";
import { heal } from "./heal.ts";
import { morphChildren } from "./morph.ts";
import { MARKED_OPTIONS, renderBlock } from "./render.ts";

/** The code block on the page that an open fence grows. */
interface Listing {
  readonly fence: OpenFence;
  readonly text: Text;
}

export class MarkdownView {
  readonly #root: HTMLElement;
  readonly #splitter = new BlockSplitter(MARKED_OPTIONS);
  /** Length of the source that has been taken. */
  #taken = 0;
  /** One element per block; those before `#settled` are never touched again. */
  readonly #elements: HTMLElement[] = [];
  #settled = 0;
  /** What the tail's elements show, to leave alone those that have not changed. */
  #drawn: string[] = [];
  #listing: Listing | null = null;
  #finished = false;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** Shows `source`, which may only have grown since the last call. `whole`: it will not grow any more. */
  update(source: string, whole: boolean): void {
    if (this.#finished || (source.length === this.#taken && !whole)) return;
    const piece = source.slice(this.#taken);
    this.#taken = source.length;
    const settled = this.#splitter.push(piece);
    for (const block of settled) this.#settle(block);
    if (whole) {
      for (const block of this.#splitter.finish()) this.#settle(block);
      this.#finished = true;
      this.#trim(this.#settled);
    } else if (!this.#growListing()) {
      this.#drawTail();
    }
  }

  #settle(block: Block): void {
    this.#draw(this.#settled, block);
    this.#settled += 1;
    this.#drawn.shift();
  }

  #drawTail(): void {
    const { tail, fence } = this.#splitter;
    const blocks = this.#splitter.open(fence === null ? heal(tail) : tail);
    for (const [i, block] of blocks.entries()) this.#draw(this.#settled + i, block);
    this.#trim(this.#settled + blocks.length);
    if (fence !== null) this.#openListing(fence);
  }

  #draw(at: number, { raw, token, joined }: Block): void {
    let element = this.#elements[at];
    if (element === undefined) {
      element = document.createElement("div");
      element.className = "block";
      this.#elements.push(element);
      this.#root.append(element);
    }
    element.classList.toggle("joined", joined);
    const slot = at - this.#settled;
    if (this.#drawn[slot] === raw) return;
    this.#drawn[slot] = raw;
    morphChildren(element, renderBlock(token));
  }

  #trim(count: number): void {
    for (const element of this.#elements.splice(count)) element.remove();
    this.#drawn.length = Math.min(this.#drawn.length, count - this.#settled);
  }

  /** From here on the code block that was just drawn is grown by hand. */
  #openListing(fence: OpenFence): void {
    const code = this.#elements[this.#settled]?.querySelector("pre code");
    if (!code) return;
    const text = document.createTextNode("");
    code.replaceChildren(text);
    this.#listing = { fence, text };
    this.#drawn = []; // not what the parser made any more: to be drawn once more when the fence has closed
    this.#growListing();
  }

  /** Appends what has come to the open code block; false when there is none, or no longer. */
  #growListing(): boolean {
    const listing = this.#listing;
    if (listing === null || listing.fence !== this.#splitter.fence) {
      this.#listing = null;
      return false;
    }
    listing.text.appendData(listing.fence.take());
    return true;
  }
}
