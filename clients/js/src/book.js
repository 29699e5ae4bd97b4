// The newest tick of each symbol of a stream: applies patches, skips what it has, counts what is missing. It opens nothing
// and reads no clock.

import { parseExact } from "./numbers.js";

export const NOTHING_MISSED = { missedTicks: 0, missedTrades: 0, restarted: false, repeated: false };

export class Book {
  #epoch;
  #parse;
  #take;
  #gap;
  /** By symbol: its tick as shown, whether it is lost, its last seq and trades in this epoch, and whether it is delayed. */
  #rows = new Map();

  /** `take(symbol, tick, change)` gets each tick to show; `gap()` is called for a patch of a tick that never came. */
  constructor(take, exact, gap = () => {}) {
    this.#take = take;
    this.#gap = gap;
    this.#parse = exact ? parseExact : JSON.parse;
  }

  /** The newest tick as it was shown last. */
  get(symbol) {
    return this.#rows.get(symbol)?.shown;
  }

  /** The ticks, as JSON: another book can begin with them. With `lost`, those that are, and why. */
  ticks() {
    return this.#begun().map(({ tick, isLost, shown }) => JSON.stringify({ ...tick, lost: isLost ? shown.reason : undefined }));
  }

  #begun() {
    return [...this.#rows.values()].filter(({ tick }) => tick);
  }

  /** An event of the stream, by its name. */
  event(name, data) {
    if (name === "message") this.#whole(this.#parse(data));
    else if (name === "patch") this.#patch(this.#parse(data));
    else if (name === "hello") {
      const hello = JSON.parse(data);
      const restarts = hello.epoch !== this.#epoch;
      this.#epoch = hello.epoch;
      this.#lists(hello, restarts);
    } else if (name === "symbols") this.#lists(JSON.parse(data), false);
  }

  /** No tick counts as live any more: each is again with its own next one. Those of `symbols` without a tick are told too. */
  down(symbols, reason) {
    this.#lost([...this.#begun().map(({ symbol }) => symbol), ...symbols], reason);
  }

  #lost(symbols, reason) {
    for (const symbol of symbols) {
      const row = this.#row(symbol);
      if (row.isLost) continue;
      row.isLost = true;
      this.#show(row, { ...(row.tick ?? { symbol, seq: 0, kind: "status" }), state: "lost", reason });
    }
  }

  /** No stream carries these symbols: "unknown" or "denied". */
  absent(symbols, state) {
    for (const symbol of symbols) {
      const row = this.#row(symbol);
      if (row.shown?.state === state) continue;
      Object.assign(row, blank(row.isDelayed));
      this.#show(row, { symbol, seq: 0, kind: "status", state });
    }
  }

  #lists({ symbols, unknown, denied = [], delayed = [] }, restarts) {
    const carried = new Set(symbols);
    const [absent, late] = [new Set([...unknown, ...denied]), new Set(delayed)];
    for (const [symbol, row] of this.#rows) {
      const isDelayed = late.has(symbol);
      if (carried.has(symbol)) {
        const restarted = row.tick !== undefined;
        if (row.isDelayed !== isDelayed) Object.assign(row, blank(isDelayed), { restarted });
        else if (restarts) Object.assign(row, { seq: -1, restarted });
      } else if (!absent.has(symbol)) {
        if (row.tick) this.#lost([symbol], "removed");
        this.#rows.delete(symbol);
      }
    }
    for (const symbol of late) this.#row(symbol).isDelayed = true;
    this.absent(unknown, "unknown");
    this.absent(denied, "denied");
  }

  #row(symbol) {
    const row = this.#rows.get(symbol) ?? { symbol, ...blank(false) };
    this.#rows.set(symbol, row);
    return row;
  }

  #patch(patch) {
    const { symbol, seq } = patch;
    const row = this.#row(symbol);
    if (row.tick && seq === row.seq + 1 && seq > 0) this.#whole(merged(row.tick, patch));
    // A resume repeats it.
    else if (row.tick && seq === row.seq) this.#whole(row.tick);
    else if (seq > row.seq) {
      // Something is missing. Until the next whole tick of the symbol its state is not known.
      this.#lost([symbol], "gap");
      this.#gap();
    }
  }

  #whole(tick) {
    const row = this.#row(tick.symbol);
    if (tick.seq < row.seq) return;
    const { seq, trades = 0, lost } = tick;
    // Each stream begins with the newest tick: a reconnect repeats it.
    const repeated = seq === row.seq && row.tick !== undefined;
    if (repeated && !row.isLost) return;
    const { restarted } = row;
    const isNext = row.seq >= 0 && !repeated;
    const change = {
      missedTicks: isNext ? seq - row.seq - 1 : 0,
      missedTrades: isNext ? Math.max(trades - row.trades - 1, 0) : 0,
      restarted,
      repeated,
    };
    Object.assign(row, { tick, seq, trades, isLost: false, restarted: false });
    if (!lost) return this.#show(row, tick, change);
    // It is another book's.
    delete tick.lost;
    this.#lost([row.symbol], lost);
  }

  #show(row, tick, change = NOTHING_MISSED) {
    row.shown = tick;
    this.#take(row.symbol, tick, change);
  }
}

const blank = (isDelayed) =>
  ({ tick: undefined, isLost: false, seq: -1, trades: 0, restarted: false, isDelayed });

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** JSON Merge Patch, RFC 7396. Neither argument is changed. */
export function merged(target, patch) {
  if (!isObject(patch)) return patch;
  const result = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
