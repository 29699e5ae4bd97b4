// Tabs that share a stream: who keeps it, what the others know, and what happens when one is busy, frozen or closed. The
// browser's locks and channels are played, and time is moved by the test.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bookOf } from "../src/book.js";
import { canShare, sharedOf } from "../src/share.js";

const turned = async () => { for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate); };

/** A browser: its locks, its channels, its clock, and what opens tabs. */
function browser(t, { refuses } = {}) {
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_700_000_000_000 });
  const channels = new Set();
  let time = 0;
  let opening;
  globalThis.BroadcastChannel = class {
    #queue = [];
    constructor() {
      channels.add(this);
      this.tab = opening;
    }
    postMessage(message) {
      for (const other of channels) if (other !== this) other.take(structuredClone(message));
    }
    take(message) {
      this.#queue.push(message);
      this.read();
    }
    /** A tab that is busy or frozen reads later. */
    read() {
      queueMicrotask(() => { while (!this.tab.isBusy && this.#queue.length > 0) this.onmessage?.({ data: this.#queue.shift() }); });
    }
    close() {
      channels.delete(this);
      this.onmessage = undefined;
    }
  };
  const locks = {
    held: new Map(),
    queue: [],
    request(name, options, callback = options) {
      const { steal, signal } = options;
      if (refuses) return Promise.reject(Object.assign(new Error("not here"), { name: refuses }));
      return new Promise((resolve, reject) => {
        const request = { name, callback, resolve, reject };
        const taken = steal && locks.held.get(name);
        if (taken) {
          locks.held.delete(name);
          const { tab } = taken;
          const rejects = () => taken.reject(Object.assign(new Error("stolen"), { name: "AbortError" }));
          if (tab?.isBusy) tab.later.push(rejects);
          else rejects();
        }
        if (signal?.aborted) return reject(signal.reason);
        signal?.addEventListener("abort", () => {
          if (!locks.queue.includes(request)) return;
          locks.queue.splice(locks.queue.indexOf(request), 1);
          reject(signal.reason);
        });
        locks.queue[steal ? "unshift" : "push"](request);
        locks.grant();
      });
    },
    grant() {
      for (const request of [...locks.queue]) {
        if (locks.held.has(request.name)) continue;
        locks.held.set(request.name, request);
        locks.queue.splice(locks.queue.indexOf(request), 1);
        const done = (settle) => (value) => {
          if (locks.held.get(request.name) === request) locks.held.delete(request.name);
          settle(value);
          locks.grant();
        };
        queueMicrotask(async () => request.callback({}).then(done(request.resolve), done(request.reject)));
      }
    },
  };
  const callback = locks.request;
  // A lock's callback may return nothing.
  locks.request = (name, options, given = options) => callback(name, options, async (lock) => given(lock));
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  const all = { locks, channels, tabs: [], streams: [] };
  all.pass = async (millis) => {
    for (let left = millis; left > 0; left -= 50) {
      time += 50;
      t.mock.timers.tick(50);
      await turned();
    }
  };
  /** As much time passes between two looks. */
  all.jump = async (millis) => {
    time += millis;
    t.mock.timers.tick(1_000);
    await turned();
  };
  /** Opens a tab that wants these. */
  all.open = async (...list) => {
    const tab = { states: [], shown: {}, changes: [], missed: 0, isBusy: false, later: [] };
    opening = all.opening = tab;
    tab.book = bookOf((symbol, tick, change) => { tab.shown[symbol] = tick; tab.missed += change.missedTicks; });
    tab.shared = sharedOf({
      name: "n",
      heartbeat: 5,
      open: (on, lastId, failures) => {
        const stream = {
          on, tab, lastId, failures, lists: [], hurried: 0, isOpen: true,
          want: (list) => stream.lists.push(`${list}`),
          close: () => { stream.isOpen = false; },
          hurry: () => { stream.hurried += 1; },
          gap: () => { stream.hasGap = true; },
        };
        all.streams.push(stream);
        return stream;
      },
      on: {
        event: (name, data) => tab.book.event(name, data),
        state: (state) => {
          tab.states.push(state);
          if (state.connection !== "live") tab.book.down(list, state.reason ?? state.connection);
        },
        absent: (symbols, state) => tab.book.absent(symbols, state),
      },
      book: tab.book,
      world: { now: () => time, random: () => 0.5 },
    });
    tab.want = (...symbols) => { list = symbols; tab.shared.want(symbols); };
    tab.state = () => tab.states.at(-1)?.connection;
    tab.of = (symbol) => [tab.shown[symbol]?.state, tab.shown[symbol]?.seq];
    /** The page has time again: it reads, and learns that its lock was taken. */
    tab.wakes = async (locksFirst = false) => {
      tab.isBusy = false;
      const reads = () => { for (const channel of channels) if (channel.tab === tab) channel.read(); };
      if (!locksFirst) { reads(); await turned(); }
      for (const rejects of tab.later.splice(0)) rejects();
      await turned();
      reads();
      await turned();
    };
    tab.shared.want(list);
    await turned();
    // What a tab holds is its own, also where the test freezes it.
    for (const request of locks.held.values()) request.tab ??= tab;
    all.tabs.push(tab);
    t.after(() => tab.shared.close());
    return tab;
  };
  const stream = () => all.streams.filter(({ isOpen }) => isOpen).at(-1);
  all.stream = stream;
  let id = 0;
  const event = async (name, data) => { stream().on.event(name, JSON.stringify(data), name === "message" || name === "patch" ? `e-${++id}` : ""); await turned(); };
  all.event = event;
  all.hello = async (symbols, more = {}) => {
    await event("hello", { symbols, unknown: [], epoch: "e1", ...more });
    stream().on.state({ connection: "live" });
    await turned();
  };
  all.tick = (symbol, seq, more) => event("message", { symbol, seq, state: "live", ...more });
  all.beats = async (millis) => {
    for (let left = millis; left > 0; left -= 5_000) {
      await event("heartbeat", {});
      await all.pass(Math.min(left, 5_000));
    }
  };
  all.owner = () => { for (const request of locks.held.values()) request.tab ??= all.stream()?.tab; };
  return all;
}

/** Three tabs that share a live stream of X, Y and Z, each with its tick; the first one keeps it. */
async function sharing(t) {
  const all = browser(t);
  const tabs = [];
  for (const symbol of ["X", "Y", "Z"]) {
    tabs.push(await all.open(symbol));
    await all.pass(300); // Their looks are apart.
  }
  await all.hello(["X", "Y", "Z"]);
  for (const symbol of ["X", "Y", "Z"]) await all.tick(symbol, 1);
  return { ...all, tabs, all };
}

test("one tab keeps the stream of what all want; the others get its events", async (t) => {
  const { streams, stream, tabs: [first, second, third], pass, tick, open, event } = await sharing(t);
  assert.deepEqual([streams.length, stream().tab, stream().lists.at(-1)], [1, first, "X,Y,Z"]);
  for (const tab of [first, second, third]) assert.deepEqual([tab.state(), tab.of("Y")], ["live", ["live", 1]]);
  const late = await open("W");
  assert.deepEqual([late.state(), late.of("Y"), stream().lists.at(-1)], ["live", ["live", 1], "X,Y,Z,W"]);
  await tick("Y", 2);
  assert.deepEqual([late.of("Y"), late.missed], [["live", 2], 0]);
  late.shared.hurry();
  await turned();
  assert.equal(stream().hurried, 1);
  late.shared.close();
  await turned();
  assert.equal(stream().lists.at(-1), "X,Y,Z");
  await event("symbols", { symbols: ["X", "Y"], unknown: ["Z"] });
  assert.deepEqual([third.of("Z"), second.of("Z")], [["unknown", 0], ["unknown", 0]]);
  await pass(1_000);
});

test("the next tab takes over once it knows what all want, so that no symbol is removed meanwhile", async (t) => {
  const { streams, stream, tabs: [first, second, third], pass, hello, tick } = await sharing(t);
  await tick("Y", 7);
  first.shared.close();
  await turned();
  assert.deepEqual([streams.length, stream().tab, stream().lists, second.state()], [2, second, [], "lost"]);
  await pass(50);
  assert.deepEqual([stream().lists, stream().lastId], [["Y,Z"], "e-4"]);
  await hello(["Y", "Z"]);
  await tick("Y", 8);
  await tick("Z", 1);
  assert.deepEqual([second.of("Y"), third.of("Y"), third.of("Z")], [["live", 8], ["live", 8], ["live", 1]]);
  assert.ok(!third.states.some(({ reason }) => reason === "removed"));
});

test("after a pause of the leader the others are live again, without a reconnect", async (t) => {
  const { streams, tabs: [first, second, third], pass, tick, beats } = await sharing(t);
  first.isBusy = true;
  await pass(10_000);
  assert.deepEqual([first.state(), second.state(), third.of("Y")], ["live", "silent", ["lost", 1]]);
  await tick("X", 2); // It reads this before what the others have asked for.
  assert.deepEqual([second.of("X"), second.state(), third.of("Y")], [["live", 2], "live", ["lost", 1]]);
  await tick("X", 3);
  await first.wakes();
  assert.deepEqual([second.state(), third.state(), second.of("X"), third.of("Y")], ["live", "live", ["live", 3], ["live", 1]]);
  assert.deepEqual([second.missed, third.missed], [0, 0]);
  await beats(20_000);
  assert.deepEqual([second.state(), third.of("Z"), streams.length], ["live", ["live", 1], 1]);
});

test("a stream that is silent itself is not live by what else its leader says", async (t) => {
  const { stream, tabs: [first, second], pass, event } = await sharing(t);
  stream().on.state({ connection: "silent" });
  await pass(10_000);
  stream().on.absent(["W"], "unknown");
  await turned();
  await event("waits", {});
  assert.equal(second.state(), "silent");
  stream().on.state({ connection: "live" });
  await turned();
  first.isBusy = true;
  await pass(10_000);
  assert.equal(second.state(), "silent");
  stream().on.state({ connection: "lost", reason: "ended", retryIn: 1_500 });
  await turned();
  assert.deepEqual(second.states.slice(-2).map(({ connection }) => connection), ["silent", "lost"]);
});

test("a leader that stays silent loses its place, counted from its last word; another that has time again follows", async (t) => {
  for (const locksFirst of [false, true]) {
    const { all, streams, tabs: [first, second, third], pass, tick, hello, beats } = await sharing(t);
    all.owner();
    first.isBusy = true;
    await pass(14_000);
    assert.equal(streams.length, 2, "12.5 s, and a look");
    const taken = all.stream();
    await hello(["Y", "Z"]);
    await tick("Y", 2);
    await tick("Z", 1);
    // What it had read before, it tells only now.
    streams[0].on.event("message", JSON.stringify({ symbol: "Y", seq: 3, state: "live" }), "e-99");
    streams[0].on.state({ connection: "lost", reason: "silent", retryIn: 1_500 });
    await turned();
    for (const tab of [second, third]) assert.deepEqual([tab.state(), tab.of("Y")], ["live", ["live", 2]]);
    await first.wakes(locksFirst);
    assert.equal(streams[0].isOpen, false);
    assert.equal(taken.lists.at(-1).split(",").sort().join(), "X,Y,Z", "it wants what it wants");
    await tick("X", 5);
    await tick("Y", 3);
    for (const tab of [first, second, third]) assert.deepEqual([tab.state(), tab.of("X"), tab.of("Y")], ["live", ["live", 5], ["live", 3]]);
    await beats(20_000);
    assert.equal(streams.length, 2);
    for (const tab of [second, third]) tab.shared.close();
    await pass(100);
    assert.equal(all.stream().tab, first, "and it may lead again");
  }
});

test("of tabs that take the place in the same moment one keeps it", async (t) => {
  for (let round = 0; round < 8; round += 1) {
    const all = browser(t);
    const tabs = [];
    for (const symbol of ["X", "Y", "Z", "W"]) tabs.push(await all.open(symbol));
    await all.pass(100);
    all.owner();
    tabs[0].isBusy = true;
    await all.pass(14_000);
    await tabs[0].wakes();
    await all.pass(100);
    assert.deepEqual(all.streams.filter(({ isOpen }) => isOpen).map(({ lists }) => lists.at(-1).split(",").sort().join()), ["W,X,Y,Z"]);
  }
});

test("a tab that was busy itself takes nothing away: the leader's words may wait to be read", async (t) => {
  const { tabs: [, second], streams, pass, event, jump } = await sharing(t);
  second.isBusy = true;
  await event("heartbeat", {});
  await jump(20_000);
  await event("heartbeat", {});
  await second.wakes();
  await pass(5_000);
  assert.deepEqual([streams.length, second.state()], [1, "live"]);
});

test("the others wait as long as the leader does, and go on with its failures", async (t) => {
  const { all, streams, stream, tabs: [first, second], pass } = await sharing(t);
  all.owner();
  for (const [connection, retryIn] of [["lost", 30_000], ["refused", 75_000]]) {
    for (let failure = 0; failure < 2; failure += 1) {
      stream().on.state({ connection, reason: "busy", retryIn });
      await pass(retryIn + 8_000);
    }
    assert.deepEqual([streams.length, second.state()], [1, connection]);
  }
  first.isBusy = true;
  await pass(4_000);
  assert.equal(streams.length, 1);
  await pass(2_500);
  assert.deepEqual([stream().tab === first, stream().failures], [false, 4], "frozen meanwhile");
  stream().on.state({ connection: "live" });
  await turned();
  first.shared.close();
  stream().tab.shared.close();
  await pass(100);
  assert.equal(stream().failures, 0);
});

test("lost ticks are handed over as lost, with what they were", async (t) => {
  const { stream, tabs: [, second], hello, event, open } = await sharing(t);
  stream().on.state({ connection: "lost", reason: "ended", retryIn: 1_500 });
  const late = await open("Y");
  assert.deepEqual([late.of("Y"), late.shown.Y.reason, late.shown.Y.lost], [["lost", 1], "ended", undefined]);
  await hello(["X", "Y", "Z"]);
  await event("patch", { symbol: "Y", seq: 1 }); // A resume repeats it.
  assert.deepEqual([late.of("Y"), second.of("Y")], [["live", 1], ["live", 1]]);
  await event("patch", { symbol: "Y", seq: 2 });
  assert.deepEqual(late.shown.Y, { symbol: "Y", seq: 2, state: "live" });
});

test("where locks are refused each tab has its own stream", async (t) => {
  for (const refuses of ["SecurityError", "InvalidStateError"]) {
    const all = browser(t, { refuses });
    const [first, second] = [await all.open("X"), await all.open("Y")];
    await all.pass(100);
    assert.deepEqual(all.streams.map(({ lists }) => lists.join()), ["X", "Y"]);
    await all.hello(["Y"]);
    assert.deepEqual([first.state(), second.state(), all.channels.size], [undefined, "live", 0]);
    second.want("Z");
    assert.equal(all.streams[1].lists.at(-1), "Z");
    second.shared.close();
    assert.equal(all.streams[1].isOpen, false);
  }
});

test("a connection that is closed holds nothing, and waits for nothing", async (t) => {
  const { all, locks, tabs: [first, second, third], pass } = await sharing(t);
  const pending = () => locks.queue.length;
  const before = pending();
  for (let view = 0; view < 5; view += 1) {
    const other = await all.open("V");
    await pass(100);
    other.shared.close();
    await pass(100);
  }
  assert.deepEqual([pending(), locks.held.size], [before, 4]);
  const early = all.open("W");
  all.opening.shared.close(); // Its lock is on the way.
  await early;
  assert.deepEqual([pending(), locks.held.size], [before, 4]);
  for (let round = 0; round < 8; round += 1) {
    all.owner();
    const { tab } = all.stream();
    tab.isBusy = true;
    await pass(15_000);
    await tab.wakes();
    await pass(100);
  }
  assert.ok(pending() <= 9, `${pending()} requests: each tab's for the place, and for the end of the two others`);
  for (const tab of [first, second, third]) tab.shared.close();
  await turned();
  assert.deepEqual([pending(), locks.held.size, all.channels.size], [0, 0, 0]);
});

test("only pages and workers share", (t) => {
  browser(t);
  assert.ok(!canShare(), "Node has locks and channels, and no other tabs");
  for (const name of ["document", "WorkerGlobalScope"]) {
    globalThis[name] = {};
    assert.ok(canShare(), name);
    delete globalThis[name];
  }
});
