/** What the page shows before anything was asked. */

import { make } from "./dom.ts";
import markUrl from "./mark.svg";

export interface Sample {
  readonly prompt: string;
  /** Of the document that is asked for, in place of prose. */
  readonly schema?: object;
}

/** No bounds on lengths or numbers: not every provider takes them. */
const RECIPE = {
  type: "object",
  properties: {
    title: { type: "string" },
    servings: { type: "integer" },
    ingredients: { type: "array", items: { type: "string" } },
    steps: { type: "array", items: { type: "string" } },
  },
  required: ["title", "servings", "ingredients", "steps"],
  additionalProperties: false,
};

/** Short enough for a very small model, and different enough to show text, verse, code and a form. */
const SAMPLES: readonly Sample[] = [
  { prompt: "Why is the sky blue?" },
  { prompt: "Write a haiku about a river." },
  { prompt: "Show me a loop in Python, and explain it." },
  { prompt: "Write a simple recipe for pancakes.", schema: RECIPE },
];

/** `documents`: the model writes documents of a given form. */
export function emptyState(ask: (sample: Sample) => void, documents: boolean): HTMLElement {
  const offered = SAMPLES.filter(({ schema }) => documents || schema === undefined);
  const prompts = offered.map((sample) => {
    const button = make(
      "button",
      { class: "sample", testid: "sample", attributes: { type: "button" } },
      sample.prompt,
    );
    button.addEventListener("click", () => ask(sample));
    return make("li", {}, button);
  });
  return make(
    "section",
    { class: "empty", testid: "empty" },
    make("img", { attributes: { src: markUrl, alt: "", width: "56", height: "56" } }),
    make(
      "p",
      {},
      "Answers arrive here word by word as the model writes them, and stay yours when you stop, reload the page or lose the connection.",
    ),
    make("ul", { attributes: { "aria-label": "Examples" } }, ...prompts),
  );
}
