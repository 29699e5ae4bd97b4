/**
 * Live prices of a tickfan gateway. `connect` opens nothing yet: the first `watch` does.
 *
 * @example
 * const ticks = connect("https://ticks.example.com");
 * const watch = ticks.watch(["AAPL", "MSFT"], (tick) => show(tick));
 */
export function connect(url: string, options: Options & { numbers: "string" }): Ticks<string>;
export function connect(url: string, options?: Options & { numbers?: "number" }): Ticks<number>;
export function connect(url: string, options: Options): Ticks<number | string>;

export interface Options {
  /** The token of the operator's login, or what gets one: asked at the first stream, before a token ends, and after a 401. What it returns is taken for a token. */
  token?: string | (() => string | Promise<string>);
  /** Ticks may come as patches, which are less than half as long. Handlers still get whole ticks. */
  patch?: boolean;
  /** All tabs of the site that connect with the same options share one stream. */
  share?: boolean;
  /** The gateway writes at most so many times a second, 0.1 to 100, each time the newest tick of each changed symbol. */
  maxRate?: number;
  /** Ticks come only for changes of these parts, and of the state. */
  on?: Part[];
  /**
   * Seconds of silence, 1 to 60, before a heartbeat. A line that says nothing for 1.5 heartbeats and about a second is
   * `silent`; after two heartbeats and 1 to 2 s it is given up. 5 by default.
   */
  heartbeat?: number;
  /** `"string"`: decimals are strings with all of their digits. Counts and times are numbers in any case. */
  numbers?: "number" | "string";
  /** `"close"`: no stream while the page is hidden. `"keep"` by default. */
  background?: "keep" | "close";
  /** How the stream is read. By default a streaming fetch where there is a token or no EventSource, else an EventSource. */
  transport?: "eventsource" | "fetch";
  /** Without a token: whether cookies go along, as for `fetch`. */
  credentials?: "omit" | "same-origin" | "include";
  /** In place of the global `fetch`, for example one that goes through a proxy. */
  fetch?: typeof fetch;
}

export interface Ticks<Decimal extends number | string = number> {
  /**
   * Calls `handler` with each tick of these symbols, first with the newest that the gateway has of each. All watches share one
   * stream. Names are folded to upper case.
   */
  watch(symbols: string | readonly string[], handler: Handler<Decimal>): Watch;
  /** The newest tick of a watched symbol, as the handlers got it. */
  get(symbol: string): Tick<Decimal> | undefined;
  /** The state of the connection. */
  readonly state: State;
  /** Calls `handler` at each event; returns what takes it back. */
  on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): () => void;
  /** Changes options of the open stream; null takes one back. Tabs that share a stream keep those that they connected with. */
  set(options: { maxRate?: number | null; on?: Part[] | null }): void;
  /** The gateway's clock, in µs since 1970: a tick's age is `now() - tick.recv`. NaN before the first stream. */
  now(): Micros;
  /** Connects at once where it waits to. */
  retry(): void;
  /** Ends the stream and all watches. */
  close(): void;
}

export interface Watch {
  /** The symbols, in the order in which they came. */
  readonly symbols: string[];
  add(...symbols: (string | readonly string[])[]): void;
  remove(...symbols: (string | readonly string[])[]): void;
  /** Replaces the list. The same list asks the gateway again for symbols that are `unknown`. */
  set(symbols: readonly string[]): void;
  stop(): void;
}

export type Handler<Decimal extends number | string = number> = (tick: Tick<Decimal>, change: Change) => void;

/** What a tick is to the one before it. */
export interface Change {
  /** Ticks of the symbol that were skipped since the last one: conflated, left out by options, or lost over a reconnect. */
  missedTicks: number;
  /** Trades among them. A tape or a candle shows a gap. */
  missedTrades: number;
  /** `seq` and `trades` start again: how much was missed is not known. */
  restarted: boolean;
  /** The tick is the one before it, of a symbol that is live again, or for a watch that is new. */
  repeated: boolean;
}

export interface Events {
  state: State;
  missed: { symbol: string; ticks: number; trades: number };
  hello: Hello;
  symbols: SymbolList;
  heartbeat: { now: Micros };
  bye: { reason: string };
  /** A change of the list has to wait, and is sent again: the gateway is busy, or over a limit, or refuses the token. */
  waits: { status: number; kind?: string; detail?: string };
}

export interface State {
  /**
   * - `connecting`: a stream is asked for.
   * - `live`: it is open.
   * - `silent`: it is open and says nothing, not even heartbeats.
   * - `lost`: it has ended; the next attempt is in `retryIn` ms.
   * - `refused`: the gateway does not answer this request with a stream; the next attempt is in `retryIn` ms, a minute or more;
   *   sooner after a token that a function returned.
   * - `idle`: nothing is watched, the page is hidden, or all is closed.
   */
  connection: "connecting" | "live" | "silent" | "lost" | "refused" | "idle";
  /**
   * Of `lost`: `ended`, `silent`, `offline`, `token` (there was none to be had), `handover` (of a shared stream), `gap` (the tick
   * before a patch is missing), the reason of a `bye` (`shutdown`, `busy`, `expired`, `denied`), or the kind of a problem. Of
   * `refused`: the kind of the problem, such as `no-such-symbol`, `not-entitled`, `bad-token`; else `http-404` and the like.
   */
  reason?: string;
  retryIn?: number;
  /** What the gateway says, for people. */
  detail?: string;
  status?: number;
}

/** What `GET /v1/symbols` answers; the library itself does not ask for it. */
export interface Listing {
  symbols: ListedSymbol[];
  /** Whether there are more than the listed ones. */
  more: boolean;
}

/** A symbol, and what is known of it besides its prices. What is not known is left out. */
export interface ListedSymbol {
  symbol: string;
  feed: string;
  state?: "waiting" | "live" | "stale" | "halted" | "closed" | "refused";
  access?: "live" | "delayed" | "denied";
  on_demand?: true;
  /** Its name for people: plain text, to be escaped like any other. */
  name?: string;
  /** What its prices are in: `USD`, `USDT`. */
  currency?: string;
  /** `stock`, `crypto`, `forex`, `perpetual`, `future`, `index`; more may come. */
  kind?: string;
  /** How many decimals its prices have at most: pad to so many, and do not round. */
  price_digits?: number;
  /** The same of its sizes. */
  size_digits?: number;
}

/** Microseconds since 1970; `new Date(micros / 1000)`. */
export type Micros = number;

export type Part = "trade" | "quote" | "stats";

/**
 * The whole latest state of one symbol: replace your row with it. An unknown field is left out; a missing field is not zero.
 * The gateway may add fields, kinds, states and reasons: ignore what you do not know.
 */
export interface Tick<Decimal extends number | string = number> {
  symbol: string;
  /** Counts the symbol's ticks; 0: it has not had one yet. */
  seq: number;
  kind: "correction" | "trade" | "quote" | "stats" | "status";
  /**
   * Whether the price may be trusted: only `live` is a live price, and only for parts that `stale` does not list. The library
   * adds `lost` (the line is down or silent, or the list has left the symbol out for the moment), `unknown` (no feed had the symbol when the list was sent) and `denied`.
   */
  state: "waiting" | "live" | "stale" | "halted" | "closed" | "refused" | "lost" | "unknown" | "denied";
  since?: Micros;
  /** Of `lost`: that of the connection's `State`, else `connecting` or `silent`; `removed`: the list has left the symbol out. */
  reason?: string;
  stale?: Part[];
  origin?: "sim" | "delayed" | "replay";
  delay_seconds?: number;
  source?: string;
  /** When the gateway received the last update, by its own clock. */
  recv?: Micros;
  price?: Decimal;
  size?: Decimal;
  side?: "buy" | "sell";
  trade_ts?: Micros;
  ext_price?: Decimal;
  ext_size?: Decimal;
  ext_ts?: Micros;
  trades?: number;
  bid?: Decimal;
  bid_size?: Decimal;
  ask?: Decimal;
  ask_size?: Decimal;
  quote_ts?: Micros;
  open?: Decimal;
  high?: Decimal;
  low?: Decimal;
  volume?: Decimal;
  prev_close?: Decimal;
  window?: "day" | "24h";
  stats_ts?: Micros;
}

/** What a stream carries. */
export interface SymbolList {
  epoch: string;
  symbols: string[];
  /** Requested symbols that no feed has. */
  unknown: string[];
  /** Where clients sign on: those of `symbols` whose prices are delayed. */
  delayed?: string[];
  /** Where clients sign on: requested symbols that the client may not read. */
  denied?: string[];
  /** When the client's credentials end. The library renews the stream before that. */
  until?: Micros;
  /** Of `symbols`: the number of the change. */
  rev?: number;
}

export interface Hello extends SymbolList {
  stream: string;
  now: Micros;
  control: string;
}
