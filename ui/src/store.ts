/**
 * Keeps the conversation over a reload.
 *
 * In this tab's own storage, as one value: the text of an answer and the cursor it was read up to are always written
 * together, so whatever moment a reload comes at, going on from that cursor gives each token once.
 */

import type { Turn } from "./chat.ts";

const KEY = "tailrace.conversation";
const MODEL_KEY = "tailrace.model";
/** Raised when the form of what is kept changes; an older one is left alone and the page starts empty. */
const VERSION = 2;
/** While an answer is written, at most so often. What comes after the last write is read again from the relay. */
const EVERY_MS = 500;

export class Store {
  readonly #tab: Storage;
  readonly #browser: Storage;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #turns: readonly Turn[] = [];
  /** The conversation no longer fits: it is kept on the page only. */
  #full = false;

  constructor(tab: Storage, browser: Storage) {
    this.#tab = tab;
    this.#browser = browser;
  }

  load(): Turn[] {
    try {
      const saved: unknown = JSON.parse(this.#tab.getItem(KEY) ?? "null");
      if (!isSaved(saved)) return [];
      return saved.turns;
    } catch {
      return []; // not JSON: somebody else's
    }
  }

  /** Writes `turns` soon; they may still change until then. */
  saveSoon(turns: readonly Turn[]): void {
    this.#turns = turns;
    this.#timer ??= setTimeout(() => this.flush(), EVERY_MS);
  }

  save(turns: readonly Turn[]): void {
    this.#turns = turns;
    this.#write();
  }

  /** Writes what `saveSoon` has been given and has not been written: the page is going away. */
  flush(): void {
    if (this.#timer !== null) this.#write();
  }

  /** False when the conversation has become too large to be kept. */
  get keeps(): boolean {
    return !this.#full;
  }

  get model(): string | null {
    return this.#browser.getItem(MODEL_KEY);
  }

  set model(id: string) {
    try {
      this.#browser.setItem(MODEL_KEY, id);
    } catch {
      // A convenience only: without it the first model is chosen next time.
    }
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    try {
      this.#tab.setItem(KEY, JSON.stringify({ version: VERSION, turns: this.#turns }));
      this.#full = false;
    } catch {
      // Over the quota. An older value would bring back a conversation that is not this one.
      this.#tab.removeItem(KEY);
      this.#full = true;
    }
  }
}

function isSaved(value: unknown): value is { turns: Turn[] } {
  if (typeof value !== "object" || value === null) return false;
  const { version, turns } = value as { version?: unknown; turns?: unknown };
  return version === VERSION && Array.isArray(turns);
}
