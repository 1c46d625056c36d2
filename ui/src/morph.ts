/**
 * Makes one tree look like another by changing as little as possible, so that what the reader has selected, focused or
 * scrolled stays while the text under it grows.
 */

/** Makes the children of `from` equal to those of `to`, which is used up. */
export function morphChildren(from: ParentNode & Node, to: ParentNode & Node): void {
  const wanted = [...to.childNodes];
  for (const [i, next] of wanted.entries()) {
    const old = from.childNodes[i];
    if (old === undefined) from.append(next);
    else morph(old, next);
  }
  while (from.childNodes.length > wanted.length) from.lastChild?.remove();
}

function morph(old: ChildNode, next: ChildNode): void {
  if (old instanceof Text && next instanceof Text) {
    growText(old, next.data);
  } else if (old instanceof Element && next instanceof Element && old.nodeName === next.nodeName) {
    morphAttributes(old, next);
    morphChildren(old, next);
  } else {
    old.replaceWith(next);
  }
}

/** Appending leaves a selection in the node alone; assigning would collapse it. */
export function growText(node: Text, text: string): void {
  if (node.data === text) return;
  if (text.startsWith(node.data)) node.appendData(text.slice(node.length));
  else node.data = text;
}

function morphAttributes(old: Element, next: Element): void {
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}
