/** The page as a reader meets it: its own HTML, a fake relay behind it, and a clock that the test moves. */

import { afterEach, beforeEach, expect, vi } from "vitest";

import HTML from "../../index.html?raw";
import { App } from "../../src/app.ts";
import { Store } from "../../src/store.ts";
import { FakeServer } from "./fake-server.ts";

const BODY = /<body>([\s\S]*)<\/body>/.exec(HTML)?.[1] ?? "";

/** The relay of the test that runs; `freshServer` puts another in its place. */
export let server: FakeServer;
let listeners: Array<() => void> = [];

/** To be called once in a test file. */
export function usePage(): void {
  beforeEach(async () => {
    localStorage.clear();
    vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"],
    });
    // jsdom lays nothing out.
    vi.stubGlobal("matchMedia", () => ({ matches: true }));
    vi.stubGlobal(
      "ResizeObserver",
      class {
        observe(): void {}
      },
    );
    for (const target of [window, document]) {
      const { addEventListener } = target;
      vi.spyOn(target, "addEventListener").mockImplementation(
        (name: string, listener: EventListenerOrEventListenerObject) => {
          addEventListener.call(target, name, listener);
          listeners.push(() => target.removeEventListener(name, listener));
        },
      );
    }
    await freshServer();
  });

  afterEach(() => {
    for (const remove of listeners.splice(0)) remove();
    vi.restoreAllMocks();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
}

/** A relay and a tab that know nothing. */
export async function freshServer(): Promise<void> {
  leave();
  sessionStorage.clear();
  server = new FakeServer();
  await open();
}

/** Loads the page, with what the tab has kept; a page before it goes away. */
export async function open(): Promise<void> {
  leave();
  document.body.innerHTML = BODY;
  await new App(server.forNewPage(), new Store(sessionStorage, localStorage)).start();
  await settle();
}

/** The page hears that it goes away, and is gone. */
function leave(): void {
  dispatchEvent(new Event("pagehide"));
  for (const remove of listeners.splice(0)) remove();
  vi.clearAllTimers();
}

/** Lets everything happen that is due within `ms`. */
export async function settle(ms = 100): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

export const all = (id: string): HTMLElement[] => [
  ...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`),
];
export function one<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = all(id);
  expect(found, id).toHaveLength(1);
  return found[0] as T;
}
export const visible = (id: string): boolean => all(id).some((node) => node.closest("[hidden]") === null);
export const answerText = (): string => all("answer").at(-1)?.textContent?.trim() ?? "";

export function press(key: string, more: KeyboardEventInit = {}): void {
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

export function type(text: string): void {
  const box = one<HTMLTextAreaElement>("composer");
  box.focus();
  box.value = text;
  box.dispatchEvent(new Event("input"));
}

export async function ask(text: string): Promise<void> {
  type(text);
  press("Enter");
  await settle();
}

export const lastRequest = (): unknown =>
  JSON.parse(server.asked.findLast(({ path }) => path === "/v1/messages")?.body ?? "");
