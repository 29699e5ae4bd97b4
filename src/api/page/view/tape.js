// The tape of one symbol: its trades, newest first, with a line wherever some are missing.

import { grouped } from "../numbers.js";
import { timeOfDay } from "../words.js";
import { element } from "./dom.js";

const LINES = 60;

export class Tape {
  #body = document.querySelector("#tape tbody");
  #row = null;
  #shown = 0;

  /** Writes the new lines of this row. */
  draw(row) {
    if (row !== this.#row) {
      this.#row = row;
      this.#shown = 0;
      this.#body.replaceChildren();
    }
    const fresh = row.tape.filter(({ number }) => number > this.#shown);
    if (fresh.length === 0) return;
    this.#shown = row.tapeLines;
    this.#body.prepend(...fresh.reverse().map((entry) => line(entry, row)));
    while (this.#body.rows.length > LINES) this.#body.lastElementChild.remove();
  }
}

function line(entry, { decimals, facts }) {
  if (entry.gap !== undefined) {
    const text = entry.gap === null ? "the gateway restarted" : `${entry.gap} ${entry.gap === 1 ? "trade" : "trades"} not shown`;
    return element("tr", { className: "gap" }, element("td", { colSpan: 4 }, text));
  }
  if (entry.note !== undefined) return element("tr", { className: "gap" }, element("td", { colSpan: 4 }, entry.note));
  const side = entry.outside ? "extended" : entry.side;
  return element("tr", { className: entry.side },
    element("td", {}, timeOfDay(Number(entry.time) / 1000, true)),
    element("td", { className: `price ${entry.move ?? ""}` }, entry.price === undefined ? "–" : grouped(entry.price, decimals)),
    element("td", {}, entry.size === undefined ? "–" : grouped(entry.size, facts.size_digits)),
    element("td", { className: "side" }, side));
}
