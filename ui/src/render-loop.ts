/** Draws at most so often, however many tokens come; and less often when drawing is expensive. */

/** About 16 drawings a second: text that grows faster than this cannot be read faster. */
const EVERY_MS = 60;
/** Drawing takes at most a quarter of the time, so that typing and scrolling stay smooth on a slow phone. */
const SHARE = 4;

export class RenderLoop {
  readonly #draw: () => void;
  #requested = false;
  #drawnAt = -Infinity;
  #cost = 0;

  constructor(draw: () => void) {
    this.#draw = draw;
  }

  request(): void {
    if (this.#requested) return;
    this.#requested = true;
    const pause = Math.max(EVERY_MS, this.#cost * SHARE);
    const wait = Math.max(0, this.#drawnAt + pause - performance.now());
    setTimeout(() => {
      if (this.#requested) this.now();
    }, wait);
  }

  now(): void {
    this.#requested = false;
    const began = performance.now();
    this.#draw();
    this.#drawnAt = performance.now();
    this.#cost = this.#drawnAt - began;
  }
}
