/** One answer on the page: thinking, text and tool calls in their order, and the line under them. */

import { textOf, type Block, type StreamFailure } from "@tailrace/client";

import { isLive, isStopped, isEmpty, type Answer } from "./chat.ts";
import { copyButton } from "./copy-button.ts";
import { make, setText } from "./dom.ts";
import { ErrorPanel } from "./error-panel.ts";
import { metricsOf } from "./metrics.ts";
import { TextView } from "./text-view.ts";
import { ThinkingView } from "./thinking-view.ts";
import { ToolCard } from "./tool-card.ts";

interface Part {
  readonly root: HTMLElement;
  update(block: Block, running: boolean): void;
}

export class AnswerView {
  readonly root: HTMLElement;
  readonly answer: Answer;
  readonly #body = make("div", { class: "answer-body" });
  /** There before any text is, so that a test, or a screen reader, finds the place where it will be. */
  readonly #firstText = make("div", { class: "markdown", testid: "answer" });
  #firstTextTaken = false;
  /** By block index; null for a block that shows nothing. */
  readonly #parts: Array<Part | null> = [];
  readonly #waiting = make("div", { class: "waiting", attributes: { "aria-hidden": "true" } });
  readonly #badge = make("span", { class: "badge", testid: "stopped-badge" }, "Stopped");
  readonly #metrics = make("span", { class: "metrics", testid: "metrics" });
  readonly #foot: HTMLElement;
  readonly #retry: () => void;
  #error: { error: StreamFailure; last: boolean; panel: ErrorPanel } | null = null;

  constructor(answer: Answer, retry: () => void) {
    this.answer = answer;
    this.#retry = retry;
    const copy = copyButton("Copy answer", () => textOf(answer.message));
    this.#foot = make("div", { class: "answer-foot" }, this.#badge, this.#metrics, copy);
    this.root = make(
      "article",
      { class: "turn answer", testid: "answer-turn" },
      make("h2", { class: "unseen" }, "Answer"),
      this.#body,
      this.#waiting,
      this.#foot,
    );
    this.#body.append(this.#firstText);
  }

  /** Shows the answer as it is now. `last`: nothing comes after it, so it may be asked for again. */
  update(last: boolean): void {
    const { answer } = this;
    const live = isLive(answer);
    for (const [index, block] of answer.message.blocks.entries()) {
      const part = this.#part(index, block);
      // A block is over when its end has come, and also when nothing more will.
      part?.update(block, live && !block.done);
    }
    this.root.setAttribute("aria-busy", String(live));
    this.#waiting.hidden = !live || !isEmpty(answer);
    this.#foot.hidden = isEmpty(answer) && !isStopped(answer); // nothing to measure, nothing to copy
    this.#badge.hidden = !isStopped(answer);
    setText(this.#metrics, metricsOf(answer).join(" · "));
    this.#showError(live, last);
  }

  #showError(live: boolean, last: boolean): void {
    const error = live || isStopped(this.answer) ? null : this.answer.error;
    const shown = this.#error;
    if (shown?.error === error && shown?.last === last) return; // its countdown goes on
    shown?.panel.stop();
    shown?.panel.root.remove();
    this.#error = null;
    if (error === null) return;
    const panel = new ErrorPanel(this.answer, last ? this.#retry : null);
    this.#error = { error, last, panel };
    this.#foot.before(panel.root);
  }

  #part(index: number, block: Block): Part | null {
    const known = this.#parts[index];
    if (known !== undefined) return known;
    const part = this.#newPart(block);
    this.#parts[index] = part;
    if (part === null) return null;
    // The place kept for the first text is always behind what came before it.
    if (part.root !== this.#firstText) {
      if (this.#firstTextTaken) this.#body.append(part.root);
      else this.#firstText.before(part.root);
    }
    return part;
  }

  #newPart(block: Block): Part | null {
    switch (block.kind) {
      case "text":
        return this.#newText();
      case "thinking":
      case "redacted_thinking": {
        const view = new ThinkingView();
        const { timing } = this.answer;
        return { root: view.root, update: (now, running) => view.update(now, running, timing) };
      }
      case "tool_call":
        return new ToolCard();
      case "opaque":
        return null;
    }
  }

  #newText(): Part {
    const view = this.#firstTextTaken ? new TextView() : new TextView(this.#firstText);
    this.#firstTextTaken = true;
    return { root: view.root, update: (block, running) => view.update(block.text, !running) };
  }
}
