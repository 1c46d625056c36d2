/**
 * The one gate between what a model wrote and the page: HTML text to nodes without scripts, styles, forms, names, or
 * anything that loads by itself.
 *
 * The input is what the Markdown renderer made, which already shows raw HTML as text; this does not rely on it.
 */

import createPurifier, { type Config, type DOMPurify } from "dompurify";

const CONFIG = {
  ALLOWED_TAGS: [
    ...["p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "li"],
    ...["strong", "em", "del", "code", "sub", "sup", "kbd", "a"],
    ...["table", "thead", "tbody", "tr", "th", "td"],
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align", "class"],
  // DOMPurify holds every value against the address rule below unless its attribute is listed here.
  ADD_URI_SAFE_ATTR: ["start", "align"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  // Absolute addresses only: a relative one would point into the relay itself.
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
} as const satisfies Config;

const LANGUAGE = /^language-[\w+#.-]{1,40}$/;

let purifier: DOMPurify | null = null;

function make(): DOMPurify {
  const made = createPurifier(window);
  made.addHook("afterSanitizeAttributes", (node) => {
    // The only class a renderer has a use for; any other could borrow the page's own styles to imitate it.
    const kind = node.getAttribute("class");
    if (kind !== null && !LANGUAGE.test(kind)) node.removeAttribute("class");
    if (node.nodeName === "A" && node.hasAttribute("href")) {
      node.setAttribute("target", "_blank");
      node.setAttribute("rel", "noopener noreferrer nofollow");
    }
  });
  return made;
}

export function sanitize(html: string): DocumentFragment {
  purifier ??= make();
  return purifier.sanitize(html, CONFIG) as unknown as DocumentFragment;
}
