// Announcements for screen readers: the connection, and symbols that become stale or live again. Prices change too fast
// to read, and notices are read where they are shown.

import { element } from "./dom.js";

/** How long changes are collected, in ms: they come in bursts. */
const GATHER_MILLIS = 800;
/** How many symbols an announcement names; more are counted instead. */
const NAMED_MAX = 5;

export class Announcer {
  #region = document.getElementById("announcer");
  #gathered = new Map();
  #timer = 0;

  /** The connection has changed. */
  link(text) {
    this.#say(text);
  }

  /** A row's state has changed. */
  turn({ symbol, from, to }) {
    const matters = to === "stale" || to === "halted" || (to === "live" && (from === "stale" || from === "halted"));
    if (!matters) return;
    this.#gathered.set(symbol, to === "live" ? "live again" : to);
    if (this.#timer === 0) this.#timer = setTimeout(() => this.#announce(), GATHER_MILLIS);
  }

  #announce() {
    this.#timer = 0;
    const byState = new Map();
    for (const [symbol, state] of this.#gathered) byState.set(state, [...(byState.get(state) ?? []), symbol]);
    this.#gathered.clear();
    for (const [state, symbols] of byState) {
      this.#say(symbols.length > NAMED_MAX ? `${symbols.length} symbols ${state}` : `${symbols.join(", ")} ${state}`);
    }
  }

  #say(text) {
    this.#region.append(element("p", {}, text));
    while (this.#region.childElementCount > NAMED_MAX) this.#region.firstElementChild.remove();
  }
}
