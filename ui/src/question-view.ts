/** What the reader asked, as they typed it. */

import type { Question } from "./chat.ts";
import { copyButton } from "./copy-button.ts";
import { make } from "./dom.ts";
import { icon } from "./icons.ts";

export class QuestionView {
  readonly root: HTMLElement;
  readonly #edit: HTMLButtonElement;

  constructor(question: Question, edit: () => void) {
    const label = "Edit message";
    const attributes = { type: "button", "aria-label": label, title: label };
    this.#edit = make("button", { class: "small", testid: "edit", attributes }, icon("edit"));
    this.#edit.addEventListener("click", edit);
    const actions = make(
      "div",
      { class: "question-actions" },
      copyButton("Copy message", () => question.text),
      this.#edit,
    );
    this.root = make(
      "article",
      { class: "turn question" },
      make("h2", { class: "unseen" }, "You"),
      make("div", { class: "bubble", testid: "question" }, question.text),
      actions,
    );
  }

  /** Only the last question can be edited. */
  update(last: boolean): void {
    this.#edit.hidden = !last;
  }
}
