/**
 * The data of a `message` event: the whole latest state of one symbol. Replace your row with it.
 *
 * An unknown field is left out; a missing field is not zero. v1 grows by adding, so code that switches over
 * `kind`, `state` or `reason` needs a default branch, and must ignore unknown fields.
 *
 * Numbers are exact decimals on the wire. `JSON.parse` makes doubles of them: exact up to 15 digits, which holds prices and
 * sizes but not every 24-hour volume of a coin; `docs/clients.md` says how to keep them as strings.
 */
export interface Tick {
  symbol: string;
  /** Counts the symbol's ticks within the epoch of the last `hello`; 0 is before the first. A hole is what was skipped. */
  seq: number;
  /** The first of these that this tick changed. */
  kind: "correction" | "trade" | "quote" | "stats" | "status";
  /** Only `live` may be shown as the price of this moment. */
  state: "waiting" | "live" | "stale" | "halted" | "closed" | "refused";
  /** Since when the state holds, and why; unless live. */
  since?: Micros;
  reason?: string;
  /** The parts that an outage made old and nothing has renewed yet. */
  stale?: ("trade" | "quote" | "stats" | "status")[];
  /** There unless the data are the market of this moment. */
  origin?: "sim" | "replay" | "delayed";
  /** When the gateway received the last update. */
  recv?: Micros;

  /** The last eligible trade of the regular session. */
  price?: number;
  size?: number;
  /** The taker's. */
  side?: "buy" | "sell";
  trade_ts?: Micros;
  /** A newer trade outside the regular session. */
  ext_price?: number;
  ext_size?: number;
  ext_ts?: Micros;
  /** Counts the symbol's trades; a tape or candle shows a gap where it jumps. */
  trades?: number;

  bid?: number;
  bid_size?: number;
  ask?: number;
  ask_size?: number;
  quote_ts?: Micros;

  /** The venue's own figures over `window`. */
  open?: number;
  high?: number;
  low?: number;
  volume?: number;
  prev_close?: number;
  window?: "day" | "24h";
  stats_ts?: Micros;
}

/** Microseconds since 1970; `new Date(micros / 1000)`. */
export type Micros = number;

/** The data of a `hello` event, which begins a stream. If it comes again, start over. */
export interface Hello {
  /** The stream's name on the admin listener. */
  stream: string;
  /** One life of `seq` and `trades`: they start again with a new epoch. */
  epoch: string;
  /** The gateway's clock. */
  now: Micros;
  symbols: string[];
  /** Requested symbols that no feed has. */
  unknown: string[];
}

/** The data of a `heartbeat` event, which comes after silence. */
export interface Heartbeat {
  now: Micros;
}

/** The data of a `bye` event, which comes before the server ends the stream; the browser reconnects by itself. */
export interface Bye {
  reason: "shutdown" | "busy";
}
