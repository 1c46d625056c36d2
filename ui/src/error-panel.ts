/** What went wrong, under what had come until then, and the one thing to do about it. */

import { make } from "./dom.ts";
import { icon } from "./icons.ts";
import type { Answer } from "./chat.ts";
import { detailOf, referenceOf, sentenceFor } from "./sentences.ts";

export class ErrorPanel {
  readonly root: HTMLElement;
  readonly #retry: HTMLButtonElement | null = null;
  #countdown: ReturnType<typeof setInterval> | null = null;

  /** `retry` is null where asking again makes no sense any more: the conversation has gone on. */
  constructor(answer: Answer, retry: (() => void) | null) {
    const { error, ending, streamId } = answer;
    if (error === null || ending === null) throw new TypeError("this answer did not fail");
    const words = make(
      "div",
      { class: "error-words" },
      make("p", {}, sentenceFor(ending, error)),
      make("p", { class: "error-detail" }, detailOf(error)),
      make("p", { class: "reference", testid: "reference" }, referenceOf(error, streamId)),
    );
    this.root = make("div", { class: "error", testid: "error" }, words);
    if (retry === null) return;
    this.#retry = make("button", { class: "button", testid: "retry", attributes: { type: "button" } });
    this.#retry.addEventListener("click", () => {
      this.stop();
      retry();
    });
    this.root.append(this.#retry);
    this.#count(error.retryAfterMs ?? 0);
  }

  /** Ends the countdown: the panel is going away. */
  stop(): void {
    if (this.#countdown !== null) clearInterval(this.#countdown);
    this.#countdown = null;
  }

  /** The server asked to wait: the button counts down, and works after that. */
  #count(ms: number): void {
    const until = performance.now() + ms;
    const show = (): void => {
      const left = Math.ceil((until - performance.now()) / 1000);
      this.#retry?.replaceChildren(icon("retry"), left > 0 ? `Retry in ${left} s` : "Retry");
      if (this.#retry !== null) this.#retry.disabled = left > 0;
      if (left <= 0) this.stop();
    };
    if (ms > 0) this.#countdown = setInterval(show, 250);
    show();
  }
}
