/** The few icons, as strokes on a 20 × 20 grid; they take the colour of the text around them. */

const PATHS = {
  send: "M10 16V4.5M5 9l5-5 5 5",
  stop: "M6.5 6.5h7v7h-7z",
  plus: "M10 4.5v11M4.5 10h11",
  copy: "M7.5 7.5v-3h8v8h-3M4.5 7.5h8v8h-8z",
  check: "M4.5 10.5l3.5 3.5 7.5-8",
  down: "M10 4v11.5M5 11l5 5 5-5",
  edit: "M4.5 15.5l.7-3.2 7.8-7.8 2.5 2.5-7.8 7.8z",
  retry: "M15.5 10a5.5 5.5 0 1 1-1.7-4M15.5 3.5v3h-3",
  chevron: "M8 5.5l4.5 4.5L8 14.5",
  tool: "M12.5 4.2a3.6 3.6 0 0 0-4.4 4.7l-4 4 3 3 4-4a3.6 3.6 0 0 0 4.7-4.4l-2.3 2.3-2.3-.7-.7-2.3z",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
