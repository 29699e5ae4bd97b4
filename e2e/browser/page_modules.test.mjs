// The page's own modules that need no browser: numbers, the store, choices.

import assert from "node:assert/strict";
import { test } from "node:test";
import { keptWith, queryOf, readChoices, symbolsOf } from "../../src/api/page/choices.js";
import { Clock } from "../../src/api/page/clock.js";
import { History } from "../../src/api/page/history.js";
import { Meter } from "../../src/api/page/meter.js";
import { compact, compare, decimals, grouped, parseExact, percent, signed, subtract } from "../../src/api/page/numbers.js";
import { Store } from "../../src/api/page/store.js";
import { age, base, standing } from "../../src/api/page/words.js";

test("numbers keep all of their digits", () => {
  const json = '{"a":9007199254740993.000000000000000001,"b":[1,-0.00000001],"c":"1,\\"2\\":[3","d":null,"e":true,"f":{"g":0}}';
  assert.deepEqual(parseExact(json), {
    a: "9007199254740993.000000000000000001", b: ["1", "-0.00000001"], c: '1,"2":[3', d: null, e: true, f: { g: "0" },
  });
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

test("a history is bounded, keeps the newest of each half second, and its interruptions", () => {
  const history = new History();
  const points = (since = 0) => {
    const found = [];
    history.each(since, (time, value) => found.push([time, value]));
    return found;
  };
  history.interrupt();
  history.add(1_000, 1);
  history.add(1_400, 2);
  history.add(1_600, 3);
  history.interrupt();
  history.interrupt();
  history.add(1_700, 4);
  assert.deepEqual(points(), [[1_000, 2], [1_600, 3], [1_600, NaN], [1_700, 4]]);
  assert.deepEqual(points(1_650), [[1_600, NaN], [1_700, 4]]);
  for (let index = 0; index < 5_000; index += 1) history.add(2_000 + index * 500, index);
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
  const [first, second, third] = [[1_000, 1], [2_000, 2], [3_000, 3]];
  for (const [added, kept] of [
    [[first, second, [2_700, 3], [2_600, 4]], [first, second, [2_600, 4]]],
    [[first, second, third, [1_700, 4], [2_500, 5]], [first, [1_700, 4], [2_500, 5]]],
    [[first, second, [], [1_700, 3]], [first, [1_000, NaN], [1_700, 3]]],
    [[first, [], second, [1_700, 3]], [first, [1_000, NaN], [1_700, 3]]],
    [[first, second, [], [900, 3]], [[900, 3]]],
  ]) assert.deepEqual(points(...added), kept);
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
