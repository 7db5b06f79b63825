// The calls so far: a list that grows by typing or by a click on an answer.

import { byId, make } from "./elements.js";

export class EarlierCalls {
  #calls = [];
  #list = byId("earlier");
  #input = byId("call");
  #told;

  /** `told` hears, in words, what was added and removed. */
  constructor(told) {
    this.#told = told;
    byId("add").addEventListener("click", () => this.#take());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || !this.#input.value.trim()) return;
      event.preventDefault(); // an empty field lets the form be sent
      this.#take();
    });
  }

  /** As the service wants them, oldest first; what was typed and not added counts. */
  history() {
    this.#take({ quietly: true });
    return this.#calls.map((call) => ({ api_call: call }));
  }

  add(call) {
    this.#calls.push(call);
    this.#show();
    this.#told(`Earlier call ${this.#calls.length}: ${call}.`);
  }

  /** Offer calls that were seen while typing. */
  offer(calls) {
    const known = byId("known");
    const before = [...known.options].map((option) => option.value);
    for (const call of calls) if (!before.includes(call)) known.prepend(make("option", { value: call }));
    while (known.children.length > 200) known.lastElementChild.remove();
  }

  #take({ quietly = false } = {}) {
    const call = this.#input.value.trim();
    this.#input.value = "";
    if (call) this.add(call);
    if (!quietly) this.#input.focus();
  }

  #remove(place) {
    const [gone] = this.#calls.splice(place, 1);
    this.#show();
    (this.#list.querySelectorAll("button")[Math.min(place, this.#calls.length - 1)] ?? this.#input).focus();
    this.#told(`Removed ${gone}.`);
  }

  #show() {
    this.#list.replaceChildren(
      ...this.#calls.map((call, place) =>
        make("li", {}, make("code", {}, call),
          make("button", { type: "button", "aria-label": `Remove ${call}`, onclick: () => this.#remove(place) }, "×")),
      ),
    );
  }
}
