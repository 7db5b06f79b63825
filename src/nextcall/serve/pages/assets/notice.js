// One place of a page that says what is wrong, and counts down where there is something to wait for.

import { make } from "./elements.js";
import { span } from "./words.js";

export class Notice {
  #place;
  #timer = null;

  /** `place` is an element with role="alert". */
  constructor(place) {
    this.#place = place;
  }

  clear() {
    clearInterval(this.#timer);
    this.#place.replaceChildren();
  }

  /** Say it; after `wait` seconds, which are counted down, `then` is called. */
  say({ kind = "warn", title, lines = [], wait = null, waiting = "Ask again in" }, then = () => {}) {
    this.clear();
    const box = make("div", { class: "notice", "data-kind": kind }, make("p", { class: "says" }, title));
    if (lines.length === 1) box.append(make("p", {}, lines[0]));
    if (lines.length > 1) box.append(make("ul", {}, ...lines.map((line) => make("li", {}, line))));
    this.#place.append(box);
    if (wait !== null) this.#count(box, waiting, wait, then);
  }

  #count(box, words, wait, then) {
    const end = Date.now() + 1000 * wait;
    const left = () => Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const told = make("p", { role: "timer", "aria-live": "off" }, `${words} ${span(left())}.`);
    box.append(told);
    this.#timer = setInterval(() => {
      told.textContent = `${words} ${span(left())}.`;
      if (left() > 0) return;
      clearInterval(this.#timer);
      then();
    }, 250);
  }
}
