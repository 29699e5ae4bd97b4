// Cells that are lit for a moment. They are put out within a frame, so that a cell has one look in it.

import { mark } from "./dom.js";

const LIT_MILLIS = 500;
/** The least between two looks at what is to be put out, in ms. */
const LOOK_MILLIS = 125;

class Lights {
  /** The cells, with the time at which each goes out, the next one first. */
  #lit = new Map();
  #timer = 0;
  /** Asks for a frame, in which `putOut` is called. */
  ask = () => {};

  light(cell, direction) {
    mark(cell, "flash", direction);
    this.#lit.delete(cell);
    this.#lit.set(cell, performance.now() + LIT_MILLIS);
    this.#wake(LIT_MILLIS);
  }

  putOut() {
    const now = performance.now();
    for (const [cell, end] of this.#lit) {
      if (end > now) return this.#wake(end - now);
      this.#lit.delete(cell);
      mark(cell, "flash", "");
    }
  }

  #wake(millis) {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.ask();
    }, Math.max(millis, LOOK_MILLIS));
  }
}

export const lights = new Lights();
