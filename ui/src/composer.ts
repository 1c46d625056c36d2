/** The message box: what is being typed, and whether its button sends or stops. */

import { byId } from "./dom.ts";
import { icon } from "./icons.ts";

export interface ComposerActions {
  send(text: string): void;
  stop(): void;
  /** The reader wants to change the last message; returns its text, or null when there is none. */
  lastQuestion(): string | null;
}

export class Composer {
  readonly #form = byId("form", HTMLFormElement);
  readonly #area = byId("composer", HTMLTextAreaElement);
  readonly #send = byId("send", HTMLButtonElement);
  readonly #stop = byId("stop", HTMLButtonElement);
  readonly #editingNote = byId("editing", HTMLElement);
  readonly #actions: ComposerActions;
  #busy = false;
  /** What is typed replaces the last question and its answer. */
  #editing = false;

  constructor(actions: ComposerActions) {
    this.#actions = actions;
    this.#send.append(icon("send"));
    this.#stop.append(icon("stop"));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#stop.addEventListener("click", () => actions.stop());
    this.#area.addEventListener("input", () => this.#changed());
    this.#area.addEventListener("keydown", (event) => this.#key(event));
    byId("cancel-edit", HTMLButtonElement).addEventListener("click", () => this.cancelEdit());
    this.#changed();
  }

  get editing(): boolean {
    return this.#editing;
  }

  /** While an answer is written the button stops it; typing goes on. */
  setBusy(busy: boolean): void {
    if (this.#busy === busy) return;
    this.#busy = busy;
    // A button that vanishes under the focus would throw the reader to the top of the page.
    const focused = document.activeElement === this.#send || document.activeElement === this.#stop;
    this.#stop.hidden = !busy;
    this.#send.hidden = busy;
    this.#changed();
    if (focused) (busy ? this.#stop : this.#area).focus();
  }

  edit(): void {
    const text = this.#actions.lastQuestion();
    if (text === null) return;
    this.#setEditing(true);
    this.#fill(text);
    this.focus();
  }

  /** Leaves the last question as it is; false when it was not being edited. */
  cancelEdit(): boolean {
    if (!this.#editing) return false;
    this.#setEditing(false);
    this.#fill("");
    this.focus();
    return true;
  }

  clear(): void {
    this.#setEditing(false);
    this.#fill("");
  }

  focus(): void {
    this.#area.focus();
  }

  #submit(): void {
    const text = this.#area.value.trim();
    if (text === "" || this.#busy) return;
    this.#actions.send(text);
  }

  #key(event: KeyboardEvent): void {
    // Enter that ends an input method's composition belongs to that (keyCode 229 is how Safari says so).
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && this.#area.value === "" && !this.#busy) {
      event.preventDefault();
      this.edit();
    }
  }

  #setEditing(editing: boolean): void {
    this.#editing = editing;
    this.#editingNote.hidden = !editing;
  }

  #fill(text: string): void {
    this.#area.value = text;
    this.#changed();
  }

  #changed(): void {
    this.#send.disabled = this.#area.value.trim() === "";
    // Grown to its content, up to the height that the style sheet allows.
    this.#area.style.height = "auto";
    this.#area.style.height = `${this.#area.scrollHeight}px`;
  }
}
