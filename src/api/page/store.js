// The newest state of each symbol on the list, and what was seen of it: merges ticks into rows. It draws nothing, opens
// nothing and reads no clock.

import { compare, decimals } from "./numbers.js";
import { History } from "./history.js";

/** How many lines of its tape a symbol keeps. */
const TAPE_LINES = 60;
export const DECIMALS_MIN = 2;

export class Store {
  #epoch = null;
  /** By symbol, in the order of the list. */
  rows = new Map();
  /** Rows that have something new to show. */
  changed = new Set();

  /** The list from now on. What is known of a symbol that stays is kept. */
  list(symbols) {
    const earlier = this.rows;
    this.rows = new Map(symbols.map((symbol) => [symbol, earlier.get(symbol) ?? newRow(symbol)]));
    for (const row of earlier.values()) if (!this.rows.has(row.symbol)) this.changed.delete(row);
    for (const row of this.rows.values()) this.changed.add(row);
  }

  /** A stream begins. Another epoch counts anew. */
  hello({ epoch, unknown }) {
    for (const row of this.rows.values()) {
      row.unknown = unknown.includes(row.symbol);
      this.changed.add(row);
      if (epoch !== this.#epoch) startAnew(row);
    }
    this.#epoch = epoch;
  }

  /** None of the symbols is known to the gateway. */
  unknown() {
    for (const row of this.rows.values()) {
      row.unknown = true;
      this.changed.add(row);
    }
  }

  /** Nothing counts as live any more, for this reason: each row does again with its own next tick. */
  cut(reason) {
    for (const row of this.rows.values()) {
      if (row.tick === null || row.cut === reason) continue;
      if (row.cut === null) row.history?.interrupt();
      row.cut = reason;
      this.changed.add(row);
    }
  }

  /** Takes a tick with its numbers as texts; returns its row, or nothing where it says nothing new. */
  take(tick) {
    const row = this.rows.get(tick.symbol);
    const seq = Number(tick.seq);
    if (row === undefined || seq < row.seq) return undefined;
    row.cut = null;
    row.unknown = false;
    this.changed.add(row);
    // The newest of all comes with each stream, and so twice over a reconnect: it is live again, and nothing has moved.
    if (seq === row.seq && row.tick !== null) return undefined;
    const earlier = row.tick;
    row.seq = seq;
    row.tick = tick;
    row.decimals = Math.max(row.decimals, decimals(tick.price), decimals(tick.bid), decimals(tick.ask));
    if (tick.price !== undefined) see(row, tick, earlier);
    if (tick.state !== "live" && earlier?.state === "live") row.history?.interrupt();
    tell(row, tick, earlier);
    return row;
  }
}

function newRow(symbol) {
  return {
    symbol,
    tick: null,
    seq: -1,
    cut: null,
    unknown: false,
    /** As many as the symbol ever had: so that its prices keep still. */
    decimals: DECIMALS_MIN,
    /** The direction of the last other price: "", "up" or "down"; and how many there were. */
    move: "",
    moves: 0,
    history: null,
    /** Newest last: trades, gaps, notes. Each has a number of its own. */
    tape: [],
    tapeLines: 0,
    /** The symbol's trades so far; null where that is not known of this epoch. */
    trades: null,
  };
}

function startAnew(row) {
  row.seq = -1;
  if (row.trades !== null) line(row, { gap: null });
  row.trades = null;
}

function see(row, tick, earlier) {
  const before = earlier?.price;
  const direction = before === undefined ? 0 : compare(tick.price, before);
  if (direction !== 0) {
    row.move = direction > 0 ? "up" : "down";
    row.moves += 1;
  }
  if (before === undefined || direction !== 0 || tick.kind === "trade") {
    row.history ??= new History();
    row.history.add(Number(tick.recv) / 1000, Number(tick.price));
  }
}

/** Writes the tape. Where `trades` jumps, trades are missing between: that is said, never bridged. */
function tell(row, tick, earlier) {
  const trades = Number(tick.trades ?? 0);
  if (trades > (row.trades ?? 0)) {
    const missing = row.trades === null ? 0 : trades - row.trades - 1;
    if (missing > 0) line(row, { gap: missing });
    line(row, lastTrade(tick, earlier));
  } else if (tick.kind === "correction") {
    line(row, { note: tick.price === undefined ? "last trade cancelled" : `corrected to ${tick.price}` });
  }
  row.trades = trades;
}

function lastTrade(tick, earlier) {
  const outside = tick.ext_price !== undefined
    && (tick.price === undefined || Number(tick.ext_ts ?? 0) > Number(tick.trade_ts ?? 0));
  if (outside) return { price: tick.ext_price, size: tick.ext_size, time: tick.ext_ts ?? tick.recv, side: "", outside };
  const direction = earlier?.price === undefined || tick.price === undefined ? 0 : compare(tick.price, earlier.price);
  return {
    price: tick.price,
    size: tick.size,
    time: tick.trade_ts ?? tick.recv,
    side: tick.side ?? "",
    move: direction > 0 ? "up" : direction < 0 ? "down" : "",
    outside: false,
  };
}

function line(row, entry) {
  row.tapeLines += 1;
  row.tape.push({ number: row.tapeLines, ...entry });
  if (row.tape.length > TAPE_LINES) row.tape.shift();
}
