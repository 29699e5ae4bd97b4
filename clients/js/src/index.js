// tickfan: live prices of a gateway. The whole API is in README.md, its types in index.d.ts.

import { bookOf, NOTHING_MISSED } from "./book.js";
import { canShare, sharedOf } from "./share.js";
import { streamOf } from "./stream.js";

const SYMBOL = /^[A-Z0-9][A-Z0-9._-]{0,31}$/;
/** How long a stream without watches stays open, in ms: a component that is drawn again stops its watch and begins another. */
const LINGER = 1_000;

export function connect(url, { token, transport, credentials = "same-origin", patch, share, maxRate, on: parts, heartbeat = 5,
  numbers, background, fetch = globalThis.fetch } = {}) {
  const { document, location, EventSource } = globalThis;
  url = new URL(url, document?.baseURI ?? location?.href).href.replace(/\/+$/, "");
  const isNative = EventSource && (transport ? transport === "eventsource" : !token);
  const options = { url, token, credentials, patch, maxRate, on: parts, heartbeat, isNative };
  /** Whether the stream closes while the page is hidden. */
  const closes = background === "close" && document;
  const world = { fetch: (...args) => fetch(...args), EventSource, now: () => performance.now(), date: Date.now, random: Math.random };
  /** By symbol, the watches of it. */
  const watches = new Map();
  const handlers = new Map();
  const end = new AbortController();
  const { signal } = end;
  const book = bookOf(show, numbers === "string", () => source.gap());
  /** The state of the connection: connecting, live, silent, lost, refused or idle, with reason, retryIn and detail. */
  let state = { connection: "idle" };
  let isDue;
  let timer;
  let ahead = NaN;
  /** Of the last hello. */
  let epoch;

  const sink = {
    event,
    state: stateIs,
    absent: (symbols, state) => book.absent(symbols.filter((symbol) => watches.has(symbol)), state),
  };
  const open = (...from) => streamOf(options, world, ...from);
  const name = JSON.stringify(["tickfan", url, credentials, patch, maxRate, parts, heartbeat, numbers]);
  const source = share && canShare() ? sharedOf({ name, heartbeat, open, on: sink, book, world }) : open(sink);
  const listen = (target, name, handler) => target?.addEventListener?.(name, handler, { signal });
  listen(globalThis, "online", source.hurry);
  listen(globalThis, "offline", source.offline);
  listen(document, "visibilitychange", () => {
    if (closes) sync();
    if (!document.hidden) source.hurry();
  });

  /** Calls `handler(tick, change)` with each tick of these symbols, the newest of each first. */
  function watch(symbols, handler) {
    const watched = new Set();
    const each = (symbols, change) => symbols.flat().map(fold).forEach(change);
    const watch = {
      handler,
      get symbols() {
        return [...watched];
      },
      add: (...symbols) => each(symbols, (symbol) => {
        if (!watched.has(symbol)) add(watch, symbol);
        watched.add(symbol);
      }),
      remove: (...symbols) => each(symbols, (symbol) => { if (watched.delete(symbol)) remove(watch, symbol); }),
      set(symbols) {
        const list = symbols.map(fold);
        watch.remove(...watch.symbols.filter((symbol) => !list.includes(symbol)));
        watch.add(list);
        sync();
      },
      stop: () => watch.remove(...watched),
    };
    watch.add(symbols);
    return watch;
  }

  /** The newest tick of a symbol that is watched, as the handlers got it. */
  const get = (symbol) => book.get(fold(symbol));

  /** Calls `handler` at each event of this name; returns what takes it back. */
  function on(name, handler) {
    const all = put(handlers, name, handler);
    return () => all.delete(handler);
  }

  /** Changes `maxRate` and `on` of the open stream. With `share` they are the same for all tabs, from the beginning. */
  const set = (options) => source.set?.(options);

  /** The gateway's clock, in µs since 1970, as the ticks' `recv`; NaN before the first stream. */
  const now = () => Math.round((world.now() + ahead) * 1_000);

  function close() {
    end.abort();
    clearTimeout(timer);
    source.close();
    stateIs({ connection: "idle", reason: "closed" });
  }

  function emit(name, ...args) {
    for (const handler of [...(handlers.get(name) ?? [])]) guarded(handler, ...args);
  }

  // ---- watches

  function add(watch, symbol) {
    const all = put(watches, symbol, watch);
    if (!SYMBOL.test(symbol)) queueMicrotask(() => book.absent([symbol], "unknown"));
    else if (all.size === 1) sync();
    // Another watch has the symbol, or the stream still carries it.
    const tick = book.get(symbol);
    if (tick) queueMicrotask(() => { if (all.has(watch)) guarded(watch.handler, tick, { ...NOTHING_MISSED, repeated: true }); });
  }

  function remove(watch, symbol) {
    const all = watches.get(symbol);
    all.delete(watch);
    if (all.size > 0) return;
    watches.delete(symbol);
    sync();
  }

  /** What is watched and may be the name of a symbol: the gateway would refuse a list with another. */
  const watched = () => [...watches.keys()].filter((symbol) => SYMBOL.test(symbol));

  /** Streams what is watched, once for all changes of a moment. */
  function sync() {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      clearTimeout(timer);
      if (signal.aborted) return;
      const isHidden = closes && document.hidden;
      const wanted = isHidden ? [] : watched();
      const want = () => source.want(wanted);
      if (isHidden || wanted.length > 0) want();
      else timer = setTimeout(want, LINGER);
    });
  }

  // ---- what the stream tells

  function event(name, data, id) {
    book.event(name, data);
    if (name === "message" || name === "patch") return;
    const told = JSON.parse(data);
    if (name === "hello") {
      ahead = NaN;
      // A browser that has the dictionary asks for streams that are compressed with it, from the next one on. Node has no cache.
      // Another gateway, or the same one after an upgrade, may have another dictionary.
      if (location && told.epoch !== epoch) world.fetch(`${url}/v1/dictionary`, { credentials }).then((answer) => answer.blob()).catch(() => {});
      epoch = told.epoch;
    }
    observe(told.now);
    emit(name, told, id);
  }

  /** The gateway's clock was at least here: the fastest message tells it best. */
  function observe(micros) {
    const least = micros / 1_000 - world.now();
    if (least && !(least <= ahead)) ahead = least;
  }

  function stateIs(next) {
    state = next;
    const { connection, reason = connection } = state;
    // The first attempt has lost nothing yet.
    if (connection !== "live") book.down(connection === "connecting" ? [] : watched(), reason);
    emit("state", state);
  }

  function show(symbol, tick, change) {
    const all = watches.get(symbol);
    const { missedTicks: ticks, missedTrades: trades } = change;
    observe(tick.recv);
    // With `share` the book has the symbols of all tabs.
    if (!all) return;
    for (const watch of [...all]) guarded(watch.handler, tick, change);
    if (ticks > 0 || trades > 0) emit("missed", { symbol, ticks, trades });
  }

  return {
    get state() {
      return state;
    },
    watch,
    get,
    on,
    set,
    now,
    /** Connects at once where it waits to. */
    retry: source.hurry,
    close,
  };
}

/** An error of a handler is the page's own: it must not end the stream. */
function guarded(handler, ...args) {
  try {
    handler(...args);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}

const fold = (symbol) => symbol.trim().toUpperCase();

/** Adds to a set of a map, and returns the set. */
const put = (map, key, value) => map.set(key, (map.get(key) ?? new Set()).add(value)).get(key);
