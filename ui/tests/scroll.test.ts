import { beforeEach, describe, expect, test } from "vitest";

import { FollowScroll } from "../src/scroll.ts";

/** A scroller of 500 px whose content the test makes taller. jsdom lays nothing out. */
class Scroller {
  readonly node = document.createElement("div");
  height = 500;
  #top = 0;

  constructor() {
    Object.defineProperties(this.node, {
      clientHeight: { value: 500 },
      scrollHeight: { get: () => this.height },
      scrollTop: {
        get: () => this.#top,
        set: (value: number) => (this.#top = Math.max(0, Math.min(value, this.height - 500))),
      },
    });
  }

  get top(): number {
    return this.#top;
  }

  /** The reader, or the browser, moves it. */
  move(top: number): void {
    this.node.scrollTop = top;
    this.node.dispatchEvent(new Event("scroll"));
  }

  wheel(deltaY: number): void {
    this.node.dispatchEvent(new WheelEvent("wheel", { deltaY }));
  }
}

let scroller: Scroller;
let scroll: FollowScroll;
let told: boolean[];

beforeEach(() => {
  scroller = new Scroller();
  told = [];
  scroll = new FollowScroll(scroller.node, (following) => told.push(following));
});

function grow(by: number): void {
  scroller.height += by;
  scroll.grown();
  scroller.node.dispatchEvent(new Event("scroll")); // what setting scrollTop causes
}

describe("scrolling that yields", () => {
  test("follows text that grows", () => {
    for (let i = 0; i < 20; i += 1) grow(150);
    expect(scroller.top).toBe(scroller.height - 500);
    expect(told).toEqual([]);
  });

  test("lets go at the first upward move, however small, and stays where it is", () => {
    grow(1000);
    scroller.move(990);
    expect(scroll.following).toBe(false);
    for (let i = 0; i < 20; i += 1) grow(30);
    expect(scroller.top).toBe(990);
  });

  test("lets go with the wheel, before the page has moved", () => {
    grow(1000);
    scroller.wheel(-1);
    grow(100);
    expect(scroller.top).toBe(1000);
    expect(told).toEqual([false]);
  });

  test("a wheel turned down, or up where there is nothing above, changes nothing", () => {
    scroller.wheel(-5);
    grow(1000);
    scroller.wheel(5);
    expect(scroll.following).toBe(true);
  });

  test.each([
    [100, true],
    [101, false],
  ])("scrolled back down to %i px from the bottom it follows: %s", (distance, following) => {
    grow(1000);
    scroller.move(300);
    scroller.move(1000 - distance);
    expect(scroll.following).toBe(following);
  });

  test("content that shrinks is not the reader's move", () => {
    grow(1000);
    scroller.height -= 400; // the thinking was folded
    scroller.move(600);
    expect(scroll.following).toBe(true);
  });

  test("jumping goes to the bottom and follows again", () => {
    grow(1000);
    scroller.move(200);
    scroll.jump();
    expect(scroller.top).toBe(1000);
    grow(50);
    expect(scroller.top).toBe(1050);
    expect(told).toEqual([false, true]);
  });
});
