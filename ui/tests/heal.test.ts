import { describe, expect, test } from "vitest";

import { heal } from "../src/heal.ts";

describe("the last line of unfinished Markdown", () => {
  test.each([
    ["plain words", "plain words"],
    ["now **bo", "now **bo**"],
    ["now **bold** and", "now **bold** and"],
    ["now **bold ", "now **bold** "],
    ["now **", "now "],
    ["an *emph", "an *emph*"],
    ["***both", "***both***"],
    ["**bold with *em", "**bold with *em***"],
    ["~~go", "~~go~~"],
    ["`co", "`co`"],
    ["`", ""],
    ["``a ` b", "``a ` b``"],
    ["`code with ** in it` and **b", "`code with ** in it` and **b**"],
    ["`code with ** in", "`code with ** in`"],
    ["snake_case_name", "snake_case_name"],
    ["an _emph", "an _emph_"],
    ["2 * 3 and 4 *", "2 * 3 and 4 *"],
    ["- item\n* other", "- item\n* other"],
    ["escaped \\*star", "escaped \\*star"],
    ["see [the docs](https://exa", "see the docs"],
    ["see [the docs](https://example.org)", "see [the docs](https://example.org)"],
    ["see [the do", "see [the do"],
    ["![alt](https://exa", ""],
    ["closed **long ago\n\nnow **bo", "closed **long ago\n\nnow **bo**"],
    ["- a\n  ```py\n  x = **1", "- a\n  ```py\n  x = **1"],
    ["- a\n  ```py\n\n  y = `2", "- a\n  ```py\n\n  y = `2"],
    ["- a\n  ```py\n  x\n  ```\n- **b", "- a\n  ```py\n  x\n  ```\n- **b**"],
  ])("%j is shown as %j", (text, shown) => {
    expect(heal(text)).toBe(shown);
  });

  test("what it adds is never more than closing marks", () => {
    const text = "Say **bold _and** `code` [x](y) ~~a *b* c** `d";
    for (let at = 0; at <= text.length; at += 1) {
      const healed = heal(text.slice(0, at));
      expect(healed.length).toBeLessThanOrEqual(at + 6);
    }
  });
});
