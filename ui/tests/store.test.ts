import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { newAnswer, type Turn } from "../src/chat.ts";
import { Store } from "../src/store.ts";

const turns = (...words: string[]): Turn[] => [
  ...words.map((text): Turn => ({ role: "question", text })),
  { ...newAnswer({ model: "m", max_tokens: 9, messages: [] }, 1), asked: null },
];
const make = (): Store => new Store(sessionStorage, localStorage);

beforeEach(() => {
  sessionStorage.clear();
  localStorage.clear();
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("what is kept", () => {
  test("comes back as it was", () => {
    make().save(turns("a", "b"));
    expect(make().load()).toEqual(turns("a", "b"));
  });

  test.each([
    ["nothing", null],
    ["no JSON", "{"],
    ["another version", '{"version":1,"turns":[]}'],
    ["another shape", '{"version":2,"turns":{}}'],
    ["no object", "7"],
  ])("%s is an empty conversation", (_, saved) => {
    if (saved !== null) sessionStorage.setItem("tailrace.conversation", saved);
    expect(make().load()).toEqual([]);
  });

  test("the chosen model is kept for all tabs", () => {
    make().model = "x";
    expect(make().model).toBe("x");
  });
});

describe("while an answer is written", () => {
  test("it is written at most twice a second, as it is at that moment", () => {
    const write = vi.spyOn(Storage.prototype, "setItem");
    const store = make();
    const growing = turns("a");
    for (let i = 0; i < 10; i += 1) {
      store.saveSoon(growing);
      growing.push({ role: "question", text: String(i) });
      vi.advanceTimersByTime(100);
    }
    expect(write).toHaveBeenCalledTimes(2);
    expect(make().load().length).toBeGreaterThan(8);
  });

  test("a page that goes away writes what is left", () => {
    const store = make();
    store.saveSoon(turns("a"));
    expect(make().load()).toEqual([]);
    store.flush();
    expect(make().load()).toEqual(turns("a"));
    const write = vi.spyOn(Storage.prototype, "setItem");
    store.flush();
    vi.advanceTimersByTime(1000);
    expect(write).not.toHaveBeenCalled();
  });
});

test("over the quota the page goes on, says so, and no older conversation comes back", () => {
  const store = make();
  store.save(turns("old"));
  const full = vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  store.save(turns("new"));
  expect(store.keeps).toBe(false);
  expect(make().load()).toEqual([]);
  store.model = "x"; // a convenience: no reason to throw
  full.mockRestore();
  store.save(turns("newer"));
  expect(store.keeps).toBe(true);
});
