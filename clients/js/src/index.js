// tickfan: live prices of a gateway. The whole API is in README.md, its types in index.d.ts.

import { Book, NOTHING_MISSED } from "./book.js";
import { canShare, sharedOf } from "./share.js";
import { streamOf } from "./stream.js";

const SYMBOL = /^[A-Z0-9][A-Z0-9._-]{0,31}$/;
/** How long a stream without watches stays open, in ms: a component that is drawn again stops its watch and begins another. */
const LINGER = 1_000;

export const connect = (url, options) => new Ticks(url, options);

/** An error of a handler is the page's own: it must not end the stream. */
function guarded(handler, ...args) {
  try {
    handler(...args);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}

class Ticks {
  /** The state of the connection: connecting, live, silent, lost, refused or idle, with reason, retryIn and detail. */
  state = { connection: "idle" };
  /** By symbol, the watches of it. */
  #watches = new Map();
  #handlers = new Map();
  #book;
  #source;
  #options;
  #world;
  /** Whether the stream closes while the page is hidden. */
  #closes;
  #isDue = false;
  #timer;
  #ahead = NaN;
  #hasDictionary;
  #end = new AbortController();

  constructor(url, { token, transport, credentials = "same-origin", patch, share, maxRate, on, heartbeat = 5,
    numbers, background, fetch = globalThis.fetch } = {}) {
    const { document, location, EventSource } = globalThis;
    url = new URL(url, document?.baseURI ?? location?.href).href.replace(/\/+$/, "");
    const isNative = EventSource && (transport ? transport === "eventsource" : !token);
    this.#options = { url, token, credentials, patch, maxRate, on, heartbeat, isNative };
    this.#closes = background === "close" && document;
    this.#world = { fetch: (...args) => fetch(...args), EventSource, now: () => performance.now(), date: Date.now, random: Math.random };
    // Node has no cache of dictionaries.
    this.#hasDictionary = !location;
    this.#book = new Book((symbol, tick, change) => this.#show(symbol, tick, change), numbers === "string", () => this.#source.gap());
    const sink = {
      event: (name, data, id) => this.#event(name, data, id),
      state: (state) => this.#stateIs(state),
      absent: (symbols, state) => this.#book.absent(symbols.filter((symbol) => this.#watches.has(symbol)), state),
    };
    const open = (sink, ...from) => streamOf(this.#options, sink, this.#world, ...from);
    const name = JSON.stringify(["tickfan", url, credentials, patch, maxRate, on, heartbeat, numbers]);
    this.#source = share && canShare() ? sharedOf({ name, heartbeat, open, on: sink, book: this.#book, world: this.#world }) : open(sink);
    const listen = (target, name, handler) => target?.addEventListener?.(name, handler, { signal: this.#end.signal });
    const hurry = () => this.retry();
    listen(globalThis, "online", hurry);
    listen(globalThis, "offline", () => this.#source.offline());
    listen(document, "visibilitychange", () => {
      if (this.#closes) this.#sync();
      if (!document.hidden) hurry();
    });
  }

  /** Calls `handler(tick, change)` with each tick of these symbols, the newest of each first. */
  watch(symbols, handler) {
    const watched = new Set();
    const each = (symbols, change) => { for (const symbol of symbols.flat().map(fold)) change(symbol); };
    const watch = {
      handler,
      get symbols() {
        return [...watched];
      },
      add: (...symbols) => each(symbols, (symbol) => {
        if (!watched.has(symbol)) this.#add(watch, symbol);
        watched.add(symbol);
      }),
      remove: (...symbols) => each(symbols, (symbol) => { if (watched.delete(symbol)) this.#remove(watch, symbol); }),
      set(symbols) {
        const list = symbols.map(fold);
        watch.remove(...watch.symbols.filter((symbol) => !list.includes(symbol)));
        watch.add(list);
      },
      stop: () => watch.remove(...watched),
    };
    watch.add(symbols);
    return watch;
  }

  /** The newest tick of a symbol that is watched, as the handlers got it. */
  get(symbol) {
    return this.#book.get(fold(symbol));
  }

  /** Calls `handler` at each event of this name; returns what takes it back. */
  on(name, handler) {
    const handlers = put(this.#handlers, name, handler);
    return () => handlers.delete(handler);
  }

  /** Changes `maxRate` and `on` of the open stream. With `share` they are the same for all tabs, from the beginning. */
  set(options) {
    this.#source.set?.(options);
  }

  /** The gateway's clock, in µs since 1970, as the ticks' `recv`; NaN before the first stream. */
  now() {
    return Math.round((this.#world.now() + this.#ahead) * 1_000);
  }

  /** Connects at once where it waits to. */
  retry() {
    this.#source.hurry();
  }

  close() {
    this.#end.abort();
    clearTimeout(this.#timer);
    this.#source.close();
    this.#stateIs({ connection: "idle", reason: "closed" });
  }

  #emit(name, ...args) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) guarded(handler, ...args);
  }

  // ---- watches

  #add(watch, symbol) {
    const watches = put(this.#watches, symbol, watch);
    if (!SYMBOL.test(symbol)) queueMicrotask(() => this.#book.absent([symbol], "unknown"));
    else if (watches.size === 1) this.#sync();
    // Another watch has the symbol, or the stream still carries it.
    const tick = this.#book.get(symbol);
    if (tick) queueMicrotask(() => { if (watches.has(watch)) guarded(watch.handler, tick, { ...NOTHING_MISSED, repeated: true }); });
  }

  #remove(watch, symbol) {
    const watches = this.#watches.get(symbol);
    if (!watches?.delete(watch) || watches.size > 0) return;
    this.#watches.delete(symbol);
    this.#sync();
  }

  /** What is watched and may be the name of a symbol: the gateway would refuse a list with another. */
  #watched() {
    return [...this.#watches.keys()].filter((symbol) => SYMBOL.test(symbol));
  }

  /** Streams what is watched, once for all changes of a moment. */
  #sync() {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      clearTimeout(this.#timer);
      if (this.#end.signal.aborted) return;
      const wanted = this.#watched();
      if (this.#closes && document.hidden) this.#source.want([]);
      else if (wanted.length > 0) this.#source.want(wanted);
      else this.#timer = setTimeout(() => this.#source.want([]), LINGER);
    });
  }

  // ---- what the stream tells

  #event(name, data, id) {
    this.#book.event(name, data);
    if (name === "message" || name === "patch") return;
    const told = JSON.parse(data);
    if (name === "hello") {
      this.#ahead = NaN;
      this.#fetchDictionary(told.dictionary);
    }
    this.#observe(told.now);
    this.#emit(name, told, id);
  }

  /** The gateway's clock was at least here: the fastest message tells it best. */
  #observe(micros) {
    const ahead = micros / 1_000 - this.#world.now();
    if (!(ahead <= this.#ahead) && ahead) this.#ahead = ahead;
  }

  #stateIs(state) {
    this.state = state;
    const { connection, reason = connection } = state;
    // The first attempt has lost nothing yet.
    if (connection !== "live") this.#book.down(connection === "connecting" ? [] : this.#watched(), reason);
    this.#emit("state", state);
  }

  #show(symbol, tick, change) {
    const watches = this.#watches.get(symbol);
    const { missedTicks: ticks, missedTrades: trades } = change;
    this.#observe(tick.recv);
    // With `share` the book has the symbols of all tabs.
    if (!watches) return;
    for (const watch of [...watches]) guarded(watch.handler, tick, change);
    if (ticks > 0 || trades > 0) this.#emit("missed", { symbol, ticks, trades });
  }

  /** Once the browser has the dictionary, it asks for streams that are compressed with it: from the second connection on. */
  #fetchDictionary(hash) {
    if (this.#hasDictionary || !hash) return;
    this.#hasDictionary = true;
    this.#world.fetch(`${this.#options.url}/v1/dictionary/${hash}`).then((answer) => answer.blob()).catch(() => {});
  }
}

const fold = (symbol) => symbol.trim().toUpperCase();

/** Adds to a set of a map, and returns the set. */
const put = (map, key, value) => map.set(key, (map.get(key) ?? new Set()).add(value)).get(key);
