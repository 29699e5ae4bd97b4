// The table: its rows in their order, the focused row, and the keys and mouse actions on them.

import { DECIMALS_MIN } from "../store.js";
import { standing } from "../words.js";
import { Text, keepingFocus, mark } from "./dom.js";
import { dragRows } from "./drag.js";
import { PAD_MAX, RowView } from "./row.js";

/** The heading of the column of changes, by their common base. */
const BASES = { close: "vs close", open: "vs open", "24h": "in 24 h", mixed: "vs base" };

export class Watchlist {
  #body = document.querySelector("#watchlist tbody");
  #headings = document.getElementById("headings");
  #empty = document.getElementById("empty");
  #base = new Text(document.getElementById("base"));
  /** By symbol, in the order of the list. */
  #views = new Map();
  #decimalsMax = 0;
  #on;
  #inWindow = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const view = this.#views.get(target.dataset.symbol);
      if (view === undefined) continue;
      view.show(isIntersecting);
      if (isIntersecting) this.#on.seen(view.symbol);
    }
  }, { rootMargin: "25%" });

  /** `on` has select, remove, moved (the focus, by a key), order (of all symbols), sort (by a column) and seen (of a row that came into view). */
  constructor(on) {
    this.#on = on;
    this.#body.addEventListener("click", ({ target }) => {
      const symbol = target.closest("tr")?.dataset.symbol;
      if (symbol === undefined || target.matches(".grip")) return;
      this.#hold(symbol);
      if (target.matches(".drop")) this.remove(symbol);
      else on.select(symbol);
    });
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("focusin", ({ target }) => {
      if (target.matches("button.symbol")) this.#hold(target.closest("tr").dataset.symbol);
    });
    dragRows(this.#body, { settle: (symbols) => on.order(symbols), restore: () => this.list([...this.#views.keys()]) });
    this.#headings.addEventListener("click", ({ target }) => {
      const column = target.closest("button")?.parentElement.dataset.column;
      if (column !== undefined) on.sort(column);
    });
  }

  /** Whether the pointer is over the rows: they must not move under it. */
  get isPointedAt() {
    return this.#body.matches(":hover");
  }

  /** Shows in the headings how the rows are sorted: `{ column, isDown }`, or null. */
  showSort(sort) {
    for (const heading of this.#headings.querySelectorAll("[data-column]")) {
      const isSorted = sort?.column === heading.dataset.column;
      heading.ariaSort = isSorted ? (sort.isDown ? "descending" : "ascending") : "none";
    }
  }

  /** Shows these symbols in this order. Symbols that stay keep their rows. */
  list(symbols) {
    const earlier = this.#views;
    this.#views = new Map(symbols.map((symbol) => [symbol, earlier.get(symbol) ?? this.#newView(symbol)]));
    for (const [symbol, view] of earlier) {
      if (this.#views.has(symbol)) continue;
      this.#inWindow.unobserve(view.line);
      view.line.remove();
    }
    keepingFocus(this.#body, () => {
      let place = this.#body.firstElementChild;
      for (const { line } of this.#views.values()) {
        if (line === place) place = place.nextElementSibling;
        else this.#body.insertBefore(line, place);
      }
    });
    this.#empty.hidden = symbols.length > 0;
    // Exactly one row is a tab stop.
    const held = [...this.#views.values()].some(({ button }) => button.tabIndex === 0);
    const first = this.#views.values().next().value;
    if (!held && first !== undefined) first.button.tabIndex = 0;
  }

  #newView(symbol) {
    const view = new RowView(symbol);
    this.#inWindow.observe(view.line);
    return view;
  }

  /** Whether a symbol's row is in view, as far as the browser has told. */
  isInView(symbol) {
    return this.#views.get(symbol)?.inView ?? false;
  }

  /** Draws the changed rows; `fades`: new prices fade. Returns the changes of their states, as `{ symbol, from, to }`. */
  draw(store, now, fades) {
    let most = 0;
    for (const row of store.rows.values()) most = Math.max(most, row.decimals);
    // The headings align with the prices that have the most decimals.
    mark(this.#headings, "pad", String(Math.min(most - DECIMALS_MIN, PAD_MAX)));
    const rows = most === this.#decimalsMax ? store.changed : store.rows.values();
    this.#decimalsMax = most;
    const turns = [];
    for (const row of rows) {
      const view = this.#views.get(row.symbol);
      if (view === undefined) continue;
      const from = view.word;
      const { word } = standing(row);
      // Rows out of sight are drawn once a second, but for a change of their state.
      if (!view.seen && word === from) {
        view.isOld = true;
        continue;
      }
      view.draw(row, now, most, fades);
      if (view.word !== from) turns.push({ symbol: row.symbol, from, to: view.word });
    }
    return turns;
  }

  /** Draws what changes by time alone. */
  drawTimes(store, now) {
    const bases = new Set();
    for (const row of store.rows.values()) {
      const view = this.#views.get(row.symbol);
      if (view?.isOld) view.draw(row, now, this.#decimalsMax);
      else view?.drawAge(row, now);
      view?.drawSpark(row, now);
      if (view?.line.dataset.base) bases.add(view.line.dataset.base);
    }
    this.#base.write(BASES[bases.size > 1 ? "mixed" : [...bases][0]] ?? "");
  }

  /** Marks the row of the shown details. */
  select(symbol) {
    for (const view of this.#views.values()) {
      const chosen = view.symbol === symbol;
      view.button.ariaPressed = String(chosen);
      if (chosen) view.line.dataset.chosen = "";
      else delete view.line.dataset.chosen;
    }
  }

  focus(symbol) {
    const view = this.#views.get(symbol);
    if (view === undefined) return;
    this.#hold(symbol);
    view.button.focus();
    view.line.scrollIntoView({ block: "nearest" });
  }

  /** Removes a row. The focus moves to its neighbour, so that keys keep working. */
  remove(symbol) {
    const symbols = [...this.#views.keys()];
    const place = symbols.indexOf(symbol);
    const inside = this.#views.get(symbol)?.line.contains(document.activeElement);
    this.#on.remove(symbol);
    const neighbour = symbols[place + 1] ?? symbols[place - 1];
    if (inside && neighbour !== undefined) this.focus(neighbour);
  }

  #hold(symbol) {
    for (const { button, symbol: other } of this.#views.values()) button.tabIndex = other === symbol ? 0 : -1;
  }

  #key(event) {
    const symbol = event.target.closest("tr")?.dataset.symbol;
    if (symbol === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const symbols = [...this.#views.keys()];
    const place = symbols.indexOf(symbol);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const to = step === undefined ? { Home: 0, End: symbols.length - 1 }[event.key] : place + step;
    if (event.key === "Delete") {
      this.remove(symbol);
    } else if (to === undefined) {
      return;
    } else if (symbols[to] !== undefined && event.altKey) {
      if (to !== place) this.#on.order(symbols.toSpliced(place, 1).toSpliced(to, 0, symbol));
      this.focus(symbol);
    } else if (symbols[to] !== undefined) {
      this.focus(symbols[to]);
      this.#on.moved(symbols[to]);
    }
    event.preventDefault();
  }
}
