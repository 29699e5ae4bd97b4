// What is read aloud: the connection, and symbols that become stale or live again. Not prices: nobody could follow.

import { element } from "./dom.js";

/** Changes come in bursts: they are gathered for so long. */
const GATHER_MILLIS = 800;
/** More symbols than this are only counted. */
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
    if (this.#timer === 0) this.#timer = setTimeout(() => this.#tell(), GATHER_MILLIS);
  }

  #tell() {
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
