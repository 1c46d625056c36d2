/**
 * What a screen reader is told: that an answer is being written, its sentences as they are finished, and how it ended.
 *
 * The one live region of the page. It changes at most once a second (an update each token would be chatter that cannot
 * be followed), and each update is only what is new.
 */

import { spoken } from "./spoken.ts";

/** Milliseconds between two updates. */
const STEP_MS = 1000;
/** Characters of one update: a reader cannot be interrupted in the middle of an update by the next one. */
const MOST = 600;

export class LiveRegion {
  readonly #node: HTMLElement;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #updatedAt = -Infinity;
  /** Said before the text of the answer that waits, and after it. */
  #before: string[] = [];
  #after: string[] = [];
  #text = "";
  #whole = false;
  /** What has been read out of the answer. */
  #told = "";

  constructor(node: HTMLElement) {
    this.#node = node;
  }

  say(words: string): void {
    this.#after.push(words);
    this.#schedule();
  }

  /** An answer begins; `text` of it was there before. */
  begin(text: string): void {
    this.#before.push(...this.#after.splice(0), "Answering…");
    this.#text = text;
    this.#whole = false;
    this.#told = spoken(text, true);
    this.#schedule();
  }

  /** The answer so far; `whole`: nothing more comes. */
  follow(text: string, whole: boolean): void {
    this.#text = text;
    this.#whole = whole;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#updatedAt + STEP_MS - performance.now());
    this.#timer = setTimeout(() => this.#update(), wait);
  }

  #update(): void {
    this.#timer = null;
    const words = [...this.#before.splice(0), this.#news(), ...this.#after.splice(0)].join(" ").trim();
    if (words === "") return;
    this.#updatedAt = performance.now();
    this.#node.textContent = words;
  }

  #news(): string {
    const now = spoken(this.#text, this.#whole);
    // Where a later mark has changed what came before it, only the difference in length is new.
    const news = now.slice(this.#told.length).trim();
    if (now.length > this.#told.length) this.#told = now;
    return news.length > MOST ? `${news.slice(0, MOST)} …` : news;
  }
}
