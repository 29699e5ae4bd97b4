// The page's own modules that need no browser: numbers, the store, choices.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Absent, Tried } from "../../src/api/page/absent.js";
import { keptWith, queryOf, readChoices, symbolsOf } from "../../src/api/page/choices.js";
import { Clock } from "../../src/api/page/clock.js";
import { Facts } from "../../src/api/page/facts.js";
import { History } from "../../src/api/page/history.js";
import { Meter } from "../../src/api/page/meter.js";
import { compact, compare, decimals, grouped, percent, signed, subtract } from "../../src/api/page/numbers.js";
import { CHART_SECONDS, LINE_SECONDS, Past, lineOf } from "../../src/api/page/past.js";
import { Store } from "../../src/api/page/store.js";
import { Ticks } from "../../src/api/page/ticks.js";
import { age, base, described, latenessOfAll, standing, titleOf } from "../../src/api/page/words.js";
import { dragRows } from "../../src/api/page/view/drag.js";
import { LISTS_MAX, nextSort, readLooks, sorted, withList } from "../../src/api/page/looks.js";

test("lateness is told of all prices, or of some", () => {
  const [delayed, longer] = [900, 1_200].map((delay_seconds) => ({ origin: "delayed", delay_seconds }));
  const [now, late] = [{ origin: "sim" }, { origin: "sim", delay_seconds: 10 }];
  assert.deepEqual([[], [now], [late, late], [now, late], [delayed], [delayed, longer]].map(latenessOfAll),
    ["", "", ", 10 s late", ", some 10 s late", " by 15 min", ", some by 15 min, some by 20 min"]);
});

test("numbers keep all of their digits", () => {
  for (const [text, count, shown] of [
    ["182.34", 2, "182.34"],
    ["182.3", 2, "182.30"],
    ["182", 2, "182.00"],
    ["1234567", 0, "1,234,567"],
    ["123456.123456", 2, "123,456.123456"],
    ["9007199254740993", 0, "9,007,199,254,740,993"],
    ["-1234.5", 2, "−1,234.50"],
    ["0.00000001", 2, "0.00000001"],
  ]) assert.equal(grouped(text, count), shown);
  assert.deepEqual(["1", "1.50", "0.001", undefined].map(decimals), [0, 2, 3, 0]);
  assert.deepEqual(["1.5", "-1.5", "0", "0.00"].map((text) => signed(text, 2)), ["+1.50", "−1.50", "0.00", "0.00"]);
});

test("prices are compared and subtracted without a double's error", () => {
  for (const [a, b, order, difference] of [
    ["0.3", "0.1", 1, "0.2"],
    ["9007199254740993", "9007199254740992", 1, "1"],
    ["1.10", "1.1", 0, "0.00"],
    ["-1", "0.5", -1, "-1.5"],
    ["98976.02", "98900", 1, "76.02"],
    ["0.01", "0.02", -1, "-0.01"],
  ]) {
    assert.equal(compare(a, b), order, `${a} and ${b}`);
    assert.equal(subtract(a, b), difference);
  }
  assert.deepEqual([percent("1", "200"), percent("-1", "200"), percent("-0.00001", "200"), percent("0", "1")],
    ["+0.50%", "−0.50%", "0.00%", "0.00%"]);
  assert.deepEqual([compact("59700000"), compact("1234"), compact("7")], ["59.7M", "1.23K", "7.00"]);
});

const tick = (symbol, seq, fields = {}) => ({ symbol, seq: String(seq), kind: "trade", state: "live", recv: "1000000", ...fields });
const hello = (epoch, unknown = [], denied = undefined) => ({ epoch, unknown, denied });

/** A store of one symbol on a stream, and its row. */
function storeOf(symbol = "A") {
  const store = new Store();
  store.list([symbol]);
  store.hello(hello("e1"));
  return { store, row: store.rows.get(symbol) };
}

test("a row is the newest tick: older ones and strangers change nothing", () => {
  const { store, row } = storeOf();
  store.take(tick("A", 5, { price: "10" }));
  store.take(tick("A", 4, { price: "9" }));
  store.take(tick("B", 1, { price: "1" }));
  assert.deepEqual([row.tick.price, store.rows.size, row.move], ["10", 1, ""]);
  store.take(tick("A", 6, { price: "10.000000000000000000001" }));
  assert.deepEqual([row.move, row.moves, row.decimals], ["up", 1, 21]);
  store.take(tick("A", 7, { price: "10" }));
  assert.deepEqual([row.move, row.moves], ["down", 2]);
});

test("a stale symbol is live again with its own next tick, even an unchanged one", () => {
  const { store, row } = storeOf();
  store.list(["A", "B"]);
  store.take(tick("A", 5, { price: "10" }));
  store.take(tick("B", 1, { price: "10" }));
  store.cut("lost");
  const words = () => [...store.rows.values()].map((row) => standing(row).text);
  assert.deepEqual(words(), ["not connected", "not connected"]);
  store.hello(hello("e1"));
  store.take(tick("A", 5, { price: "10" }));
  assert.deepEqual(words(), ["live", "not connected"]);
  assert.equal(row.moves, 0);
  store.hello(hello("e1", ["B"]));
  assert.deepEqual(words(), ["live", "no feed has it"]);
});

test("a pause makes no price look better than it was", () => {
  const { store, row } = storeOf();
  store.list(["A", "B", "C"]);
  store.take(tick("A", 5, { price: "10" }));
  store.take(tick("B", 5, { price: "10", state: "halted", reason: "venue_halt" }));
  store.cut("paused");
  const words = () => [...store.rows.values()].map((row) => standing(row).word);
  assert.deepEqual(words(), ["paused", "halted", "waiting"], "the pause is told of live prices alone");
  store.cut("lost");
  assert.deepEqual(words(), ["cut", "cut", "waiting"]);
  store.changed.clear();
  store.cut("paused");
  assert.deepEqual([words(), store.changed.size], [["cut", "cut", "waiting"], 0]);
  store.take(tick("A", 6, { price: "11" }));
  assert.equal(standing(row).word, "live");
});

test("a row that the list leaves out for a moment is not live until its own next tick", () => {
  const { store, row } = storeOf();
  store.list(["A", "B"]);
  store.take(tick("A", 5, { price: "10" }));
  store.take(tick("B", 5, { price: "10" }));
  store.changed.clear();
  store.lose("A");
  store.lose("C");
  assert.deepEqual([standing(row).text, store.changed.size, standing(store.rows.get("B")).text], ["not connected", 1, "live"]);
  row.history.each(0, (time, value) => assert.ok(time === 1_000 && (value === 10 || Number.isNaN(value)), "its line is interrupted"));
  store.take(tick("A", 5, { price: "10" }));
  assert.equal(standing(row).text, "live");
});

test("a symbol that the client may not see is not live, and is again once it may", () => {
  const { store, row } = storeOf();
  store.take(tick("A", 5, { price: "10" }));
  store.carries({ symbols: [], unknown: [], denied: ["A"] });
  assert.deepEqual([standing(row), store.changed.has(row)], [{ word: "denied", text: "not entitled" }, true]);
  row.history.each(0, (time, value) => assert.ok(time === 1_000 && (value === 10 || Number.isNaN(value)), "its line is interrupted"));
  assert.equal(row.history.length, 2);
  store.carries({ symbols: ["A"], unknown: [], denied: [] });
  store.take(tick("A", 6, { price: "11" }));
  assert.equal(standing(row).text, "live");
  store.hello(hello("e1", [], ["A"]));
  assert.equal(standing(row).word, "denied");
  store.missAll("unknown");
  assert.equal(standing(row).word, "unknown");
});

test("a new epoch restarts the counts", () => {
  const { store, row } = storeOf();
  store.take(tick("A", 500, { price: "10", trades: "300" }));
  store.hello(hello("e2"));
  store.take(tick("A", 1, { price: "11", trades: "1" }));
  assert.deepEqual([row.tick.price, row.move], ["11", "up"]);
  assert.deepEqual(row.tape.map(({ gap, price }) => gap ?? price ?? "restart"), ["10", "restart", "11"]);
});

test("a hello that comes again on an open stream starts over, also what was just taken off the list", () => {
  const { store } = storeOf();
  store.list(["A", "B"]);
  const row = store.rows.get("B");
  store.take(tick("A", 500, { price: "10", trades: "300" }));
  store.take(tick("B", 700, { price: "20", trades: "900" }));
  store.list(["A"]);
  store.hello({ ...hello("e2"), symbols: ["A", "B"] });
  store.take(tick("A", 1, { price: "11", trades: "1" }));
  store.take(tick("B", 2, { price: "21", trades: "2" }));
  store.list(["A", "B"]);
  assert.deepEqual([...store.rows.values()].map(({ tick }) => tick.price), ["11", "21"]);
  assert.equal(store.rows.get("B"), row, "the stream carries it still, and brings no other tick");
  store.hello({ ...hello("e3"), symbols: ["A", "B"] });
  assert.equal(store.take(tick("A", 1, { price: "12", trades: "1" })).tick.price, "12", "the same number is another tick");
});

test("the tape says how many trades are missing between two", () => {
  const { store, row } = storeOf();
  const lines = () => row.tape.map(({ gap, price, note }) => note ?? (gap === undefined ? price : `gap ${gap}`));
  store.take(tick("A", 1, { price: "10", trades: "100" }));
  store.take(tick("A", 2, { price: "10", trades: "100", kind: "quote" }));
  store.take(tick("A", 3, { price: "11", trades: "101" }));
  store.take(tick("A", 9, { price: "12", trades: "105", kind: "quote" }));
  store.take(tick("A", 10, { price: "11.5", trades: "105", kind: "correction" }));
  store.take(tick("A", 11, { trades: "105", kind: "correction" }));
  assert.deepEqual(lines(), ["10", "11", "gap 3", "12", "corrected to 11.5", "last trade cancelled"]);
  store.take(tick("A", 12, { price: "11", trade_ts: "1", ext_price: "13", ext_ts: "2", trades: "106" }));
  assert.deepEqual([row.tape.at(-1).price, row.tape.at(-1).outside], ["13", true]);
  for (let seq = 13; seq < 200; seq += 1) store.take(tick("A", seq, { price: "11", trades: String(seq + 94) }));
  assert.equal(row.tape.length, 60);
});

test("a change says what it is counted from", () => {
  const name = (fields) => base(fields)?.name;
  assert.equal(name({ prev_close: "10", open: "11" }), "close");
  assert.equal(name({ prev_close: "0", open: "11" }), "open");
  assert.equal(name({ open: "11", window: "24h" }), "24h");
  assert.equal(name({}), undefined);
  assert.deepEqual([0, 999, 1_000, 59_999, 60_000, 3_600_000, 90_000_000, NaN].map(age),
    ["now", "now", "1 s", "59 s", "1 min", "1 h", "1 d", "–"]);
});

test("a history is bounded, keeps the newest of each second, and its interruptions", () => {
  const history = new History();
  const points = (since = 0) => {
    const found = [];
    history.each(since, (time, value) => found.push([time, value]));
    return found;
  };
  history.interrupt();
  history.add(1_000, 1);
  history.add(1_900, 2);
  history.add(2_600, 3);
  history.interrupt();
  history.interrupt();
  history.add(2_700, 4);
  assert.deepEqual(points(), [[1_000, 2], [2_600, 3], [2_600, NaN], [2_700, 4]]);
  assert.deepEqual(points(2_650), [[2_600, NaN], [2_700, 4]]);
  for (let index = 0; index < 5_000; index += 1) history.add(3_000 + index * 1_000, index);
  assert.deepEqual([history.length, points().length, points().at(-1)[1], history.oldest], [1_024, 1_024, 4_999, points()[0][0]]);
});

test("a history's times only rise, also where a clock is set back", () => {
  const points = (...added) => {
    const history = new History();
    for (const [time, value] of added) {
      if (value === undefined) history.interrupt();
      else history.add(time, value);
    }
    const found = [];
    history.each(0, (time, value) => found.push([time, value]));
    return found;
  };
  const [first, second, third] = [[2_000, 1], [4_000, 2], [6_000, 3]];
  for (const [added, kept] of [
    [[first, second, [5_400, 3], [5_200, 4]], [first, second, [5_200, 4]]],
    [[first, second, third, [3_400, 4], [5_000, 5]], [first, [3_400, 4], [5_000, 5]]],
    [[first, second, [], [3_400, 3]], [first, [2_000, NaN], [3_400, 3]]],
    [[first, [], second, [3_400, 3]], [first, [2_000, NaN], [3_400, 3]]],
    [[first, second, [], [1_800, 3]], [[1_800, 3]]],
  ]) assert.deepEqual(points(...added), kept);
});

test("a line of the past takes the place of what a history has of its time", () => {
  const merged = (own, line) => {
    const history = new History();
    for (const [time, value] of own) {
      if (Number.isNaN(value)) history.interrupt();
      else history.add(time, value);
    }
    history.merge(line);
    const found = [];
    history.each(0, (time, value) => found.push([time, value]));
    return found;
  };
  const line = [[2_000, 2], [3_000, 3], [3_000, NaN], [5_000, 5]];
  for (const [own, expected] of [
    [[], line],
    [[[5_000, 5]], line],
    [[[1_000, 1], [6_000, 6]], [[1_000, 1], ...line, [6_000, 6]]],
    [[[2_000, 9], [4_000, 9], [4_000, NaN], [7_000, 7], [7_000, NaN], [8_000, 8]], [...line, [7_000, 7], [7_000, NaN], [8_000, 8]]],
  ]) assert.deepEqual(merged(own, line), expected);
  assert.deepEqual(merged([[1_000, 1]], []), [[1_000, 1]]);
  const long = Array.from({ length: 2_000 }, (_, index) => [index * 1_000, index]);
  assert.deepEqual(merged([], long), long.slice(-1_024));
});

test("what came while the past was on its way stays, and a row that is cut takes no past", () => {
  const { store, row } = storeOf();
  const points = () => {
    const found = [];
    row.history.each(0, (time, value) => found.push([time, value]));
    return found;
  };
  const line = [[1_000, 1], [10_500, 5]];
  store.take(tick("A", 1, { price: "4", recv: "10100000" }));
  store.take(tick("A", 2, { price: "6", recv: "10900000" }));
  store.remember(row, line);
  store.remember({ ...row, symbol: "B" }, line);
  store.remember({ ...row }, [[1_000, 9]]); // it was removed and added again
  assert.deepEqual(points(), [[1_000, 1], [10_500, 6]]);
  store.take(tick("A", 3, { price: "7", recv: "12000000", state: "stale" }));
  store.remember(row, line);
  assert.deepEqual(points(), [...line, [12_000, 7], [12_000, NaN]]);
  store.cut("lost");
  const before = points();
  store.remember(row, [[1_000, 8]]);
  assert.deepEqual(points(), before);
});

test("a line of a history's points ends where its symbol was not live, and begins at what held then", () => {
  const point = (seconds, price, state = "live") => [seconds * 1e6, price, null, null, 0, state];
  for (const [points, line] of [
    [[], []],
    [[point(5, 1), point(20, 2)], [[10_000, 1], [20_000, 2]]],
    [[point(20, 1), point(30, 1, "stale"), point(40, 2, "stale"), point(50, 3)],
      [[20_000, 1], [30_000, 1], [30_000, NaN], [50_000, 3]]],
    [[point(20, 1, "closed"), point(30, null), point(40, 3)], [[40_000, 3]]],
    [[point(20, 1), point(30, null), point(40, 3)], [[20_000, 1], [30_000, 1], [30_000, NaN], [40_000, 3]]],
    [[point(20, 1), point(30, 2), point(25, 3), point(26, 4)], [[20_000, 1], [25_000, 3], [26_000, 4]]],
  ]) assert.deepEqual(lineOf(points, 10_000), line);
});

/** Requests for the past whose answers the test gives, of symbols of which `seen` are seen. */
function pastOf(seen) {
  const asked = [];
  const taken = [];
  const rows = new Map();
  const past = new Past({ wants: ({ symbol }) => seen.has(symbol), take: ({ symbol }) => taken.push(symbol) },
    (url) => new Promise((resolve, reject) => asked.push({
      url, fail: reject, answer: (ok, body, status = ok ? 200 : 404) => resolve({ ok, status, json: async () => body }),
    })));
  const row = (symbol) => rows.get(symbol) ?? rows.set(symbol, { symbol, delayed: false }).get(symbol);
  const ask = (symbol, seconds, now) => past.ask(row(symbol), seconds, now);
  const symbols = () => asked.map(({ url }) => url.split(/[/?]/)[3]).join("");
  return { past, rows, row, ask, asked, taken, symbols };
}
const NOW = 1_000_000_004_000;
const settle = () => new Promise((resolve) => setImmediate(resolve));

test("the past is asked for once per stream, four symbols at a time, and only of what is still seen", async () => {
  const seen = new Set("ABCDEFGH");
  const { past, ask, asked, taken, symbols } = pastOf(seen);
  past.restart();
  ask("A", LINE_SECONDS, NaN);
  assert.equal(asked.length, 0, "the gateway's time is not known yet");
  for (const symbol of "ABCDEFGHA") ask(symbol, LINE_SECONDS, NOW);
  assert.equal(symbols(), "A", "whether the gateway keeps a history is not known yet");
  assert.equal(asked[0].url, "/v1/history/A?since=999999880000000&points=1000");
  asked[0].answer(true, { points: [] });
  await settle();
  assert.equal(symbols(), "ABCDE");
  seen.delete("F");
  ask("H", CHART_SECONDS, NOW);
  asked[1].answer(true, { points: [] });
  asked[2].answer(false, { type: "urn:tickfan:problem:not-entitled" });
  await settle();
  assert.equal(symbols(), "ABCDEHG", "F is out of sight, and H was opened");
  assert.deepEqual(taken, ["A", "B"]);
  seen.add("F");
  for (const symbol of "ABF") ask(symbol, LINE_SECONDS, NOW);
  for (const { answer } of asked) answer(true, { points: [] });
  await settle();
  for (const { answer } of asked) answer(true, { points: [] });
  await settle();
  assert.equal(symbols(), "ABCDEHGHF");
  past.restart();
  ask("A", LINE_SECONDS, NOW);
  assert.equal(symbols(), "ABCDEHGHFA");
});

test("an answer from before the stream counts for nothing, and a gateway without history is not asked again", async () => {
  const { past, ask, asked, taken, symbols } = pastOf(new Set("ABC"));
  past.restart();
  ask("A", LINE_SECONDS, NOW);
  past.restart();
  for (const symbol of "ABC") ask(symbol, LINE_SECONDS, NOW);
  asked[0].answer(true, { points: [] });
  await settle();
  assert.deepEqual([symbols(), taken], ["AA", []]);
  asked[1].answer(false, { type: "urn:tickfan:problem:no-history" });
  await settle();
  ask("C", CHART_SECONDS, NOW);
  assert.equal(symbols(), "AA");
  past.restart();
  ask("B", LINE_SECONDS, NOW);
  assert.equal(symbols(), "AAB", "another stream may be another gateway's");
});

test("a row that is added again, passes to delayed prices or could not be answered asks again", async () => {
  const { past, rows, row, ask, asked, taken, symbols } = pastOf(new Set("AB"));
  past.restart();
  ask("A", LINE_SECONDS, NOW);
  rows.delete("A");
  asked[0].answer(true, { points: [] });
  await settle();
  ask("A", LINE_SECONDS, NOW);
  assert.equal(symbols(), "AA", "it was removed and added again");
  row("A").delayed = true;
  asked[1].answer(true, { points: [] });
  await settle();
  assert.deepEqual(taken, ["A"], "the second answer is of live prices");
  ask("A", LINE_SECONDS, NOW);
  ask("B", LINE_SECONDS, NOW);
  assert.equal(symbols(), "AAAB");
  asked[2].answer(false, {}, 503);
  asked[3].fail(new Error("not reachable"));
  await settle();
  for (const symbol of "AB") ask(symbol, LINE_SECONDS, NOW + 9_999);
  assert.equal(symbols(), "AAAB", "not at once");
  for (const symbol of "AB") ask(symbol, LINE_SECONDS, NOW + 10_000);
  assert.equal(symbols(), "AAABAB");
});

test("the clock believes what came fastest, for some minutes", () => {
  let here = 0;
  const clock = new Clock(() => here);
  assert.ok(Number.isNaN(clock.now()));
  clock.restart(5_000_000);
  for (const [at, told, ahead, why] of [
    [100, 5_050, 5_000, "it came 50 ms late"],
    [200, 5_210, 5_010, "the first was 10 ms late itself"],
    [119_000, 123_900, 5_010, "what came fastest holds"],
    [121_000, 125_980, 5_010, "beyond its window, too"],
    [200_000, 204_990, 5_010, "which is the last one still"],
    [241_500, 246_470, 4_990, "and then what came fastest in that one: the clocks have drifted"],
    [900_000, 904_800, 4_800, "after a long silence nothing earlier holds"],
    [900_100, 905_000, 4_900, "what comes faster counts at once"],
  ]) {
    here = at;
    clock.observe(told * 1_000);
    assert.equal(clock.now() - here, ahead, why);
  }
  clock.restart(1_000_000);
  assert.equal(clock.now(), 1_000, "another gateway's clock is another");
});

test("the meter tells the rate and the delays", () => {
  const meter = new Meter();
  meter.read(0);
  for (let delay = 1; delay <= 100; delay += 1) meter.tick(delay);
  meter.tick(NaN);
  assert.deepEqual(meter.read(2_000), { rate: 50.5, p50: 51, p99: 100 });
  assert.equal(meter.read(3_000).rate, 0);
});

test("choices come from the address, then from what was kept", () => {
  assert.deepEqual(symbolsOf(" msft,BTC-USDT,,msft,no/no,BRK.B"), ["MSFT", "BTC-USDT", "BRK.B"]);
  const kept = JSON.stringify({ symbols: ["A", "B"], maxRate: 4, detail: "A" });
  assert.deepEqual(readChoices("", kept), { symbols: ["A", "B"], maxRate: 4, detail: "A" });
  assert.deepEqual(readChoices("?symbols=c,d&max_rate=10", kept), { symbols: ["C", "D"], maxRate: 10, detail: "A" });
  for (const broken of [null, "", "{", "[]", '{"symbols":7,"maxRate":"x","detail":9}']) {
    assert.deepEqual(readChoices("?max_rate=3", broken), { symbols: null, maxRate: null, detail: undefined });
  }
  assert.equal(queryOf({ symbols: ["A", "BRK.B"], maxRate: 4 }), "?symbols=A,BRK.B&max_rate=4");
  assert.equal(queryOf({ symbols: null, maxRate: null }), "");

  // Of a link's choices only the one that is made again is kept.
  const link = readChoices("?symbols=c,d&max_rate=10", kept);
  const later = (name) => readChoices("", keptWith(kept, link, name));
  assert.deepEqual(later("detail"), { symbols: ["A", "B"], maxRate: 4, detail: "A" });
  assert.deepEqual(later("maxRate"), { symbols: ["A", "B"], maxRate: 10, detail: "A" });
  assert.deepEqual(later("symbols"), { symbols: ["C", "D"], maxRate: 4, detail: "A" });
  assert.deepEqual(readChoices("", keptWith("{", { ...link, symbols: null }, "detail")), { symbols: null, maxRate: null, detail: "A" });
});

test("prices have the digits that the venue says, and more where they come with more", () => {
  const { store, row } = storeOf();
  store.take(tick("A", 1, { price: "10", bid: "9.5" }));
  assert.equal(row.decimals, 2, "as long as nothing is known");
  store.changed.clear();
  store.know({ symbol: "A", name: "A Inc.", currency: "JPY", kind: "stock", price_digits: 0 });
  assert.deepEqual([row.decimals, store.changed.has(row)], [1, true]);
  store.take(tick("A", 2, { price: "10.125" }));
  assert.equal(row.decimals, 3);
  store.know({ symbol: "A", price_digits: 5, size_digits: 8 });
  assert.deepEqual([row.decimals, row.facts.size_digits, row.facts.name], [5, 8, undefined], "an entry is whole");
  store.know({ symbol: "B", price_digits: 5 });
  assert.equal(store.rows.has("B"), false);
  assert.equal(described({ name: "Apple Inc.", kind: "stock", currency: "USD" }), "Apple Inc. · stock · USD");
  assert.deepEqual([described({ currency: "USD" }), described({})], ["USD", ""]);
});

test("facts are asked for once a stream, all in one request, and again where the digits are missing", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = [];
  const taken = [];
  let answers = [];
  const facts = new Facts((entry) => taken.push(entry.symbol), async (url) => {
    asked.push(new URL(url, "http://gateway").searchParams.get("symbols"));
    const symbols = answers.shift();
    if (symbols === undefined) throw new Error("not reachable");
    return { ok: symbols !== null, json: async () => ({ symbols }) };
  });
  const pass = async (millis) => {
    t.mock.timers.tick(millis);
    for (let turn = 0; turn < 10; turn += 1) await null;
  };
  answers = [[{ symbol: "A", price_digits: 2 }, { symbol: "B" }], [{ symbol: "B", price_digits: 1 }]];
  for (const symbol of ["A", "B", "A", "C"]) facts.ask(symbol);
  await pass(99);
  assert.deepEqual(asked, []);
  await pass(1);
  assert.deepEqual([asked, taken], [["A,B,C"], ["A", "B"]]);
  facts.ask("A");
  await pass(14_999);
  assert.equal(asked.length, 1);
  await pass(1);
  await pass(100);
  assert.deepEqual([asked, taken], [["A,B,C", "B,C"], ["A", "B", "B"]]);
  await pass(60_000);
  assert.equal(asked.length, 2, "what is not known then is not");

  // The next stream asks again; an error is passed over, and so is a gateway that cannot be reached.
  answers = [null];
  facts.restart();
  facts.ask("A");
  await pass(100);
  facts.ask("D");
  await pass(100);
  assert.deepEqual(asked.slice(2), ["A", "D"]);
  facts.restart();
  await pass(60_000);
  assert.equal(asked.length, 4, "of a stream that is over nothing is asked again");

  const many = Array.from({ length: 150 }, (_, number) => `S${number}`);
  answers = [[], []];
  for (const symbol of many) facts.ask(symbol);
  await pass(100);
  await pass(100);
  assert.deepEqual(asked.slice(4).map((symbols) => symbols.split(",").length), [100, 50]);
});

test("a row that leaves the list and comes back goes on where the stream does", () => {
  const { store, row } = storeOf();
  store.list(["A", "B"]);
  store.take(tick("A", 5, { price: "10" }));
  store.list(["B"]);
  store.take(tick("A", 6, { price: "11" }));
  assert.equal(store.changed.has(row), false, "it is not shown");
  store.list(["A", "B"]);
  assert.deepEqual([store.rows.get("A"), row.tick.price], [row, "11"]);
  store.list(["B"]);
  store.carries({ symbols: ["B"], unknown: [] });
  store.list(["A", "B"]);
  assert.equal(store.rows.get("A").tick, null, "the stream brings its newest");
  store.carries({ symbols: ["B"], unknown: ["A"] });
  assert.equal(standing(store.rows.get("A")).text, "no feed has it");
});

test("a row that passes between live and delayed prices starts over", () => {
  const { store, row } = storeOf();
  store.list(["A", "B"]);
  store.take(tick("A", 5, { price: "10" }));
  store.carries({ symbols: ["A", "B"], unknown: [], delayed: ["A"] });
  store.take(tick("A", 2, { price: "9" }));
  assert.equal(row.tick.price, "9", "it has a count of its own");
  store.carries({ symbols: ["A", "B"], unknown: [], delayed: ["A"] });
  store.take(tick("A", 1, { price: "8" }));
  assert.equal(row.tick.price, "9", "it is delayed as before");
  store.list(["B"]);
  store.carries({ symbols: ["A", "B"], unknown: [], delayed: [] });
  store.take(tick("A", 1, { price: "11" }));
  assert.equal(row.tick.price, "11", "a row off the list passes too");
  store.list(["A", "B"]);
  store.hello({ ...hello("e1"), delayed: ["A"] });
  store.take(tick("A", 1, { price: "7" }));
  assert.equal(row.tick.price, "7");
});

/** The page's ticks on a library that a test plays. */
function playedTicks() {
  const seen = { links: [], ticks: [], lost: [], sets: [], lists: [], retries: 0 };
  const handlers = {};
  const library = {
    state: { connection: "idle" },
    watch: (_, handler) => { handlers.tick = handler; return { set: (list) => seen.lists.push(list) }; },
    on: (name, handler) => { handlers[name] = handler; },
    set: (options) => seen.sets.push(options),
    retry: () => { seen.retries += 1; },
  };
  const on = { link: (link) => seen.links.push(link), tick: ({ symbol, state }) => seen.ticks.push([symbol, state]), lost: (symbol) => seen.lost.push(symbol), hello() {}, symbols() {}, heartbeat() {}, waits() {} };
  const ticks = new Ticks(() => library, on, null, () => 1_000);
  const state = (connection, more = {}) => {
    library.state = { connection, ...more };
    handlers.state(library.state);
    return seen.links.at(-1);
  };
  return { ticks, seen, state, tick: (symbol, state, reason) => handlers.tick({ symbol, state, reason }) };
}

test("the state of the line is told in the page's words", () => {
  const { seen, state } = playedTicks();
  for (const [connection, more, link] of [
    ["live", {}, { name: "live" }],
    ["silent", {}, { name: "stale", why: "gateway silent" }],
    ["lost", { reason: "silent", retryIn: 2_000 }, { name: "reconnecting", at: 3_000, why: "gateway silent" }],
    ["lost", { reason: "ended", retryIn: 500 }, { name: "reconnecting", at: 1_500, why: "" }],
    ["connecting", {}, { name: "reconnecting", at: 1_500, why: "" }],
    ["live", {}, { name: "live" }],
    ["connecting", {}, { name: "connecting" }],
    ["refused", { reason: "no-such-symbol", status: 404, detail: "none is known" }, { name: "ended", why: "none is known", absent: "unknown" }],
    ["refused", { reason: "not-entitled", status: 403, detail: "not yours" }, { name: "ended", why: "not yours", absent: "denied" }],
    ["refused", { reason: "bad-token", status: 401 }, { name: "signed-out" }],
    ["idle", {}, { name: "signed-out" }],
  ]) assert.deepEqual(state(connection, more), link, connection);
  assert.equal(seen.links.length, 9, "what changes nothing is not told");
});

test("a list that is followed over an open line is live at once, and what the link tells no tick repeats", () => {
  const { ticks, seen, state, tick } = playedTicks();
  ticks.follow(["A"], null);
  assert.deepEqual([seen.lists, seen.sets, seen.links], [[["A"]], [], []]);
  state("live");
  ticks.follow(["A", "B"], 4);
  ticks.follow([], 4);
  assert.deepEqual([seen.lists.length, seen.sets, seen.links.length], [3, [{ maxRate: 4 }], 2]);
  for (const word of ["live", "lost", "halted", "unknown", "denied"]) tick("A", word);
  assert.deepEqual(seen.ticks, [["A", "live"], ["A", "halted"]]);
  for (const [symbol, reason] of [["A", "ended"], ["B", "removed"], ["C", "gap"]]) tick(symbol, "lost", reason);
  assert.deepEqual(seen.lost, ["B", "C"], "the line's loss is the link's");
});

test("looks are read from whatever was kept", () => {
  const none = { sort: null, hidden: [], lists: [] };
  for (const [kept, looks] of [
    [null, none], ["", none], ["{", none], ["[]", none], ["null", none],
    ['{"sort":{"column":"last","isDown":true},"hidden":["bid","nope"],"lists":[{"name":"a","symbols":["X"]},{"name":1},{"symbols":[]}]}',
      { sort: { column: "last", isDown: true }, hidden: ["bid"], lists: [{ name: "a", symbols: ["X"] }] }],
    ['{"sort":{"column":"spark"},"hidden":"bid","lists":{}}', none],
  ]) assert.deepEqual(readLooks(kept), looks, kept);
  assert.equal(readLooks(JSON.stringify({ lists: Array.from({ length: 60 }, () => ({ name: "a", symbols: [] })) })).lists.length, LISTS_MAX);
});

test("a sort begins with the most, words with the least, and ends with the third click; what is missing comes last", () => {
  assert.deepEqual([null, { column: "last", isDown: true }, { column: "last", isDown: false }, { column: "bid", isDown: true }].map((sort) => nextSort(sort, "last")), [
    { column: "last", isDown: true }, { column: "last", isDown: false }, null, { column: "last", isDown: true },
  ]);
  assert.deepEqual(nextSort(null, "symbol"), { column: "symbol", isDown: false });
  const values = { A: 2, B: undefined, C: 10, D: NaN, E: 2 };
  const by = (isDown) => sorted(Object.keys(values), { column: "last", isDown }, (symbol) => values[symbol]).join("");
  assert.deepEqual([by(true), by(false), sorted(["B", "A"], null).join("")], ["CAEBD", "AECBD", "BA"]);
});

test("lists have a name, and one of each", () => {
  const one = withList([], " a ", ["X"]);
  assert.deepEqual(withList(withList(one, "b", ["Y"]), "a", ["Z"]), [{ name: "b", symbols: ["Y"] }, { name: "a", symbols: ["Z"] }]);
  assert.equal(withList(one, "  ", ["X"]), one);
});

test("the title is a live price or none", () => {
  const row = { symbol: "A", absent: null, cut: null, decimals: 2, tick: { state: "live", price: "101", prev_close: "100" } };
  assert.deepEqual([null, row, { ...row, cut: "lost" }, { ...row, tick: { ...row.tick, stale: ["trade"] } }, { ...row, tick: { ...row.tick, state: "halted" } }].map(titleOf),
    ["tickfan", "A 101.00 +1.00%", "A not connected", "A –", "A halted"]);
  const of = (origin, fields = {}) => titleOf({ ...row, tick: { ...row.tick, origin, ...fields } });
  assert.deepEqual([of("sim"), of("replay"), of("delayed"), of("sim", { state: "stale" })],
    ["A sim 101.00 +1.00%", "A replayed 101.00 +1.00%", "A delayed 101.00 +1.00%", "A stale"], "no other market's price without a mark");
});

test("a low rate is counted over some seconds", () => {
  const meter = new Meter();
  const rates = [];
  for (let second = 0; second < 14; second += 1) {
    if (second % 2 === 0) meter.tick(NaN);
    rates.push(meter.read(second * 1_000).rate);
  }
  assert.deepEqual(rates.slice(-2), [0.5, 0.5]);
});

test("an expensive frame is followed by a rest, in which nothing is drawn; a cheap one by none", async (t) => {
  let clock = 0;
  t.mock.method(performance, "now", () => clock);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = [];
  // Node's own keeps the process alive.
  class Channel {
    port1 = {};
    port2 = { postMessage: (data) => setImmediate(() => this.port1.onmessage({ data })) };
  }
  const before = globalThis.MessageChannel;
  t.after(() => { globalThis.MessageChannel = before; });
  globalThis.MessageChannel = Channel;
  const stand = { document: { createElement: () => ({ append() {} }) }, matchMedia: () => ({ matches: false }), requestAnimationFrame: (draw) => asked.push(draw) };
  Object.assign(globalThis, stand);
  t.after(() => { for (const name of Object.keys(stand)) delete globalThis[name]; });
  const { Frame } = await import("../../src/api/page/view/dom.js");
  let [cost, drawn] = [1, 0];
  const frame = new Frame(() => { drawn += 1; clock += cost; });
  /** Draws the frame that was asked for, and lets the browser tell that it is done. */
  const pass = async () => {
    asked.shift()();
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
  };
  frame.ask();
  frame.ask();
  assert.deepEqual([asked.length, drawn], [1, 0]);
  await pass();
  assert.deepEqual([drawn, frame.isBusy], [1, false]);
  cost = 30;
  frame.ask();
  await pass();
  assert.ok(frame.isBusy);
  frame.ask();
  assert.equal(asked.length, 0, "it rests");
  clock += 120;
  t.mock.timers.tick(120);
  assert.equal(asked.length, 1, "for four times as long");
  cost = 5_000;
  await pass();
  frame.ask();
  t.mock.timers.tick(200);
  assert.equal(asked.length, 1, "but not for ever");
});

test("a drag gives another order once it has ended; a click on a grip and a cancelled drag give none", (t) => {
  const window = {};
  globalThis.addEventListener = (name, listen) => { window[name] = listen; };
  t.after(() => { delete globalThis.addEventListener; });
  const rows = ["A", "B"].map((symbol) => ({ dataset: { symbol } }));
  const on = {};
  const body = { rows, addEventListener: (name, listen) => { on[name] = listen; } };
  const seen = [];
  dragRows(body, { settle: (symbols) => seen.push(symbols.join("")), restore: () => seen.push("restored") });
  const grip = { matches: () => true, setPointerCapture() {}, closest: () => rows[0] };
  const take = () => on.pointerdown({ target: grip, button: 0, preventDefault() {} });
  take();
  assert.equal(rows[0].dataset.dragged, "");
  on.pointerup();
  assert.deepEqual([seen, rows[0].dataset.dragged], [[], undefined], "a click");
  take();
  rows.reverse();
  on.pointerup();
  assert.deepEqual(seen, ["BA"]);
  for (const cancel of [() => on.pointercancel(), () => window.keydown({ key: "Escape" })]) {
    take();
    rows.reverse();
    cancel();
    on.pointerup();
  }
  assert.deepEqual(seen, ["BA", "restored", "restored"]);
});

test("what a stream does not carry is told once, and again where it differs or something else was told", () => {
  const absent = new Absent();
  const told = (unknown, denied, isSignedOff = false) => absent.tell({ unknown, denied }, isSignedOff);
  assert.equal(told([]), undefined, "nothing is missing yet");
  assert.equal(told(["A", "B"], ["C"]), "No feed has A, B. Your subscription does not include C.");
  assert.equal(told(["A", "B"], ["C"]), undefined, "an Undo that came since then stays");
  assert.equal(told(["A", "B"], ["C"], true), "No feed has A, B. Sign on to see C.");
  assert.equal(told(["A"]), "No feed has A.");
  assert.deepEqual([told([]), told([], [])], ["", undefined]);
  absent.forget();
  assert.deepEqual([told([]), told([])], ["", undefined], "what else was told of the stream is over");
});

test("a mistyped symbol goes when the stream tells of it, also where events of earlier lists come first", () => {
  const tried = new Tried();
  for (const symbol of ["KO", "NOPE", "PAID"]) tried.add(symbol);
  assert.deepEqual(tried.settle({ symbols: ["A"], unknown: ["OLD"] }), [], "this list is an earlier one");
  assert.deepEqual(tried.settle({ symbols: ["A", "KO"], unknown: ["NOPE", "OLD"], denied: ["PAID"] }), ["NOPE"]);
  assert.deepEqual(tried.settle({ unknown: ["KO", "NOPE", "PAID"] }), [], "what was there once was not mistyped");
});

test("an element that is moved keeps the focus, and nothing scrolls", async (t) => {
  const seen = [];
  const inner = { focus: (options) => seen.push(options) };
  const stand = { document: { createElement: () => ({ append() {} }), activeElement: inner }, matchMedia: () => ({ matches: false }) };
  Object.assign(globalThis, stand);
  t.after(() => { for (const name of Object.keys(stand)) delete globalThis[name]; });
  const { keepingFocus } = await import("../../src/api/page/view/dom.js");
  const parent = { contains: (element) => element === inner };
  keepingFocus(parent, () => {});
  assert.deepEqual(seen, [], "it has it still");
  keepingFocus(parent, () => { document.activeElement = null; });
  assert.deepEqual(seen, [{ preventScroll: true }]);
  keepingFocus(parent, () => { document.activeElement = inner; });
  assert.equal(seen.length, 1, "the focus was elsewhere");
});

test("notices come up in a region that is there from the start, so that screen readers read them", () => {
  const html = readFileSync(new URL("../../src/api/page/index.html", import.meta.url), "utf8");
  assert.match(html, /<div role="status"><div id="notice" hidden>/);
});
