import { beforeEach, describe, expect, test } from "vitest";

import { MarkdownView } from "../src/markdown.ts";
import { SAMPLES } from "./support/samples.ts";

let root: HTMLElement;
beforeEach(() => {
  root = document.createElement("div");
  document.body.replaceChildren(root);
});

function whole(source: string): string {
  const target = document.createElement("div");
  new MarkdownView(target).update(source, true);
  return target.innerHTML;
}

/** Feeds `source` in pieces that end at `cuts`; `each` sees the page after every piece. */
function stream(
  source: string,
  cuts: Iterable<number>,
  each: (at: number) => void = () => undefined,
): string {
  const view = new MarkdownView(root);
  for (const at of cuts) {
    view.update(source.slice(0, at), false);
    each(at);
  }
  view.update(source, true);
  return root.innerHTML;
}

function* everyCharacter(source: string): Generator<number> {
  for (let at = 1; at <= source.length; at += 1) yield at;
}

// What the pieces are is the splitter's affair, and tested there; here, that the page shows them.
const SHOWN = ["headings", "lists", "fences", "tables", "inline marks", "html", "carriage returns"] as const;

describe.each(SHOWN)("%s", (name) => {
  const source = SAMPLES[name] ?? "";

  test("streamed by character the page is as if it had come whole", () => {
    expect(stream(source, everyCharacter(source))).toBe(whole(source));
  });

  test("finished blocks are never touched again", () => {
    const seen = new Map<Element, string>();
    stream(source, everyCharacter(source), () => {
      const blocks = [...root.children];
      for (const [element, html] of seen) {
        expect(root.contains(element)).toBe(true);
        expect(element.outerHTML).toBe(html);
      }
      // All but the last two: one may be growing, and one may wait for its complete line to be settled by it.
      for (const element of blocks.slice(0, -2)) seen.set(element, element.outerHTML);
    });
  });
});

test("what the reader sees of numbers and columns is kept", () => {
  new MarkdownView(root).update("7. seven\n8. eight\n\n| a | b |\n|:-:|--:|\n| 1 | 2 |\n", true);
  expect(root.querySelector("ol")?.getAttribute("start")).toBe("7");
  expect([...root.querySelectorAll("td")].map((td) => td.getAttribute("align"))).toEqual(["center", "right"]);
});

describe("long answers", () => {
  const count = (work: () => void): number => {
    let touched = 0;
    const { appendData } = Text.prototype;
    Text.prototype.appendData = function (data) {
      touched += data.length;
      appendData.call(this, data);
    };
    try {
      work();
    } finally {
      Text.prototype.appendData = appendData;
    }
    return touched;
  };

  test("an open listing is appended to, never drawn again", () => {
    const line = "    total += weights[i] * values[i]; // and so on\n";
    const source = "```c\n" + line.repeat(2000);
    const view = new MarkdownView(root);
    view.update(source.slice(0, 200), false);
    const node = root.querySelector("pre code")?.firstChild;
    const touched = count(() => {
      for (let at = 201; at <= source.length; at += 37) view.update(source.slice(0, at), false);
    });
    expect(root.querySelector("pre code")?.firstChild).toBe(node);
    expect(touched).toBeLessThan(source.length);
    view.update(source + "```\n", true);
    expect(root.innerHTML).toBe(whole(source + "```\n"));
  });
});

describe("what is still being written", () => {
  const shown = (source: string): string => {
    new MarkdownView(root).update(source, false);
    return (root.textContent ?? "").trim();
  };

  test("a fence is a code block from its first line", () => {
    new MarkdownView(root).update("```py\nprint(", false);
    expect(root.querySelector("pre code")?.textContent).toBe("print(");
    expect(root.querySelector("figcaption span")?.textContent).toBe("py");
  });

  test("bold text is bold from its first letter, without asterisks", () => {
    expect(shown("now **bo")).toBe("now bo");
    expect(root.querySelector("strong")?.textContent).toBe("bo");
  });

  test("a link shows its words before its address is whole", () => {
    expect(shown("see [the docs](https://exa")).toBe("see the docs");
  });

  test("selected text stays selected while it grows", () => {
    const view = new MarkdownView(root);
    view.update("a first sentence", false);
    const node = root.querySelector("p")?.firstChild as Text;
    const range = document.createRange();
    range.setStart(node, 2);
    range.setEnd(node, 7);
    getSelection()?.removeAllRanges();
    getSelection()?.addRange(range);
    view.update("a first sentence, and a second **one", false);
    expect(getSelection()?.toString()).toBe("first");
  });
});
