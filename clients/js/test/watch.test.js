// Watches: one stream for all of them, counted; handlers; what they get without a line. No socket.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "../src/index.js";

const turned = () => new Promise(setImmediate);

/** Ticks of a gateway that is played: what it was asked for, and what writes to its newest stream. */
function played(t, options = {}) {
  const asked = [];
  const lists = [];
  let controller;
  const encoder = new TextEncoder();
  const fetch = async (url, init) => {
    asked.push(url);
    if (url.includes("/v1/streams/")) {
      lists.push(JSON.parse(init.body).symbols);
      return Response.json({});
    }
    if (!url.includes("/v1/stream?")) return new Response("");
    lists.push(new URL(url).searchParams.get("symbols").split(","));
    const body = new ReadableStream({ start: (given) => { controller = given; } });
    init.signal.addEventListener("abort", () => { try { controller.error(new Error("aborted")); } catch { /* It has ended. */ } });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const ticks = connect("http://gateway.example/base/", { fetch, ...options });
  t.after(() => ticks.close());
  const event = async (name, data) => {
    controller.enqueue(encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
    await turned();
  };
  return {
    ticks,
    asked,
    lists,
    event,
    hello: (symbols, more) => event("hello", { symbols, unknown: [], epoch: "e1", now: 5_000_000, control: "c", ...more }),
    tick: (symbol, seq, more) => event("message", { symbol, seq, state: "live", ...more }),
    end: async () => { controller.close(); await turned(); },
  };
}

test("all watches share a stream, and a symbol is in its list while one of them wants it", async (t) => {
  const { ticks, asked, lists, hello, event, tick } = played(t);
  const seen = [];
  const note = (name) => ({ symbol, seq, state }) => seen.push([name, symbol, seq, state]);
  const first = ticks.watch("aapl", note("first"));
  const second = ticks.watch([" AAPL ", "msft", "AAPL"], note("second"));
  await turned();
  assert.deepEqual(asked, ["http://gateway.example/base/v1/stream?symbols=AAPL,MSFT&heartbeat=5"]);
  await hello(["AAPL", "MSFT"]);
  await tick("AAPL", 1);
  await tick("MSFT", 1);
  assert.deepEqual(seen.splice(0), [["first", "AAPL", 1, "live"], ["second", "AAPL", 1, "live"], ["second", "MSFT", 1, "live"]]);
  first.stop();
  second.add("TSLA", ["BRK.B"]);
  second.remove("MSFT");
  await turned();
  assert.deepEqual(lists, [["AAPL", "MSFT"], ["AAPL", "BRK.B", "TSLA"]], "once for all changes of a moment");
  assert.deepEqual(second.symbols, ["AAPL", "TSLA", "BRK.B"]);
  await event("symbols", { symbols: ["AAPL", "TSLA", "BRK.B"], unknown: [] });
  await tick("AAPL", 2);
  assert.deepEqual(seen.splice(0), [["second", "AAPL", 2, "live"]]);
  second.set(["AAPL", "MSFT"]);
  await turned();
  assert.deepEqual(lists.at(-1), ["AAPL", "MSFT"]);
});

test("a watch of a symbol that the stream has begins with its newest tick", async (t) => {
  const { ticks, hello, tick, lists } = played(t);
  ticks.watch("A", () => {});
  await turned();
  await hello(["A"]);
  await tick("A", 7, { price: 1.5 });
  const seen = [];
  const watch = ticks.watch("A", (tick, change) => seen.push([tick.seq, tick.price, change.repeated]));
  assert.deepEqual(seen, [], "not before `watch` has returned");
  await turned();
  assert.deepEqual([seen, lists.length, ticks.get("a").price], [[[7, 1.5, true]], 1, 1.5]);
  watch.stop();
  ticks.watch("A", () => seen.push("stopped")).stop();
  await turned();
  assert.equal(seen.length, 1);
});

test("a component that is drawn again keeps the stream; without watches it closes", async (t) => {
  const { ticks, asked, hello } = played(t);
  const states = [];
  ticks.on("state", ({ connection }) => states.push(connection));
  const watch = ticks.watch("A", () => {});
  await turned();
  await hello(["A"]);
  watch.stop();
  await turned();
  const other = ticks.watch("A", () => {});
  await pause(1_100);
  assert.deepEqual([states, asked.length], [["connecting", "live"], 1]);
  other.stop();
  await pause(1_100);
  assert.deepEqual([states.at(-1), ticks.state.connection], ["idle", "idle"]);
  ticks.watch("A", () => {});
  await turned();
  assert.equal(asked.length, 2);
});

test("what cannot be a symbol is unknown, and does not spoil the list", async (t) => {
  const { ticks, lists } = played(t);
  const seen = [];
  ticks.watch(["A", "no spaces", "_", "X".repeat(33)], ({ symbol, state }) => seen.push([symbol, state]));
  await turned();
  assert.deepEqual(lists, [["A"]]);
  assert.deepEqual(seen.map(([, state]) => state), ["unknown", "unknown", "unknown"]);
});

test("a symbol that no feed had is unknown also without a line", async (t) => {
  const { ticks, event, hello, tick, end } = played(t);
  const seen = [];
  ticks.watch(["A", "B"], ({ symbol, state }) => seen.push([symbol, state]));
  await turned();
  await hello(["A"], { unknown: ["B"] });
  await tick("A", 1);
  await end();
  assert.deepEqual(seen.splice(0), [["B", "unknown"], ["A", "live"], ["A", "lost"]]);
  ticks.retry();
  await turned();
  await hello(["A", "B"]);
  await tick("B", 1);
  await event("bye", { reason: "shutdown" });
  await end();
  assert.deepEqual(seen, [["B", "live"], ["B", "lost"]], "a feed has it by now");
});

test("without a line every symbol is lost", async (t) => {
  const { ticks, hello, tick, end } = played(t);
  const seen = [];
  ticks.watch(["A", "B"], ({ symbol, state, reason }) => seen.push([symbol, state, reason]));
  await turned();
  assert.deepEqual(seen, [], "at first it connects");
  await hello(["A", "B"]);
  await tick("A", 1);
  await end();
  assert.deepEqual(seen, [["A", "live", undefined], ["A", "lost", "ended"], ["B", "lost", "ended"]]);
  ticks.close();
  assert.deepEqual(ticks.state, { connection: "idle", reason: "closed" });
});

test("a handler's error is the page's own, and ends nothing", async (t) => {
  const { ticks, hello, tick } = played(t);
  const errors = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => errors.push(error.message));
  t.after(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  const seen = [];
  ticks.watch("A", () => { throw new Error("mine"); });
  ticks.watch("A", ({ seq }) => seen.push(seq));
  await turned();
  await hello(["A"]);
  await tick("A", 1);
  await tick("A", 2);
  assert.deepEqual([seen, errors], [[1, 2], ["mine", "mine"]]);
});

test("events: gaps, lists, the gateway's clock; and a handler that is taken back", async (t) => {
  const { ticks, hello, tick, event } = played(t);
  assert.ok(Number.isNaN(ticks.now()));
  const seen = [];
  const off = ticks.on("missed", (missed) => seen.push(missed));
  ticks.on("hello", ({ symbols }) => seen.push(symbols));
  ticks.watch("A", () => {});
  await turned();
  await hello(["A"]);
  assert.ok(Math.abs(ticks.now() - 5_000_000) < 1_000_000);
  await tick("A", 1, { trades: 1 });
  await tick("A", 4, { trades: 3 });
  off();
  await tick("A", 9, { trades: 3 });
  await event("heartbeat", { now: 90_000_000 });
  assert.ok(ticks.now() >= 90_000_000);
  // A busy stream has no heartbeats.
  await tick("A", 10, { recv: 180_000_000 });
  await tick("A", 11, { recv: 170_000_000 });
  await tick("A", 12, { state: "waiting" });
  assert.ok(ticks.now() >= 180_000_000);
  await hello(["A"], { now: 7_000_000 });
  assert.ok(ticks.now() < 8_000_000, "another gateway, with another clock");
  assert.deepEqual(seen.slice(0, 2), [["A"], { symbol: "A", ticks: 2, trades: 1 }]);
});

test("what is missed is told of the symbols that this page watches alone", async (t) => {
  const { ticks, hello, tick } = played(t);
  const seen = [];
  ticks.on("missed", ({ symbol }) => seen.push(symbol));
  const watch = ticks.watch(["A", "B"], () => {});
  await turned();
  await hello(["A", "B"]);
  for (const symbol of ["A", "B"]) await tick(symbol, 1);
  watch.remove("B");
  for (const symbol of ["A", "B"]) await tick(symbol, 5);
  assert.deepEqual(seen, ["A"]);
});

test("a patch whose base is missing opens another stream, which brings the whole tick", async (t) => {
  for (const [begun, reason] of [[true, "gap"], [false, "gap"]]) {
    const { ticks, hello, tick, event } = played(t, { patch: true });
    const seen = [];
    ticks.watch("A", ({ state, reason }) => seen.push([state, reason]));
    await turned();
    await hello(["A"]);
    if (begun) await tick("A", 1);
    seen.length = 0;
    await event("patch", { symbol: "A", seq: 9 });
    assert.deepEqual([seen, ticks.state.connection, ticks.state.reason], [[["lost", reason]], "lost", "gap"]);
    assert.ok(ticks.state.retryIn > 0, "not at once: it may happen again");
  }
});

test("a browser fetches the dictionary once of each gateway, and again after an upgrade; Node does not", async (t) => {
  for (const location of [undefined, { href: "http://page.example/" }]) {
    globalThis.location = location;
    t.after(() => { delete globalThis.location; });
    const { ticks, asked, hello, end } = played(t);
    const fetched = () => asked.filter((url) => url === "http://gateway.example/base/v1/dictionary").length;
    ticks.watch("A", () => {});
    await turned();
    for (const [epoch, count] of [["e1", 1], ["e1", 1], ["e2", 2]]) {
      await hello(["A"], { epoch });
      assert.equal(fetched(), location ? count : 0, epoch);
      await end();
      ticks.retry();
      await turned();
    }
  }
});

test("without an EventSource a fetch is the stream, whatever was asked for", async (t) => {
  const { ticks, asked } = played(t, { transport: "eventsource" });
  ticks.watch("A", () => {});
  await turned();
  assert.deepEqual([asked.length, ticks.state.connection], [1, "connecting"]);
});

test("after close nothing opens a stream", async (t) => {
  const { ticks, asked, hello } = played(t);
  ticks.watch("A", () => {});
  await turned();
  await hello(["A"]);
  ticks.close();
  ticks.retry();
  ticks.set({ maxRate: 1 });
  ticks.watch("B", () => {});
  await pause(50);
  assert.deepEqual([asked.length, ticks.state], [1, { connection: "idle", reason: "closed" }]);
});
