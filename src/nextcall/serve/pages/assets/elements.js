// Elements of a page. Texts become text nodes, never markup: a catalogue's words may be hostile.

/** Make an element; `attributes` are set as they are, those that are null or false are left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an element of a drawing. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Make a bar; what it says stands beside it as a text. */
export function bar(share) {
  const inner = make("span");
  inner.style.width = `${100 * Math.min(1, Math.max(0, share))}%`; // by the object model: no inline style
  return make("div", { class: "bar", "aria-hidden": "true" }, inner);
}

/** Make a box that scrolls, by the keyboard as well. */
export function scrolling(label, ...children) {
  return make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label }, ...children);
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** Write a number, a dash where there is none. */
export function number(value, digits = 0) {
  return isNumber(value) ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) : "–";
}

/** Write milliseconds with three digits that matter. */
export function milliseconds(value) {
  if (!isNumber(value)) return "–";
  if (value >= 1000) return `${number(value / 1000, 2)}\u00a0s`; // no line ends before a unit
  return `${number(value, value >= 100 ? 0 : value >= 10 ? 1 : 2)}\u00a0ms`;
}

/** Write a share of one as percent. */
export function percent(value) {
  if (!isNumber(value)) return "–";
  if (value > 0 && value < 0.001) return "<\u00a00.1\u00a0%";
  if (value < 1 && value > 0.999) return ">\u00a099.9\u00a0%";
  return `${number(100 * value, 1)}\u00a0%`;
}
