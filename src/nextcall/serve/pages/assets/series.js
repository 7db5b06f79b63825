// What was seen in the last five minutes.

/** Seconds that are shown. */
export const SHOWN = 300;

export class Series {
  #points = [];

  /** Keep what was seen at a moment (milliseconds); `values` is null where nothing came. */
  add(at, values) {
    this.#points.push({ at, values });
    while (this.#points.length && this.#points[0].at < at - 1000 * (SHOWN + 5)) this.#points.shift();
  }

  clear() {
    this.#points = [];
  }

  /** Give one value over time: [{at, value}], null where it was not told. */
  line(pick) {
    return this.#points.map(({ at, values }) => {
      const value = values === null ? null : pick(values);
      return { at, value: typeof value === "number" && Number.isFinite(value) ? value : null };
    });
  }
}
