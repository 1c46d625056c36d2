/** A tool call: its name at once, its arguments as they come. The page never runs it. */

import type { Block } from "@tailrace/client";

import { make, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { growText } from "./morph.ts";

export class ToolCard {
  readonly root: HTMLElement;
  readonly #name = make("span", { class: "tool-name" });
  readonly #state = make("span", { class: "tool-state" });
  readonly #text = document.createTextNode("");

  constructor() {
    const head = make("div", { class: "tool-head" }, icon("tool"), this.#name, this.#state);
    const attributes = { tabindex: "0", role: "region", "aria-label": "Arguments" };
    this.root = make("div", { class: "tool", testid: "tool" }, head, make("pre", { attributes }, this.#text));
  }

  update(block: Block, running: boolean): void {
    setText(this.#name, block.name ?? "tool");
    const complete = block.done && parses(block.text);
    setText(this.#state, complete ? "complete" : running ? "writing…" : "incomplete");
    growText(this.#text, complete ? pretty(block.text) : block.text);
  }
}

/** No arguments at all is the empty object. */
function parses(json: string): boolean {
  try {
    JSON.parse(json || "{}");
    return true;
  } catch {
    return false;
  }
}

function pretty(json: string): string {
  return JSON.stringify(JSON.parse(json || "{}"), null, 2);
}
