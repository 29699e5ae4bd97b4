// What needs neither a socket nor a clock: events, numbers, patches, the state of each symbol, waits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../src/backoff.js";
import { bookOf as open, merged } from "../src/book.js";
import { eventsOf } from "../src/events.js";
import { parseExact } from "../src/numbers.js";

/** All that a reader makes of these pieces. */
function read(...pieces) {
  const told = [];
  const push = eventsOf((name, data, id) => told.push([name, data, id]), (millis) => told.push(millis));
  for (const piece of pieces) push(piece);
  return told;
}

test("events are read as the standard says", () => {
  for (const [text, told] of [
    ["data: 1\n\n", [["message", "1", ""]]],
    ["event: hello\ndata:{}\n\n", [["hello", "{}", ""]]],
    ["id: e-1\ndata: 1\n\ndata: 2\n\n", [["message", "1", "e-1"], ["message", "2", "e-1"]]],
    ["id: e-1\ndata: 1\n\nid\ndata: 2\n\n", [["message", "1", "e-1"], ["message", "2", ""]]],
    ["id: a\0b\ndata: 1\n\n", [["message", "1", ""]]],
    ["data: 1\ndata\ndata: 3\n\n", [["message", "1\n\n3", ""]]],
    [": a comment\ndata:  2\n\n", [["message", " 2", ""]]],
    ["event: x\n\ndata: 1\n\n", [["message", "1", ""]]],
    ["retry: 2500\nretry: 1x\nretry:\n\n", [2_500]],
    ["data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", [["message", "1", ""], ["message", "2", ""], ["message", "3", ""]]],
    ["data: 1\r\ndata: 2\r\n\r\n", [["message", "1\n2", ""]]],
    ["data: never ended\n", []],
    ["unknown: 1\nno colon\ndata: a: b\n\n", [["message", "a: b", ""]]],
  ]) {
    assert.deepEqual(read(text), told, JSON.stringify(text));
    for (let cut = 0; cut <= text.length; cut += 1) {
      assert.deepEqual(read(text.slice(0, cut), text.slice(cut)), told, `${JSON.stringify(text)} cut at ${cut}`);
    }
    assert.deepEqual(read(...text), told, `${JSON.stringify(text)} piece by piece`);
  }
});

test("an event that never ends is an error, not memory", () => {
  const piece = "x".repeat(1 << 20);
  assert.throws(() => read("data: ", piece, piece, piece, piece), /too long/);
  assert.throws(() => read(...Array.from({ length: 5 }, () => `data: ${piece}\n`)), /too long/);
});

test("decimals keep all of their digits, counts and times stay numbers", () => {
  assert.deepEqual(
    parseExact('{"symbol":"1","seq":3,"price":9007199254740993.000000000000000001,"recv":1795548780113606,"trade_ts":1,"delay_seconds":900,"bid":null,"stale":["trade"],"reason":"\\"5\\": 6","size":-0.5}'),
    { symbol: "1", seq: 3, price: "9007199254740993.000000000000000001", recv: 1795548780113606, trade_ts: 1, delay_seconds: 900, bid: null, stale: ["trade"], reason: '"5": 6', size: "-0.5" },
  );
});

test("patches are merged as RFC 7396 says", () => {
  // The examples of its appendix A.
  for (const [target, patch, result] of [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a", "b"], ["c", "d"], ["c", "d"]],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]) {
    const before = JSON.stringify(target);
    assert.deepEqual(merged(target, patch), result, JSON.stringify(patch));
    assert.equal(JSON.stringify(target), before, "the target is not changed");
  }
});

/** A book, and what it showed: [symbol, state, seq, and what is not zero of the change]. */
function bookOf(exact) {
  const shown = [];
  const ticks = [];
  const book = open((symbol, tick, change) => {
    ticks.push(tick);
    const told = Object.entries(change).filter(([, value]) => value);
    shown.push([symbol, tick.state, tick.seq, ...(tick.reason ? [tick.reason] : []), ...(told.length ? [Object.fromEntries(told)] : [])]);
  }, exact);
  const event = (name, data) => book.event(name, typeof data === "string" ? data : JSON.stringify(data));
  return {
    book,
    ticks,
    hello: (symbols, epoch = "e1", more = {}) => event("hello", { symbols, epoch, unknown: [], ...more }),
    list: (symbols, more = {}) => event("symbols", { symbols, unknown: [], ...more }),
    tick: (symbol, seq, more = {}) => event("message", { symbol, seq, kind: "trade", state: "live", ...more }),
    patch: (symbol, seq, more = {}) => event("patch", { symbol, seq, kind: "trade", ...more }),
    event,
    told: () => shown.splice(0),
  };
}

test("a patch is applied to the tick before it alone", () => {
  const { hello, tick, patch, told, ticks, book } = bookOf();
  hello(["A"]);
  patch("A", 1, { price: 1 });
  assert.deepEqual(told(), [["A", "lost", 0, "gap"]], "there is nothing to apply it to");
  tick("A", 5, { price: 1, bid: 2, stale: ["quote"] });
  patch("A", 6, { price: 3, bid: null, stale: null });
  assert.deepEqual(ticks.at(-1), { symbol: "A", seq: 6, kind: "trade", state: "live", price: 3 });
  assert.deepEqual(ticks.at(-2), { symbol: "A", seq: 5, kind: "trade", state: "live", price: 1, bid: 2, stale: ["quote"] }, "the tick before it is as it was");
  told();
  patch("A", 6, { price: 9 });
  patch("A", 5, { price: 9 });
  assert.deepEqual(told(), [], "it has these already");
  patch("A", 8, { price: 9 });
  assert.deepEqual(told(), [["A", "lost", 6, "gap"]], "one that does not fit");
  patch("A", 9, { price: 9 });
  patch("A", 7, { price: 4 });
  assert.deepEqual(told(), [["A", "live", 7]], "the missing one comes after all");
  patch("A", 9, { price: 9 });
  tick("A", 10, { price: 5 });
  assert.deepEqual(told(), [["A", "lost", 7, "gap"], ["A", "live", 10, { missedTicks: 2 }]]);
  assert.equal(book.get("A").price, 5);
});

test("a resume that repeats a symbol's last tick as a patch makes it live again", () => {
  const { book, hello, tick, patch, told } = bookOf();
  hello(["A"]);
  tick("A", 11, { price: 1 });
  patch("A", 12, { price: 2 });
  book.down([], "ended");
  hello(["A"]);
  told();
  tick("A", 11, { price: 1 });
  assert.deepEqual(told(), [], "it is older");
  patch("A", 12, { price: 2 });
  patch("A", 12, { price: 2 });
  assert.deepEqual(told(), [["A", "live", 12, { repeated: true }]]);
  assert.equal(book.get("A").price, 2);
});

test("patches keep digits", () => {
  const { hello, event, ticks } = bookOf(true);
  hello(["A"]);
  event("message", '{"symbol":"A","seq":1,"state":"live","price":1.10,"volume":12345678901234567890.5}');
  event("patch", '{"symbol":"A","seq":2,"price":1.20}');
  assert.deepEqual(ticks.at(-1), { symbol: "A", seq: 2, state: "live", price: "1.20", volume: "12345678901234567890.5" });
});

test("what is missing is counted, in ticks and in trades", () => {
  const { hello, tick, told } = bookOf();
  hello(["A"]);
  for (const [seq, trades, ...change] of [
    [3, 7],
    [4, 8],
    [6, 8, { missedTicks: 1 }],
    [7, 11, { missedTrades: 2 }],
    [10, 13, { missedTicks: 2, missedTrades: 1 }],
    [11, 13],
  ]) {
    tick("A", seq, { trades });
    assert.deepEqual(told(), [["A", "live", seq, ...change]]);
  }
});

test("a symbol without trades has missed those before the first that it sees", () => {
  const { hello, tick, told } = bookOf();
  hello(["A"]);
  tick("A", 0, { state: "waiting" });
  tick("A", 1, { trades: 1 });
  tick("A", 2, { trades: 3 });
  assert.deepEqual(told(), [["A", "waiting", 0], ["A", "live", 1], ["A", "live", 2, { missedTrades: 1 }]]);
});

test("a symbol is lost with the line, and live again with its own next tick", () => {
  const { book, hello, tick, told } = bookOf();
  hello(["A", "B"]);
  tick("A", 5);
  tick("B", 2);
  told();
  book.down(["A", "B", "C"], "silent");
  book.down(["A", "B", "C"], "ended");
  assert.deepEqual(told(), [["A", "lost", 5, "silent"], ["B", "lost", 2, "silent"], ["C", "lost", 0, "silent"]]);
  hello(["A", "B"]);
  assert.deepEqual(told(), [], "a hello makes no price live");
  tick("A", 3);
  tick("A", 4);
  assert.deepEqual(told(), [], "a resume brings some again");
  tick("A", 5);
  assert.deepEqual(told(), [["A", "live", 5, { repeated: true }]]);
  tick("A", 5);
  assert.deepEqual(told(), []);
  tick("B", 4);
  assert.deepEqual(told(), [["B", "live", 4, { missedTicks: 1 }]]);
  assert.deepEqual([book.get("A").state, book.get("B").state, book.get("C")], ["live", "live", undefined]);
});

test("a hello of another epoch starts all counts over, and a lower seq is not old", () => {
  const { hello, tick, patch, told } = bookOf();
  hello(["A", "B"]);
  tick("A", 50, { trades: 9 });
  told();
  hello(["A", "B"], "e2");
  assert.deepEqual(told(), []);
  patch("A", 51);
  assert.deepEqual(told(), [["A", "lost", 50, "gap"]], "it is of the tick before the hello");
  tick("A", 2, { trades: 30 });
  tick("B", 3);
  assert.deepEqual(told(), [["A", "live", 2, { restarted: true }], ["B", "live", 3]]);
  tick("A", 3, { trades: 31 });
  hello(["A", "B"], "e2");
  tick("A", 2);
  assert.deepEqual(told(), [["A", "live", 3]], "in the same epoch a lower one is old");
});

test("symbols that no stream carries are unknown or denied, and come when they do", () => {
  const { book, hello, list, tick, told } = bookOf();
  hello(["A"], "e1", { unknown: ["B"], denied: ["C"] });
  hello(["A"], "e1", { unknown: ["B"], denied: ["C"] });
  assert.deepEqual(told(), [["B", "unknown", 0], ["C", "denied", 0]]);
  list(["A", "C"], { unknown: ["B"] });
  tick("C", 4);
  assert.deepEqual(told(), [["C", "live", 4]]);
  list(["A"], { unknown: ["B"], denied: ["C"] });
  assert.deepEqual(told(), [["C", "denied", 0]]);
  assert.equal(book.get("C").price, undefined);
});

test("a removed symbol is forgotten when the event says so, and shown as lost to those who want it again", () => {
  const { book, hello, list, tick, told } = bookOf();
  hello(["A", "B"]);
  tick("A", 5);
  tick("B", 9, { trades: 4 });
  told();
  list(["A"]);
  assert.deepEqual(told(), [["B", "lost", 9, "removed"]]);
  assert.equal(book.get("B"), undefined);
  list(["A", "B"]);
  tick("B", 7, { trades: 3 });
  assert.deepEqual(told(), [["B", "live", 7]], "nothing is known of what it was");
});

test("a symbol that passes between live and delayed prices has numbers of its own", () => {
  const { hello, list, tick, told } = bookOf();
  hello(["A", "B"], "e1", { delayed: ["B"] });
  tick("A", 50);
  tick("B", 40);
  told();
  list(["A", "B"], { delayed: ["A", "B"] });
  tick("A", 3, { origin: "delayed" });
  tick("B", 39);
  assert.deepEqual(told(), [["A", "live", 3, { restarted: true }]]);
  hello(["A", "B"], "e1");
  tick("A", 2);
  assert.deepEqual(told(), [["A", "live", 2, { restarted: true }]]);
});

test("a book that begins with another's ticks shows what it shows, and goes on", () => {
  const [first, second] = [bookOf(true), bookOf(true)];
  first.hello(["A", "B", "C"], "e1", { unknown: ["D"] });
  first.event("message", '{"symbol":"A","seq":5,"state":"live","price":1.10}');
  first.tick("B", 2);
  first.book.down(["C"], "ended");
  first.hello(["A", "B", "C"]);
  first.tick("A", 5, { price: "1.10" });
  second.hello(["A", "B", "C"]);
  for (const tick of first.book.ticks()) second.event("message", tick);
  assert.deepEqual(second.told(), [["A", "live", 5], ["B", "lost", 2, "ended"]]);
  assert.equal(second.book.get("A").price, "1.10");
  second.patch("A", 6);
  second.tick("B", 2);
  assert.deepEqual(second.told(), [["A", "live", 6], ["B", "live", 2, { repeated: true }]]);
});

test("waits are random, grow, and heed the gateway", () => {
  for (const [cause, least, most] of [
    [{ failures: 0 }, 1_500, 4_000],
    [{ failures: 1 }, 3_000, 8_000],
    [{ failures: 9 }, 30_000, 30_000],
    [{ failures: 0, retry: 2_000 }, 2_000, 2_000], // random already
    [{ failures: 2, retry: 2_000 }, 6_000, 10_000],
    [{ failures: 5, retry: 60_000 }, 45_000, 75_000],
    [{ failures: 0, isBusy: true }, 5_000, 30_000],
    [{ failures: 0, after: 10_000 }, 10_000, 12_500],
    [{ failures: 0, isRefused: true }, 60_000, 90_000],
    [{ failures: 0, isRefused: true, after: 120_000 }, 120_000, 120_000],
    [{ failures: 2_000 }, 30_000, 30_000],
  ]) assert.deepEqual([backoff(cause, 0), backoff(cause, 1)], [least, most], JSON.stringify(cause));
});
