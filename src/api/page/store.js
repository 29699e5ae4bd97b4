// The newest state of each listed symbol and its recent history: merges ticks into rows. It draws nothing, opens
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
  /** Rows that were taken off the list, as long as the stream still carries them: one that is listed again goes on. */
  #left = new Map();
  /** Rows that have something new to show. */
  changed = new Set();

  /** Replaces the list. A symbol that stays keeps its row. */
  list(symbols) {
    const earlier = this.rows;
    const rowOf = (symbol) => earlier.get(symbol) ?? this.#left.get(symbol) ?? newRow(symbol);
    this.rows = new Map(symbols.map((symbol) => [symbol, rowOf(symbol)]));
    for (const row of earlier.values()) {
      if (this.rows.has(row.symbol)) continue;
      this.changed.delete(row);
      this.#left.set(row.symbol, row);
    }
    for (const symbol of symbols) this.#left.delete(symbol);
    for (const row of this.rows.values()) this.changed.add(row);
  }

  /** A stream begins, or an open one starts over. In a new epoch the counts do. */
  hello({ epoch, symbols = [], unknown, denied, delayed = [] }) {
    for (const symbol of this.#left.keys()) if (!symbols.includes(symbol)) this.#left.delete(symbol);
    for (const row of this.rows.values()) {
      miss(row, absence(row.symbol, unknown, denied));
      this.changed.add(row);
    }
    for (const row of [...this.rows.values(), ...this.#left.values()]) {
      if (epoch !== this.#epoch) startOver(row);
      pass(row, delayed);
    }
    this.#epoch = epoch;
  }

  /** From here on the stream carries these symbols. */
  carries({ symbols, unknown, denied, delayed = [] }) {
    for (const [symbol, row] of this.#left) {
      if (symbols.includes(symbol)) pass(row, delayed);
      else this.#left.delete(symbol);
    }
    for (const row of this.rows.values()) {
      const absent = absence(row.symbol, unknown, denied);
      if (row.absent !== absent) this.changed.add(row);
      miss(row, absent);
      pass(row, delayed);
    }
  }

  /** No stream carries any of the symbols, for this reason. */
  missAll(reason) {
    for (const row of this.rows.values()) {
      miss(row, reason);
      this.changed.add(row);
    }
  }

  /** No row counts as live any more, for this reason. Each is live again with its own next tick. */
  cut(reason) {
    this.#left.clear();
    for (const row of this.rows.values()) this.#cut(row, reason);
  }

  /** The row of this symbol does not count as live any more, until its own next tick. */
  lose(symbol) {
    const row = this.rows.get(symbol);
    if (row !== undefined) this.#cut(row, "lost");
  }

  #cut(row, reason) {
    // What is not connected stays so, also on a page that is then paused.
    if (row.tick === null || row.cut === reason || row.cut === "lost") return;
    if (row.cut === null) row.history?.interrupt();
    row.cut = reason;
    this.changed.add(row);
  }

  /** Puts a line of past prices, as [time in ms, price], into a row's charts. */
  remember(row, line) {
    // While a row is cut its line ends: what is fetched after the next hello goes on to it.
    if (this.rows.get(row.symbol) !== row || row.cut !== null || row.absent !== null || line.length === 0) return;
    row.history ??= new History();
    row.history.merge(line);
    // What came while the answer was on its way may be in the second that it ends with.
    const { recv, price, state } = row.tick ?? {};
    if (price === undefined || Number(recv) / 1000 <= row.history.newest) return;
    row.history.add(Number(recv) / 1000, Number(price));
    if (state !== "live") row.history.interrupt();
  }

  /** Keeps what is known of a symbol besides its prices. */
  know({ symbol, name, currency, kind, price_digits, size_digits }) {
    const row = this.rows.get(symbol);
    if (row === undefined) return;
    row.facts = { name, currency, kind, price_digits, size_digits };
    row.decimals = decimalsOf(row);
    this.changed.add(row);
  }

  /** Merges a tick whose numbers are strings; returns its row, or undefined if the tick is not new. */
  take(tick) {
    const listed = this.rows.get(tick.symbol);
    const row = listed ?? this.#left.get(tick.symbol);
    const seq = Number(tick.seq);
    if (row === undefined || seq < row.seq) return undefined;
    row.cut = null;
    row.absent = null;
    if (listed !== undefined) this.changed.add(row);
    // Each stream begins with the newest tick, so a reconnect repeats it: the row is live again, but nothing has moved.
    if (seq === row.seq && row.tick !== null) return undefined;
    const earlier = row.tick;
    row.seq = seq;
    row.tick = tick;
    row.seenDecimals = Math.max(row.seenDecimals, decimals(tick.price), decimals(tick.bid), decimals(tick.ask));
    row.decimals = decimalsOf(row);
    if (tick.price !== undefined) see(row, tick, earlier);
    if (tick.state !== "live" && earlier?.state === "live") row.history?.interrupt();
    extendTape(row, tick, earlier);
    return row;
  }
}

const absence = (symbol, unknown, denied = []) =>
  unknown.includes(symbol) ? "unknown" : denied.includes(symbol) ? "denied" : null;

/** Notes why the stream does not carry a row's symbol, or that it does. */
function miss(row, reason) {
  if (reason !== null && row.absent === null) row.history?.interrupt();
  row.absent = reason;
}

function newRow(symbol) {
  return {
    symbol,
    tick: null,
    seq: -1,
    cut: null,
    /** Why the stream does not carry it: "unknown" to all feeds, or "denied" to this client. */
    absent: null,
    /** Whether its prices are delayed, as the stream says. */
    delayed: false,
    /** What is known of it besides its prices: name, currency, kind, price_digits, size_digits, as far as the gateway knows it. */
    facts: {},
    /** The most decimals that its prices ever had. */
    seenDecimals: 0,
    /** The decimals of its prices, so that they do not jump sideways: as the venue says, else two; more where prices have more. */
    decimals: DECIMALS_MIN,
    /** The direction of the last price change, "", "up" or "down", and the number of changes. */
    move: "",
    moves: 0,
    history: null,
    /** Trades, gaps and notes, the newest last. Each has a number of its own. */
    tape: [],
    tapeLines: 0,
    /** The symbol's trades so far in this epoch; null while unknown. */
    trades: null,
  };
}

function decimalsOf({ facts, seenDecimals }) {
  return Math.max(facts.price_digits ?? DECIMALS_MIN, seenDecimals);
}

function startOver(row) {
  row.seq = -1;
  if (row.trades !== null) line(row, { gap: null });
  row.trades = null;
}

/** Live prices and delayed ones are counted apart: a row that passes between them starts over, with its charts. */
function pass(row, delayed) {
  const isDelayed = delayed.includes(row.symbol);
  if (row.delayed === isDelayed) return;
  row.delayed = isDelayed;
  row.history = null;
  startOver(row);
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

/** Writes the tape. Where `trades` jumps, trades are missing: the tape shows a gap. */
function extendTape(row, tick, earlier) {
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
