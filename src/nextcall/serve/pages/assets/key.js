// The field for a key: shown where the service asks for one.

import { byId } from "./elements.js";
import { key } from "./service.js";

export class KeyField {
  #form = byId("key-form");
  #input = byId("key");

  /** `used` is called when a key was given. */
  constructor(used) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const value = this.#input.value.trim();
      const fits = /^[\x21-\x7e]+$/.test(value); // what a header can carry
      this.#input.setAttribute("aria-invalid", String(!fits));
      if (!fits) return this.#input.focus();
      key.set(value);
      this.#input.value = "";
      this.hide();
      used();
    });
    byId("forget").addEventListener("click", () => {
      key.forget();
      byId("key-used").hidden = true;
      this.show();
    });
    this.hide();
  }

  show() {
    byId("key-used").hidden = true;
    this.#form.hidden = false;
    this.#input.focus();
  }

  hide() {
    this.#form.hidden = true;
    byId("key-used").hidden = key.get() === null;
  }
}
