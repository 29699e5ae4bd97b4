// One row of the watchlist. Each cell is one text or one attribute, written at most once per frame.

import { compact, compare, decimals, grouped, percent, signed, subtract } from "../numbers.js";
import { age, base, described, shortOrigin, standing } from "../words.js";
import { Styled, Text, calm, element, mark } from "./dom.js";
import { lights } from "./lights.js";
import { drawSparkline } from "./sparkline.js";

const NONE = "–";
/** The largest difference in decimals for which a column still aligns at the decimal point. */
export const PAD_MAX = 8;
const KEYS = "ArrowUp ArrowDown Alt+ArrowUp Alt+ArrowDown Delete";

/** Full for half a second, then fading: by Web Animations, which a strict content security policy allows. */
const flash = (name) => [
  { backgroundColor: `var(--${name}-flash)`, color: `var(--${name})`, offset: 0 },
  { backgroundColor: `var(--${name}-flash)`, color: `var(--${name})`, offset: 0.33 },
  { backgroundColor: "transparent" },
];
const FLASHES = { up: flash("up"), down: flash("down") };
const FLASH_MILLIS = 1_500;

export class RowView {
  #moves = 0;
  #flash = null;
  /** By column, the value that is shown. */
  #earlier = {};
  #texts;
  #cells;
  #change;
  #percent;
  #badge;
  #spark = element("canvas", { ariaHidden: "true" });
  #sparkDrawn = false;
  /** Whether it is within the window: rows out of sight are not animated. */
  seen = true;
  /** Whether the browser has told that it is within the window. */
  inView = false;
  /** The word of the shown state. */
  word = "";
  /** Whether it is out of sight and shows something older. */
  isOld = false;

  constructor(symbol) {
    this.symbol = symbol;
    this.line = element("tr", { role: "row" });
    this.line.dataset.symbol = symbol;
    this.button = element("button", { type: "button", className: "symbol", tabIndex: -1 }, symbol);
    this.button.setAttribute("aria-keyshortcuts", KEYS);
    this.grip = element("span", { className: "grip", title: "Drag to reorder", ariaHidden: "true" });
    this.drop = element("button", {
      type: "button", className: "drop", tabIndex: -1, title: `Remove ${symbol}`, ariaLabel: `Remove ${symbol}`,
    }, "×");
    const badge = element("span", { className: "badge" });
    this.#badge = { element: badge, text: new Text(badge) };
    const name = element("th", { scope: "row", role: "rowheader" }, this.grip, this.button, badge);

    const cell = (column, ...children) => element("td", { className: column, role: "cell" }, ...children);
    const columns = ["last", "bid", "ask", "volume", "age", "state"];
    const cells = Object.fromEntries(columns.map((column) => [column, cell(column)]));
    this.#texts = Object.fromEntries(columns.map((column) => [column, new Text(cells[column])]));
    const [change, inPercent] = [cell("change"), cell("percent")];
    this.#change = new Styled(change);
    this.#percent = new Styled(inPercent);
    this.#cells = cells;
    this.move = cell("move");
    this.line.append(
      name, this.move, cells.last, change, inPercent, cells.bid, cells.ask, cells.volume, cell("spark", this.#spark),
      cells.age, cells.state, cell("tools", this.drop),
    );
  }

  /** The row has come into view, or has left it: only its symbol is rendered there. */
  show(isInView) {
    this.seen = isInView;
    this.inView = isInView;
    this.line.toggleAttribute("data-far", !isInView);
  }

  /** Writes what changed. `decimalsMax` is the most decimals of any row: decimal points are aligned. `fades`: a new price fades. */
  draw(row, now, decimalsMax, fades) {
    const { tick } = row;
    const { word, text } = standing(row);
    this.word = word;
    this.#entitle(described(row.facts));
    this.isOld = false;
    mark(this.line, "state", word);
    // A symbol may be live while an outage has left one of its parts old.
    mark(this.line, "old", (tick?.stale ?? []).join(" "));
    mark(this.line, "pad", String(Math.min(decimalsMax - row.decimals, PAD_MAX)));
    this.#texts.state.write(text);
    this.#drawOrigin(tick?.origin ?? "");
    const price = (value) => (value === undefined ? NONE : grouped(value, row.decimals));
    this.#texts.last.write(price(tick?.price));
    this.#texts.bid.write(price(tick?.bid));
    this.#texts.ask.write(price(tick?.ask));
    this.#texts.volume.write(tick?.volume === undefined ? NONE : compact(tick.volume));
    this.#drawChange(row);
    this.drawAge(row, now);
    if (!this.#sparkDrawn && row.history !== null) this.drawSpark(row, now);
    if (row.moves !== this.#moves) {
      this.#moves = row.moves;
      mark(this.move, "move", row.move);
    }
    for (const [column, value] of [["last", tick?.price], ["bid", tick?.bid], ["ask", tick?.ask]]) {
      const earlier = this.#earlier[column];
      this.#earlier[column] = value;
      if (value === earlier || value === undefined || earlier === undefined) continue;
      if (word === "live" && this.seen && !calm.matches) this.#startFlash(column, compare(value, earlier) > 0 ? "up" : "down", fades);
    }
    if (word === "live") return;
    this.#flash?.cancel();
    for (const column of ["last", "bid", "ask"]) mark(this.#cells[column], "flash", "");
  }

  /** The name of a symbol is shown with the pointer on it. */
  #entitle(name) {
    if (this.button.title !== name) this.button.title = name;
  }

  #drawOrigin(name) {
    mark(this.line, "origin", name);
    this.#badge.text.write(name === "" ? "" : shortOrigin(name));
  }

  #drawChange(row) {
    const price = row.tick?.price;
    const from = row.tick === null ? undefined : base(row.tick);
    mark(this.line, "base", from?.name ?? "");
    if (price === undefined || from === undefined) {
      this.#change.write(NONE, "");
      this.#percent.write(NONE, "");
      return;
    }
    const change = subtract(price, from.value);
    const look = change.startsWith("-") ? "down" : Number(change) === 0 ? "" : "up";
    this.#change.write(signed(change, Math.max(row.decimals, decimals(change))), look);
    this.#percent.write(percent(change, from.value), look);
  }

  drawAge(row, now) {
    const { tick } = row;
    if (row.cut === "paused") return; // A paused row stands still.
    this.#texts.age.write(tick?.recv === undefined ? NONE : age(now - Number(tick.recv) / 1000));
  }

  drawSpark(row, now) {
    if (!this.seen) return;
    this.#sparkDrawn = true;
    drawSparkline(this.#spark, row, now, this.word === "live");
  }

  #startFlash(column, direction, fades) {
    // The last price fades. A quote changes more often, and a busy page has no time for it: a colour that stays for a moment
    // costs no frames.
    if (column !== "last" || !fades) return lights.light(this.#cells[column], direction);
    this.#flash?.cancel();
    this.#flash = this.#cells.last.animate(FLASHES[direction], { duration: FLASH_MILLIS, easing: "ease-out" });
  }
}
