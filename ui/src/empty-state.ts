/** What the page shows before anything was asked. */

import { make } from "./dom.ts";
import markUrl from "./mark.svg";

/** Short enough for a very small model, and different enough to show text, verse and code. */
const SAMPLES = [
  "Why is the sky blue?",
  "Write a haiku about a river.",
  "Show me a loop in Python, and explain it.",
];

export function emptyState(ask: (prompt: string) => void): HTMLElement {
  const prompts = SAMPLES.map((prompt) => {
    const button = make(
      "button",
      { class: "sample", testid: "sample", attributes: { type: "button" } },
      prompt,
    );
    button.addEventListener("click", () => ask(prompt));
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
