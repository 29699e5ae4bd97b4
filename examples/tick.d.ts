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
  /** Whose tick it is. */
  symbol: string;
  /**
   * Counts the symbol's ticks within the epoch of the last `hello`; 0 means that the symbol has not had a tick yet. A
   * hole is what the gateway skipped (conflated, left out by options, or dropped from its ring), or what a reconnect
   * lost.
   */
  seq: number;
  /** The first in this list that the tick changed. */
  kind: "correction" | "trade" | "quote" | "stats" | "status";
  /** Whether the price may be trusted: only `live` is a live price, and only for parts that `stale` does not list. */
  state: "waiting" | "live" | "stale" | "halted" | "closed" | "refused";
  /** Since when the state holds. Present when the symbol is not live. */
  since?: Micros;
  /** Why the symbol is in that state. Later versions may add reasons. Present when the symbol is not live. */
  reason?: string;
  /** The parts that an outage made old and that no update has renewed yet. Present when an outage made a part old. */
  stale?: ("trade" | "quote" | "stats")[];
  /** Where the data come from. Present when the data are not the live market. */
  origin?: "sim" | "delayed" | "replay";
  /** How late the data are at least, in seconds. Present when the data are delayed. */
  delay_seconds?: number;
  /**
   * The feed that the data come from: the symbol's own or its standby. The parts of a tick are never of two feeds.
   * Present when the symbol has a standby feed.
   */
  source?: string;
  /** When the gateway received the last update, by its own clock. Present when an update has come. */
  recv?: Micros;
  /** The price of the last eligible trade of the regular session. */
  price?: number;
  /** The size of that trade, in shares or the venue's units. */
  size?: number;
  /** The taker's side of that trade. */
  side?: "buy" | "sell";
  /** The venue's time of that trade. */
  trade_ts?: Micros;
  /**
   * The price of the last trade outside the regular session. Present when the last trade outside the regular session is
   * newer than the one in `price`.
   */
  ext_price?: number;
  /**
   * The size of the trade outside the regular session. Present when the last trade outside the regular session is newer
   * than the one in `price`.
   */
  ext_size?: number;
  /**
   * The venue's time of the trade outside the regular session. Present when the last trade outside the regular session
   * is newer than the one in `price`.
   */
  ext_ts?: Micros;
  /**
   * Counts the symbol's trades within the epoch; a tape or a candle shows a gap where it jumps. Present when there was
   * a trade in this epoch.
   */
  trades?: number;
  /** The best bid. */
  bid?: number;
  /** The size of the best bid. */
  bid_size?: number;
  /** The best ask. */
  ask?: number;
  /** The size of the best ask. */
  ask_size?: number;
  /** The venue's time of the quote. */
  quote_ts?: Micros;
  /** The first price of the window, as the venue reports it. */
  open?: number;
  /** The highest price of the window. */
  high?: number;
  /** The lowest price of the window. */
  low?: number;
  /** How much was traded in the window. */
  volume?: number;
  /** The last price before the window. */
  prev_close?: number;
  /** What the venue's statistics span. */
  window?: "day" | "24h";
  /** The venue's time of the statistics. */
  stats_ts?: Micros;
}

/** Microseconds since 1970; `new Date(micros / 1000)`. */
export type Micros = number;

/**
 * The data of a `patch` event, on streams with `patch=1`: a JSON Merge Patch on the tick with `seq` − 1 of the same symbol.
 * A value replaces, `null` removes, all others stay.
 */
export type Patch = Pick<Tick, "symbol" | "seq" | "kind"> & {
  [Field in Exclude<keyof Tick, "symbol" | "seq" | "kind">]?: Tick[Field] | null;
};

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
  /** Where clients sign on: those of `symbols` whose prices are delayed. */
  delayed?: string[];
  /** Where clients sign on: requested symbols that the client may not read. */
  denied?: string[];
  /** When the client's credentials end, and the stream with them. */
  until?: Micros;
  /** The name by which `POST /v1/streams/{control}` changes the stream. */
  control: string;
}

/** The data of a `symbols` event, from which on a changed list holds; the answer to the change is the same. */
export interface ListChange {
  /** The highest `rev` of the stream's changes. */
  rev: number;
  epoch: string;
  /** The whole list. */
  symbols: string[];
  /** Requested symbols that no feed has. */
  unknown: string[];
  /** As in `Hello`. */
  delayed?: string[];
  denied?: string[];
  until?: Micros;
}

/** The body of a change. What is absent stays as it is; `null` takes an option back. */
export interface Change {
  /** Higher than that of every change before. */
  rev?: number;
  /** The whole new list. */
  symbols?: string[];
  max_rate?: number | null;
  on?: ("trade" | "quote" | "stats")[] | null;
  patch?: boolean | null;
}

/** The data of a `heartbeat` event, which comes after silence. */
export interface Heartbeat {
  now: Micros;
}

/** The data of a `bye` event, which comes before the server ends the stream; the browser reconnects by itself. */
export interface Bye {
  reason: "shutdown" | "busy" | "expired" | "denied";
}
