/** A button that copies, and says for a moment that it has. */

import { copyText } from "./clipboard.ts";
import { make } from "./dom.ts";
import { icon } from "./icons.ts";

/** How long "Copied" stays. */
const SAID_MS = 1600;

export function copyButton(label: string, text: () => string): HTMLButtonElement {
  const button = make("button", {
    class: "small",
    testid: "copy",
    attributes: { type: "button", "aria-label": label, title: label },
  });
  button.append(icon("copy"));
  button.addEventListener("click", () => {
    void copyText(text()).then((copied) => {
      button.replaceChildren(icon(copied ? "check" : "copy"));
      setTimeout(() => button.replaceChildren(icon("copy")), SAID_MS);
    });
  });
  return button;
}

/** Serves the copy buttons of all code blocks below `root`: those are drawn with the text, without listeners. */
export function serveCodeCopies(root: HTMLElement): void {
  root.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button[data-copy]") : null;
    const code = button?.closest("figure")?.querySelector("code")?.textContent;
    if (!button || code === null || code === undefined) return;
    void copyText(code.replace(/\n$/, "")).then((copied) => {
      button.textContent = copied ? "Copied" : "Not copied";
      setTimeout(() => (button.textContent = "Copy"), SAID_MS);
    });
  });
}
