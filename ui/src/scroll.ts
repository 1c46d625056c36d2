/**
 * Scrolling that yields: it follows the text while the reader is at the bottom, and lets go at the first upward move.
 *
 * Following and not following are the reader's choice, never the text's: growing content does not change it.
 */

/** Within this many pixels of the bottom counts as being there. */
const NEAR = 100;

export class FollowScroll {
  readonly #scroller: HTMLElement;
  readonly #changed: (following: boolean) => void;
  #following = true;
  /** Where it was at the last scroll event, to tell up from down. */
  #lastTop = 0;
  #lastHeight = 0;

  constructor(scroller: HTMLElement, changed: (following: boolean) => void) {
    this.#scroller = scroller;
    this.#changed = changed;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // At once, not with the scroll event that follows: text that arrives between the two would pull the page back.
    scroller.addEventListener("wheel", (event) => event.deltaY < 0 && this.#canGoUp() && this.#set(false), {
      passive: true,
    });
  }

  get following(): boolean {
    return this.#following;
  }

  /** The content has grown. */
  grown(): void {
    if (this.#following) this.#toBottom();
  }

  /** The reader wants to be at the bottom, from now on. */
  jump(): void {
    this.#set(true);
    this.#toBottom();
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight } = this.#scroller;
    const shrunk = scrollHeight < this.#lastHeight; // the browser moved it, not the reader
    if (scrollTop < this.#lastTop - 1 && !shrunk) this.#set(false);
    else if (scrollTop > this.#lastTop && this.#distance() <= NEAR) this.#set(true);
    this.#lastTop = scrollTop;
    this.#lastHeight = scrollHeight;
  }

  #canGoUp(): boolean {
    return this.#scroller.scrollTop > 0;
  }

  #distance(): number {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - clientHeight - scrollTop;
  }

  #toBottom(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#lastTop = this.#scroller.scrollTop;
    this.#lastHeight = this.#scroller.scrollHeight;
  }

  #set(following: boolean): void {
    if (this.#following === following) return;
    this.#following = following;
    this.#changed(following);
  }
}
