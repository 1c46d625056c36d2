/** A document as labelled fields that fill in. Each row is made once, and only the one being written ever changes. */

import { make } from "./dom.ts";
import type { Key, Sink } from "./structured.ts";

export interface Look {
  /** `data-testid` of each row. */
  readonly testid: string;
  /** Names as words (`cook_time`: Cook time), or as they are. */
  readonly words: boolean;
}

interface Container {
  readonly list: HTMLElement;
  readonly path: string;
  readonly array: boolean;
}

export class Fields implements Sink {
  readonly root = make("div", { class: "fields" });
  readonly #look: Look;
  readonly #stack: Container[] = [];
  /** The string that is being written, and how much of it is on the page. */
  #growing: { readonly cell: HTMLElement; readonly text: Text; shown: number } | null = null;

  constructor(look: Look) {
    this.#look = look;
  }

  get empty(): boolean {
    return !this.root.hasChildNodes();
  }

  open(key: Key, kind: "object" | "array"): void {
    const array = kind === "array";
    const list = make(array ? "ol" : "dl", { class: array ? "items" : "members" });
    const [cell, path] = this.#row(key, "group");
    cell.append(list);
    this.#stack.push({ list, path, array });
  }

  close(): void {
    const closed = this.#stack.pop();
    if (closed === undefined || closed.list.hasChildNodes()) return;
    closed.list.replaceWith(make("span", { class: "literal" }, "none"));
  }

  text(key: Key, value: string, complete: boolean): void {
    this.#growing ??= this.#begin(key);
    const growing = this.#growing;
    growing.text.appendData(value.slice(growing.shown));
    growing.shown = value.length;
    growing.cell.classList.toggle("growing", !complete);
    if (!complete) return;
    if (value === "") growing.cell.replaceChildren(make("span", { class: "literal" }, "empty"));
    this.#growing = null;
  }

  scalar(key: Key, literal: string): void {
    const [cell] = this.#row(key);
    cell.append(make("span", { class: "literal" }, literal));
  }

  /** Nothing more comes: what is open stays as it is. */
  finish(): void {
    this.#growing?.cell.classList.remove("growing");
  }

  #begin(key: Key): { cell: HTMLElement; text: Text; shown: number } {
    const [cell] = this.#row(key);
    const text = document.createTextNode("");
    cell.append(text);
    return { cell, text, shown: 0 };
  }

  /** Makes the row of `key`: the cell for its value, and its path as a JSON Pointer (RFC 6901). */
  #row(key: Key, kind = ""): [cell: HTMLElement, path: string] {
    const parent = this.#stack.at(-1);
    if (parent === undefined) return [this.root, ""];
    const path = `${parent.path}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const row = {
      class: `field ${kind}`.trim(),
      testid: this.#look.testid,
      attributes: { "data-path": path },
    };
    if (parent.array) {
      const item = make("li", row);
      parent.list.append(item);
      return [item, path];
    }
    const value = make("dd");
    parent.list.append(make("div", row, make("dt", {}, this.#label(String(key))), value));
    return [value, path];
  }

  #label(name: string): string {
    if (!this.#look.words) return name;
    const words = name
      .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
      .replace(/[_-]+/g, " ")
      .trim();
    return words === "" ? name : words.charAt(0).toUpperCase() + words.slice(1).toLowerCase();
  }
}
