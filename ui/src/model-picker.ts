/** Which model answers, and whether it is a real one. */

import type { ModelInfo } from "@tailrace/client";

import { byId, make, setText } from "./dom.ts";

const SIMULATED = "No model is behind this: a simulator makes the answers up.";
const LOCAL = "Runs on the relay's own machine; small, and often wrong.";

export class ModelPicker {
  readonly #select = byId("model", HTMLSelectElement);
  readonly #note = byId("model-note", HTMLElement);
  #models: readonly ModelInfo[] = [];

  constructor(changed: (id: string) => void) {
    this.#select.addEventListener("change", () => {
      this.#describe();
      changed(this.#select.value);
    });
  }

  /** Shows `models`; `preferred` is chosen when it is among them, else the first. */
  show(models: readonly ModelInfo[], preferred: string | null): void {
    this.#models = models;
    this.#select.replaceChildren(
      ...models.map(({ id }) => make("option", { attributes: { value: id } }, id)),
    );
    if (models.some(({ id }) => id === preferred)) this.#select.value = preferred ?? "";
    this.#select.disabled = models.length === 0;
    this.#describe();
  }

  /** Null while no model is known. */
  get chosen(): ModelInfo | null {
    return this.#models.find(({ id }) => id === this.#select.value) ?? null;
  }

  /** Whether the chosen model can be asked for a document. A simulator's words are made up before it is asked: only the
   * one that is called after JSON writes it. */
  get writesDocuments(): boolean {
    const { chosen } = this;
    return chosen !== null && (!chosen.tailrace?.simulated || /json/.test(chosen.id));
  }

  #describe(): void {
    const { simulated = false, local = false } = this.chosen?.tailrace ?? {};
    this.#select.title = this.#select.value;
    this.#note.hidden = !simulated && !local;
    this.#note.classList.toggle("simulated", simulated);
    setText(this.#note, simulated ? "simulated" : "local model");
    this.#note.title = simulated ? SIMULATED : LOCAL;
  }
}
