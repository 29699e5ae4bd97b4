// The search: a combobox over the gateway's symbols.

import { element } from "./dom.js";

const SHOWN = 8;
/** The pause in typing, in ms, after which the gateway is asked. */
const PAUSE_MILLIS = 120;

/** The symbols that contain this, or whose names do, those that begin with it first. */
async function find(typed, signal) {
  const answer = await fetch(`/v1/symbols?limit=${SHOWN}&q=${encodeURIComponent(typed)}`, { signal });
  if (!answer.ok) throw new Error(`/v1/symbols answers ${answer.status}`);
  return answer.json();
}

/** As the gateway compares them: without case and marks. */
const bare = (text) => text.toUpperCase().replace(/[^\p{L}\p{N}]/gu, "");

export class Search {
  #input = document.getElementById("search");
  #list = document.getElementById("found");
  #found = [];
  #active = -1;
  #timer = 0;
  #asked = null;
  #on;

  /** `on` has add(symbol), listed(symbol) and focus(symbol). */
  constructor(on) {
    this.#on = on;
    this.#input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), PAUSE_MILLIS);
    });
    this.#input.addEventListener("focus", () => this.#ask());
    this.#input.addEventListener("blur", () => this.#close());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    // Before the input loses the focus, which closes the list.
    this.#list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option !== null) this.#take(this.#found[[...this.#list.children].indexOf(option)]);
    });
    addEventListener("keydown", (event) => {
      const typing = event.target.matches?.("input:not([type=range])");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#input.focus();
    });
  }

  async #ask() {
    this.#asked?.abort();
    const asked = this.#asked = new AbortController();
    const typed = this.#input.value.trim();
    try {
      const { symbols, more } = await find(typed, asked.signal);
      if (asked === this.#asked && document.activeElement === this.#input) this.#open(symbols, more, typed);
    } catch {
      // Aborted by a newer request, or not reachable, which the pill shows.
    }
  }

  #open(found, more, typed) {
    this.#found = found;
    const options = found.map(({ symbol, name, feed, state, access }, index) => {
      const listed = this.#on.listed(symbol);
      return element("li", { id: `found-${index}`, role: "option", ariaSelected: "false" },
        element("b", {}, symbol), element("span", {}, name ?? feed),
        element("i", {}, listed ? "on the list" : access === "denied" ? "not entitled" : state));
    });
    // The gateway may subscribe on demand: what it does not list yet may still come.
    if (found.length === 0) options.push(element("li", { className: "none", role: "presentation" }, typed === "" ? "Type a symbol" : `Not listed. Enter asks for ${typed.toUpperCase()}`));
    if (more) options.push(element("li", { className: "none", role: "presentation" }, "… and more"));
    this.#list.replaceChildren(...options);
    this.#list.hidden = false;
    this.#input.ariaExpanded = "true";
    this.#activate(found.length > 0 && typed !== "" ? 0 : -1);
  }

  #close() {
    this.#asked?.abort();
    this.#asked = null;
    clearTimeout(this.#timer);
    this.#list.hidden = true;
    this.#input.ariaExpanded = "false";
    this.#activate(-1);
  }

  #activate(index) {
    this.#active = index;
    for (const [place, option] of [...this.#list.children].entries()) {
      if (option.role === "option") option.ariaSelected = String(place === index);
    }
    if (index < 0) this.#input.removeAttribute("aria-activedescendant");
    else this.#input.setAttribute("aria-activedescendant", `found-${index}`);
  }

  #key(event) {
    const count = this.#found.length;
    if (event.key === "Escape") {
      this.#input.value = "";
      this.#close();
    } else if (event.key === "Enter") {
      const chosen = this.#found[this.#active];
      // The list may still be that of an earlier input.
      const isFound = [chosen?.symbol, chosen?.name].some((text) => bare(text ?? "").includes(bare(this.#input.value)));
      if (chosen !== undefined && !this.#list.hidden && isFound) {
        this.#take(chosen);
      } else if (this.#input.value.trim() !== "") {
        this.#take({ symbol: this.#input.value });
      }
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count > 0 && !this.#list.hidden) {
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.#activate((Math.max(this.#active, step > 0 ? -1 : 0) + step + count) % count);
    } else {
      return;
    }
    event.preventDefault();
  }

  #take({ symbol }) {
    this.#input.value = "";
    this.#close();
    this.#on.add(symbol);
  }
}
