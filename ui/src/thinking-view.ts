/** The model's reasoning: there for whoever wants to read it, closed for everybody else. */

import type { Block } from "@tailrace/client";

import type { Timing } from "./chat.ts";
import { make, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { duration } from "./metrics.ts";
import { growText } from "./morph.ts";

export class ThinkingView {
  readonly root: HTMLElement;
  readonly #label = make("span");
  readonly #text = document.createTextNode("");
  readonly #body = make("div", { class: "thinking-text" }, this.#text);

  constructor() {
    const summary = make("summary", {}, icon("chevron"), this.#label);
    this.root = make("details", { class: "thinking", testid: "thinking" }, summary, this.#body);
  }

  update(block: Block, running: boolean, timing: Timing): void {
    setText(this.#label, running ? "Thinking…" : finished(block, timing));
    this.root.classList.toggle("running", running);
    this.#body.setAttribute("aria-busy", String(running));
    growText(
      this.#text,
      block.kind === "redacted_thinking" ? "Only the provider can read this part." : block.text,
    );
  }
}

function finished(block: Block, { thinkingFrom, thinkingTo, broken }: Timing): string {
  if (block.kind === "redacted_thinking") return "Thought in private";
  if (thinkingFrom === null || thinkingTo === null || broken) return "Thought";
  return `Thought for ${duration(thinkingTo - thinkingFrom)}`;
}
