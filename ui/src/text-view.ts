/** A text block: Markdown, or a form when the text is a JSON document. */

import { make } from "./dom.ts";
import { FormView } from "./form-view.ts";
import { MarkdownView } from "./markdown.ts";
import { looksLikeDocument } from "./structured.ts";

export class TextView {
  readonly root: HTMLElement;
  #form: FormView | null = null;
  #markdown: MarkdownView | null = null;

  /** `root` is where the text goes. */
  constructor(root: HTMLElement = make("div", { class: "markdown", testid: "answer" })) {
    this.root = root;
  }

  /** Shows `source`, which may only have grown since the last call. `whole`: it will not grow any more. */
  update(source: string, whole: boolean): void {
    if (this.#markdown === null && looksLikeDocument(source)) {
      const form = (this.#form ??= this.#openForm());
      form.update(source, whole);
      if (!form.failed) return;
      this.#leaveForm(form);
    }
    // Nothing but white space is still anything.
    if (this.#markdown === null && looksLikeDocument(source) === null && !whole) return;
    this.#markdown ??= new MarkdownView(this.root);
    this.#markdown.update(source, whole);
  }

  #openForm(): FormView {
    const form = new FormView();
    this.root.classList.remove("markdown");
    this.root.append(form.root);
    return form;
  }

  /** It was no document: text in brackets is text like any other. */
  #leaveForm(form: FormView): void {
    this.root.replaceChildren();
    this.root.classList.add("markdown");
    if (!form.shown) return;
    // The reader has seen fields go away and is told why; below what the Markdown view draws into.
    const text = make("div", { class: "markdown" });
    this.root.classList.remove("markdown");
    this.root.append(make("p", { class: "quiet-note", testid: "form-note" }, form.note), text);
    this.#markdown = new MarkdownView(text);
  }
}
