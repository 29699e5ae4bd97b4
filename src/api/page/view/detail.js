// The details of one symbol, beside the list: its fields, its chart and its tape.

import { decimals, grouped, percent, signed, subtract } from "../numbers.js";
import { base, described, lateness, origin, standing, timeOfDay } from "../words.js";
import { Chart } from "./chart.js";
import { Styled, Text, element, mark } from "./dom.js";
import { Tape } from "./tape.js";

const NONE = "–";
/** The listed fields, as [id, heading]. */
const FACTS = [
  ["bid", "Bid"], ["ask", "Ask"], ["size", "Last size"], ["volume", "Volume"], ["open", "Open"], ["prev", "Previous close"],
  ["high", "High"], ["low", "Low"], ["ext", "Extended hours"], ["trades", "Trades seen"], ["time", "Venue time"], ["window", "Statistics over"], ["state", "State"],
];

export class Detail {
  #pane = document.getElementById("detail");
  #title = new Text(document.getElementById("detail-symbol"));
  #described = new Text(document.getElementById("detail-described"));
  #price = new Text(document.getElementById("detail-price"));
  #change = new Styled(document.getElementById("detail-change"));
  #facts = new Map();
  #chart = new Chart();
  #tape = new Tape();
  /** The shown row, or null. */
  row = null;

  constructor(close) {
    const list = document.getElementById("facts");
    for (const [id, heading] of FACTS) {
      const value = element("dd");
      list.append(element("div", { className: `fact-${id}` }, element("dt", {}, heading), value));
      this.#facts.set(id, new Text(value));
    }
    document.getElementById("detail-close").addEventListener("click", close);
  }

  /** Shows a row; null hides the pane. */
  show(row, now) {
    this.row = row;
    this.#pane.hidden = row === null;
    document.body.classList.toggle("with-detail", row !== null);
    if (row === null) return;
    this.draw(now);
    this.drawChart(now);
  }

  /** Scrolls it into view: above a long list it may be out of sight. */
  reveal() {
    this.#pane.scrollIntoView({ block: "start" });
  }

  /** Draws the fields and the tape. */
  draw() {
    const { row } = this;
    const tick = row.tick ?? {};
    const { word, text } = standing(row);
    mark(this.#pane, "state", word);
    mark(this.#pane, "old", (tick.stale ?? []).join(" "));
    this.#title.write(row.symbol);
    const price = (value) => (value === undefined ? NONE : grouped(value, row.decimals));
    this.#described.write(described(row.facts));
    const sized = (value) => grouped(value, row.facts.size_digits);
    this.#price.write(price(tick.price));
    this.#drawChange(tick);
    const withSize = (value, size) => (size === undefined || value === undefined ? price(value) : `${price(value)} × ${sized(size)}`);
    const write = (id, value) => this.#facts.get(id).write(value);
    write("bid", withSize(tick.bid, tick.bid_size));
    write("ask", withSize(tick.ask, tick.ask_size));
    write("size", tick.size === undefined ? NONE : `${sized(tick.size)}${tick.side === undefined ? "" : ` ${tick.side}`}`);
    write("volume", tick.volume === undefined ? NONE : grouped(tick.volume));
    for (const [id, value] of [["open", tick.open], ["prev", tick.prev_close], ["high", tick.high], ["low", tick.low]]) write(id, price(value));
    write("ext", withSize(tick.ext_price, tick.ext_size));
    write("trades", tick.trades === undefined ? NONE : grouped(String(tick.trades)));
    const since = row.cut === null && tick.since !== undefined && row.absent === null ? ` since ${timeOfDay(Number(tick.since) / 1000)}` : "";
    write("state", `${text}${since}${tick.origin === undefined ? "" : `, ${origin(tick.origin)}${lateness(tick)}`}`);
    const venueTime = tick.trade_ts ?? tick.quote_ts;
    write("window", tick.window ?? NONE);
    write("time", venueTime === undefined ? NONE : timeOfDay(Number(venueTime) / 1000, true));
    this.#tape.draw(row);
  }

  #drawChange(tick) {
    const from = base(tick);
    if (tick.price === undefined || from === undefined) return this.#change.write(NONE, "");
    const change = subtract(tick.price, from.value);
    const look = change.startsWith("-") ? "down" : Number(change) === 0 ? "" : "up";
    return this.#change.write(
      `${signed(change, Math.max(this.row.decimals, decimals(change)))} (${percent(change, from.value)}) ${from.text}`, look);
  }

  drawChart(now) {
    this.#chart.draw(this.row, now);
  }

  restyle(now) {
    this.#chart.restyle();
    if (this.row !== null) this.drawChart(now);
  }
}
