/** Making elements with less ceremony. */

type Child = Node | string | null;

interface Properties {
  class?: string;
  testid?: string;
  /** Attributes, as they are written in HTML. */
  attributes?: Record<string, string>;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (properties.class !== undefined) node.className = properties.class;
  if (properties.testid !== undefined) node.dataset["testid"] = properties.testid;
  for (const [name, value] of Object.entries(properties.attributes ?? {})) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** The element of the page's own HTML with that id. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const node = document.getElementById(id);
  if (!(node instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return node;
}

/** Sets text only where it differs: an equal text must not touch the tree, nor a selection in it. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
