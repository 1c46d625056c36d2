/** A tool call: its name at once, its arguments field by field as they come. The page never runs it. */

import type { Block } from "@tailrace/client";

import { make, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { NOTES, StructuredView } from "./structured-view.ts";

export class ToolCard {
  readonly root: HTMLElement;
  readonly #name = make("span", { class: "tool-name" });
  readonly #state = make("span", { class: "tool-state", testid: "tool-state" });
  readonly #arguments = new StructuredView({ testid: "tool-field", words: false });
  readonly #note = make("p", { class: "quiet-note", testid: "tool-note" });
  readonly #raw: HTMLDetailsElement;

  constructor() {
    const head = make("div", { class: "tool-head" }, icon("tool"), this.#name, this.#state);
    const { fields, raw } = this.#arguments;
    // A whole file may be among them: what scrolls must be reachable without a mouse.
    for (const [name, value] of Object.entries({
      tabindex: "0",
      role: "region",
      "aria-label": "Arguments",
    })) {
      fields.root.setAttribute(name, value);
    }
    this.#raw = make("details", { class: "raw" }, make("summary", {}, icon("chevron"), "Raw JSON"), raw);
    this.root = make("div", { class: "tool", testid: "tool" }, head, fields.root, this.#note, this.#raw);
  }

  update(block: Block, running: boolean): void {
    const view = this.#arguments;
    const failed = view.failed;
    // No arguments at all is the empty object.
    view.update(block.text === "" && block.done ? "{}" : block.text, !running);
    setText(this.#name, block.name ?? "tool");
    setText(this.#state, this.#word(block, running));
    view.fields.root.hidden = view.failed || view.fields.empty;
    this.#raw.hidden = block.text === "";
    if (view.failed && !failed) this.#raw.open = true; // and closed again only by the reader
    const note = NOTES[view.state] ?? "";
    setText(this.#note, note);
    this.#note.hidden = note === "" || block.text === "";
  }

  /** Complete is a call that has been closed and can be acted on: only that. */
  #word(block: Block, running: boolean): string {
    if (this.#arguments.state === "refused") return "not valid";
    if (block.done && this.#arguments.state === "complete") return "complete";
    if (block.done && this.#arguments.state === "unwieldy") return "written";
    return running ? "writing…" : "incomplete";
  }
}
