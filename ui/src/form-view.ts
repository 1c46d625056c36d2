/** A structured answer as a form that fills in while the model writes it. */

import { make, setText } from "./dom.ts";
import { NOTES, StructuredView } from "./structured-view.ts";

export class FormView {
  readonly root: HTMLElement;
  readonly #view = new StructuredView({ testid: "field", words: true });
  readonly #state = make("span", { class: "form-state", testid: "form-state" });
  readonly #note = make("p", { class: "quiet-note", testid: "form-note" });
  readonly #toggle: HTMLButtonElement;

  constructor() {
    const attributes = { type: "button", "aria-pressed": "false" };
    this.#toggle = make("button", { class: "toggle", testid: "form-raw", attributes }, "Raw");
    this.#toggle.addEventListener("click", () => this.#show(this.#view.raw.hidden === false));
    this.root = make(
      "section",
      { class: "form", testid: "form", attributes: { "aria-label": "Structured answer" } },
      make("div", { class: "form-head" }, this.#state, this.#toggle),
      this.#view.fields.root,
      this.#view.raw,
      this.#note,
    );
    this.#show(true);
    this.root.hidden = true;
  }

  /** Whether fields have been seen. */
  get shown(): boolean {
    return !this.root.hidden;
  }

  get failed(): boolean {
    return this.#view.failed;
  }

  get note(): string {
    return NOTES[this.#view.state] ?? "";
  }

  update(source: string, whole: boolean): void {
    this.#view.update(source, whole);
    const { state, fields } = this.#view;
    // One bracket may begin anything; a field or the end of the document is proof enough.
    const begun = state === "complete" || fields.root.querySelector(".field") !== null;
    if (begun || (whole && !this.failed)) this.root.hidden = false;
    setText(this.#state, whole ? (state === "complete" ? "Structured answer" : "Incomplete") : "Filling in…");
    this.root.classList.toggle("running", !whole);
    setText(this.#note, this.note);
    this.#note.hidden = this.note === "";
  }

  #show(fields: boolean): void {
    this.#view.fields.root.hidden = !fields;
    this.#view.raw.hidden = fields;
    this.#toggle.setAttribute("aria-pressed", String(!fields));
  }
}
