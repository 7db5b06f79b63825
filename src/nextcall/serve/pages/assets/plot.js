// A small plot of lines over the last five minutes, with the same figures as a table.

import { draw, make, scrolling } from "./elements.js";
import { SHOWN } from "./series.js";

const HEIGHT = 170; // as in the style, so that a unit of the drawing is a pixel
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 8, 8, 22];
const EACH = 10; // seconds between two rows of a table

export class Plot {
  #title; #names; #write; #least; #axis;
  #width = 520;
  #drawing = draw("svg", { role: "img" });
  #keys;
  #table = make("table");
  #details;
  #lines = [];
  #now = 0;
  #under = null; // where the pointer is, in pixels

  /** `write` and `axis` give a value as a text; `least` is what the axis reaches at the least. */
  constructor(title, names, { write, axis, least = 1 }) {
    [this.#title, this.#names, this.#write, this.#axis, this.#least] = [title, names, write, axis, least];
    this.#keys = make("ul", { class: "keys" });
    this.#details = make("details", {}, make("summary", {}, "As a table"), scrolling(`${title}, as a table`, this.#table));
    this.#details.addEventListener("toggle", () => this.#fill());
    this.#drawing.addEventListener("pointermove", (event) => {
      this.#under = event.clientX - this.#drawing.getBoundingClientRect().left;
      this.#draw();
    });
    new ResizeObserver(([entry]) => {
      this.#width = Math.max(200, Math.round(entry.contentRect.width));
      this.#draw();
    }).observe(this.#drawing);
    this.#drawing.addEventListener("pointerleave", () => {
      this.#under = null;
      this.#draw();
    });
  }

  /** The element to put on a page. */
  get figure() {
    return make("figure", { class: "plot card" }, make("figcaption", {}, make("h3", {}, this.#title), this.#keys), this.#drawing, this.#details);
  }

  /** Show lines, one for each name: [[{at, value}, ...], ...]. */
  show(lines, now) {
    [this.#lines, this.#now] = [lines, now];
    this.#draw();
    this.#fill();
  }

  #draw() {
    const values = this.#lines.flat().map((point) => point.value).filter((value) => value !== null);
    const top = nice(Math.max(this.#least, ...values));
    const right = this.#width - RIGHT;
    const x = (at) => LEFT + (right - LEFT) * (1 - (this.#now - at) / (1000 * SHOWN));
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      parts.push(draw("line", { class: "grid", x1: LEFT, x2: right, y1: y(share * top), y2: y(share * top) }));
      parts.push(draw("text", { x: LEFT - 8, y: y(share * top) + 4, "text-anchor": "end" }, this.#axis(share * top)));
    }
    const step = this.#width < 420 ? 2 : 1;
    for (let minute = step === 1 ? 5 : 4; minute >= 0; minute -= step) {
      const anchor = minute === 0 ? "end" : "middle";
      parts.push(draw("text", { x: x(this.#now - 60000 * minute), y: HEIGHT - 4, "text-anchor": anchor }, minute ? `−${minute} min` : "now"));
    }
    this.#lines.forEach((line, place) => {
      parts.push(draw("path", { class: "line", "data-line": place, d: path(line.filter(({ at }) => x(at) >= LEFT - 1), x, y) }));
      const last = line.at(-1);
      if (last && last.value !== null) parts.push(draw("circle", { class: "dot", "data-line": place, r: 3, cx: x(last.at), cy: y(last.value) }));
    });
    const at = this.#pointed(x);
    if (at !== null) {
      parts.push(draw("line", { class: "cursor", x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM }));
      this.#lines.forEach((line, place) => {
        const value = line.find((point) => point.at === at)?.value ?? null;
        if (value !== null) parts.push(draw("circle", { class: "dot", "data-line": place, r: 3, cx: x(at), cy: y(value) }));
      });
    }
    this.#drawing.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.#drawing.replaceChildren(...parts);
    this.#name(at);
  }

  #pointed(x) {
    const times = (this.#lines[0] ?? []).map((point) => point.at);
    if (this.#under === null || !times.length) return null;
    return times.reduce((best, at) => (Math.abs(x(at) - this.#under) < Math.abs(x(best) - this.#under) ? at : best));
  }

  #name(at) {
    const shown = this.#lines.map((line) => (at === null ? line.at(-1) : line.find((point) => point.at === at))?.value ?? null);
    const said = this.#names.map((name, place) => [name, shown[place] === null || shown[place] === undefined ? "–" : this.#write(shown[place])]);
    const when = at === null ? [] : [make("li", {}, clock(at))];
    this.#keys.replaceChildren(...when, ...said.map(([name, value], place) =>
      make("li", {}, draw("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, draw("path", { class: "line", "data-line": place, d: "M1 4H23" })), `${name} `, make("b", {}, value))));
    if (at === null) this.#drawing.setAttribute("aria-label", `${this.#title}, the last five minutes. Now: ${said.map((pair) => pair.join(" ")).join(", ")}. The table has the rest.`);
  }

  #fill() {
    if (!this.#details.open) return;
    const times = (this.#lines[0] ?? []).map((point) => point.at).reverse();
    const rows = [];
    let before = Infinity;
    for (const at of times) {
      if (before - at < 1000 * EACH - 500) continue;
      before = at;
      const cells = this.#lines.map((line) => line.find((point) => point.at === at)?.value ?? null);
      rows.push(make("tr", {}, make("th", { scope: "row" }, clock(at)), ...cells.map((value) => make("td", { class: "number" }, value === null ? "–" : this.#write(value)))));
    }
    const head = make("tr", {}, make("th", { scope: "col" }, "Time"), ...this.#names.map((name) => make("th", { scope: "col", class: "number" }, name)));
    this.#table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
  }
}

/** Write a moment as the clock shows it. */
export function clock(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** Give the next of 1, 2, 3, 4, 5, 6, 8, 10, 20, ... */
export function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

function path(line, x, y) {
  let drawn = "";
  let joined = false;
  for (const { at, value } of line) {
    if (value !== null) drawn += `${joined ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    joined = value !== null;
  }
  return drawn || "M0 0";
}
