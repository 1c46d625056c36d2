/** One Markdown block to nodes for the page. */

import { Marked, type MarkedExtension, type MarkedOptions, type Token } from "marked";

import { sanitize } from "./sanitize.ts";

/** Raw HTML that reads as formatting. All other raw HTML is shown as the text it is: nothing the model wrote is
 * swallowed. */
const HARMLESS = /^<(?:br\s*\/?|\/?(?:sub|sup|kbd))>$/i;

const extension: MarkedExtension = {
  gfm: true,
  // Models end lines of verse and lists with one line feed and mean it.
  breaks: true,
  renderer: {
    html({ text, block }) {
      if (HARMLESS.test(text.trim())) return text;
      return block ? `<p>${escapeHtml(text.trimEnd())}</p>` : escapeHtml(text);
    },
    /** Loading an image tells its server that, and when, this was read; and a model can be made to write one. */
    image({ href, text }) {
      return `<a href="${escapeHtml(href)}">${escapeHtml(text || "image")}</a>`;
    },
    checkbox({ checked }) {
      return checked ? "☑ " : "☐ ";
    },
    /** One level down: h1 is the page's own name. */
    heading({ tokens, depth }) {
      const level = Math.min(6, depth + 1);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
  },
};

const marked = new Marked(extension);

/** What the lexer has to be given so that it cuts the same tokens as are drawn here. */
export const MARKED_OPTIONS: MarkedOptions = marked.defaults;

export function renderBlock(token: Token): DocumentFragment {
  return decorate(sanitize(marked.parser([token])));
}

/** Adds the page's own parts, after the sanitiser: what a model writes can never pass for them. */
function decorate(fragment: DocumentFragment): DocumentFragment {
  for (const pre of fragment.querySelectorAll("pre")) frameCode(pre);
  for (const table of fragment.querySelectorAll("table")) {
    const scroller = element("div", "table-scroll");
    focusable(scroller, "Table");
    table.replaceWith(scroller);
    scroller.append(table);
  }
  return fragment;
}

function frameCode(pre: HTMLPreElement): void {
  const code = pre.querySelector("code");
  const language = code?.className.replace(/^language-/, "") ?? "";
  code?.removeAttribute("class");
  const figure = element("figure", "code");
  const caption = element("figcaption");
  const name = element("span");
  name.textContent = language || "text";
  const copy = element("button");
  copy.type = "button";
  copy.textContent = "Copy";
  copy.dataset["copy"] = "code";
  copy.setAttribute("aria-label", "Copy code");
  caption.append(name, copy);
  pre.replaceWith(figure);
  focusable(pre, "Code");
  figure.append(caption, pre);
}

/** What scrolls sideways must be reachable without a mouse. */
function focusable(node: HTMLElement, label: string): void {
  node.tabIndex = 0;
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", label);
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, name?: string): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (name !== undefined) node.className = name;
  return node;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
