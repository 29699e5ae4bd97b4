// Tabs that share a stream: who keeps it, and what the others show. Locks, channels and streams are played.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Book } from "../src/book.js";
import { Shared } from "../src/share.js";

/** Web Locks of one browser. */
class Locks {
  #held = new Map();
  #waiting = [];
  /** While it is on, nothing is granted. */
  isBusy = false;

  request(name, ...rest) {
    const run = rest.at(-1);
    const { steal = false } = rest.length > 1 ? rest[0] : {};
    return new Promise((resolve, reject) => {
      const entry = { name, run, resolve, reject };
      if (steal) {
        this.#held.get(name)?.reject(new Error("stolen"));
        this.#held.delete(name);
        this.#waiting.unshift(entry);
      } else this.#waiting.push(entry);
      this.grant();
    });
  }

  grant() {
    for (const entry of this.isBusy ? [] : [...this.#waiting]) {
      if (this.#held.has(entry.name)) continue;
      this.#waiting.splice(this.#waiting.indexOf(entry), 1);
      this.#held.set(entry.name, entry);
      queueMicrotask(async () => {
        const value = await entry.run();
        if (this.#held.get(entry.name) === entry) this.#held.delete(entry.name);
        entry.resolve(value);
        this.grant();
      });
    }
  }
}

function browser(t) {
  const locks = new Locks();
  const channels = new Set();
  class Channel {
    postMessage(data) {
      for (const other of channels) if (other !== this) queueMicrotask(() => { if (channels.has(other)) other.onmessage({ data: structuredClone(data) }); });
    }
    constructor() { channels.add(this); }
    close() { channels.delete(this); }
  }
  for (const [name, value] of [["navigator", { locks }], ["BroadcastChannel", Channel]]) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { configurable: true, value });
    t.after(() => before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]);
  }
  /** A tab, what it was told in order, and its stream while it keeps one. */
  const tab = () => {
    const told = [];
    const book = new Book((symbol, { state, seq }) => told.push(`${symbol} ${state} ${seq}`));
    const opened = { told, book };
    opened.shared = new Shared({
      name: "n", heartbeat: 1, book, world: { now: () => performance.now(), random: () => 0 },
      on: {
        event: (name, data) => { if (name === "hello") told.push(name); book.event(name, data); },
        state: ({ connection }) => told.push(connection),
        absent: () => {},
      },
      open: (on) => (opened.stream = {
        list: [],
        on,
        want(list) { this.list = list; },
        close() { this.isClosed = true; },
        hurry() {},
        offline() {},
      }),
    });
    t.after(() => opened.shared.close());
    return opened;
  };
  return { locks, tab };
}

const tick = (symbol, seq) => JSON.stringify({ symbol, seq, state: "live", kind: "trade" });
const hello = (symbols) => JSON.stringify({ symbols, unknown: [], epoch: "e1", now: 0 });

/** The first tab, which keeps an open stream. */
async function leading(tab, symbols) {
  const first = tab();
  first.shared.want(symbols);
  await pause(100);
  first.stream.on.state({ connection: "live" });
  first.stream.on.event("hello", hello(symbols), "");
  return first;
}

test("a tab that comes later shows nothing of the stream before it knows the stream's state", async (t) => {
  const { locks, tab } = browser(t);
  const first = await leading(tab, ["A"]);
  first.stream.on.event("message", tick("A", 1), "1");
  locks.isBusy = true;
  const second = tab();
  second.shared.want(["A"]);
  first.stream.on.event("message", tick("A", 2), "2");
  first.stream.on.state({ connection: "silent" });
  first.stream.on.state({ connection: "live" });
  await pause(10);
  assert.deepEqual(second.told, []);
  locks.isBusy = false;
  locks.grant();
  await pause(10);
  assert.deepEqual(second.told, ["live", "hello", "A live 2"]);
  first.stream.on.event("message", tick("A", 3), "3");
  await pause(10);
  assert.equal(second.told.at(-1), "A live 3");
  assert.deepEqual([second.stream, first.stream.list], [undefined, ["A"]]);
});

test("the stream carries what all tabs want, and another tab takes it over where it was", async (t) => {
  const { tab } = browser(t);
  const first = await leading(tab, ["A"]);
  const second = tab();
  second.shared.want(["A", "B"]);
  await pause(10);
  assert.deepEqual(first.stream.list, ["A", "B"]);
  first.stream.on.event("message", tick("B", 4), "e1-4");
  await pause(10);
  first.shared.close();
  await pause(100);
  assert.ok(first.stream.isClosed);
  assert.deepEqual([second.stream.list, second.stream.lastId], [["A", "B"], "e1-4"]);
  assert.equal(second.told.at(-1), "lost");
});

test("a tab whose place was taken shows what the new keeper of the stream tells, who carries its list too", async (t) => {
  const { locks, tab } = browser(t);
  const first = await leading(tab, ["A"]);
  first.stream.on.event("message", tick("A", 1), "1");
  const second = tab();
  second.shared.want(["B"]);
  await pause(10);
  // As a tab does that has heard nothing for too long. It ends at once, and the next in line is the second tab.
  locks.request("n", { steal: true }, () => {}).catch(() => {});
  await pause(100);
  assert.ok(first.stream.isClosed);
  assert.deepEqual([...second.stream.list].sort(), ["A", "B"]);
  second.stream.on.state({ connection: "live" });
  second.stream.on.event("hello", hello(["A", "B"]), "");
  second.stream.on.event("message", tick("A", 9), "9");
  await pause(10);
  assert.deepEqual(first.told.slice(-3), ["live", "hello", "A live 9"]);
});
