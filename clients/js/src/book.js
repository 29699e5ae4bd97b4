// The newest tick of each symbol of a stream: applies patches, skips what it has, counts what is missing. It opens nothing
// and reads no clock.

import { parseExact } from "./numbers.js";

export const NOTHING_MISSED = { missedTicks: 0, missedTrades: 0, restarted: false, repeated: false };

/**
 * A book: event(name, data) takes an event of the stream. `take(symbol, tick, change)` gets each tick to show; `gap()` is
 * called for a patch of a tick that never came.
 */
export function bookOf(take, isExact, gap = () => {}) {
  const parse = isExact ? parseExact : JSON.parse;
  /** By symbol: its tick, the same as shown, whether it is lost or absent, its last seq and trades in this epoch, and whether it is delayed. */
  const rows = new Map();
  let epoch;

  /** The newest tick as it was shown last. */
  const get = (symbol) => rows.get(symbol)?.shown;

  const begun = () => [...rows.values()].filter(({ tick }) => tick);

  /** The ticks, as JSON: another book can begin with them. With `lost`, those that are, and why. */
  const ticks = () => begun().map(({ tick, isLost, shown }) => JSON.stringify({ ...tick, lost: isLost ? shown.reason : undefined }));

  function event(name, data) {
    if (name === "message") whole(parse(data));
    else if (name === "patch") patched(parse(data));
    else if (name === "hello") {
      const hello = JSON.parse(data);
      const restarts = hello.epoch !== epoch;
      epoch = hello.epoch;
      carries(hello, restarts);
    } else if (name === "symbols") carries(JSON.parse(data));
  }

  /** No tick counts as live any more: each is again with its own next one. Those of `symbols` without a tick are told too. */
  const down = (symbols, reason) => lost([...begun().map(({ symbol }) => symbol), ...symbols], reason);

  function lost(symbols, reason) {
    for (const symbol of symbols) {
      const row = rowOf(symbol);
      if (row.isLost) continue;
      row.isLost = true;
      show(row, { ...(row.tick ?? { symbol, seq: 0, kind: "status" }), state: "lost", reason });
    }
  }

  /** No stream carries these symbols: "unknown" or "denied". */
  function absent(symbols, state) {
    for (const symbol of symbols) {
      const row = rowOf(symbol);
      if (row.shown?.state === state) continue;
      Object.assign(row, blank(row.isDelayed), { isLost: true });
      show(row, { symbol, seq: 0, kind: "status", state });
    }
  }

  function carries({ symbols, unknown, denied = [], delayed = [] }, restarts) {
    const carried = new Set(symbols);
    const missing = new Set([...unknown, ...denied]);
    const late = new Set(delayed);
    for (const [symbol, row] of rows) {
      const isDelayed = late.has(symbol);
      if (carried.has(symbol)) {
        const restarted = row.tick !== undefined;
        if (row.isDelayed !== isDelayed) Object.assign(row, blank(isDelayed), { restarted });
        else if (restarts) Object.assign(row, { seq: -1, restarted });
      } else if (!missing.has(symbol)) {
        if (row.tick) lost([symbol], "removed");
        rows.delete(symbol);
      }
    }
    for (const symbol of delayed) rowOf(symbol).isDelayed = true;
    absent(unknown, "unknown");
    absent(denied, "denied");
  }

  function rowOf(symbol) {
    const row = rows.get(symbol) ?? { symbol, ...blank(false) };
    rows.set(symbol, row);
    return row;
  }

  function patched(patch) {
    const { symbol, seq } = patch;
    const row = rowOf(symbol);
    if (row.tick && seq === row.seq + 1 && seq > 0) whole(merged(row.tick, patch));
    // A resume repeats it.
    else if (row.tick && seq === row.seq) whole(row.tick);
    else if (seq > row.seq) {
      // Something is missing. Until the next whole tick of the symbol its state is not known.
      lost([symbol], "gap");
      gap();
    }
  }

  function whole(tick) {
    const row = rowOf(tick.symbol);
    if (tick.seq < row.seq) return;
    const { seq, trades = 0, lost: reason } = tick;
    // Each stream begins with the newest tick: a reconnect repeats it.
    const repeated = seq === row.seq && row.tick !== undefined;
    if (repeated && !row.isLost) return;
    const isNext = row.seq >= 0 && !repeated;
    const change = {
      missedTicks: isNext ? seq - row.seq - 1 : 0,
      missedTrades: isNext ? Math.max(trades - row.trades - 1, 0) : 0,
      restarted: row.restarted,
      repeated,
    };
    Object.assign(row, { tick, seq, trades, isLost: false, restarted: false });
    if (!reason) return show(row, tick, change);
    // It is another book's.
    delete tick.lost;
    lost([row.symbol], reason);
  }

  function show(row, tick, change = NOTHING_MISSED) {
    row.shown = tick;
    take(row.symbol, tick, change);
  }

  return { get, ticks, event, down, absent };
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
