// What a gateway can say of a row and of a stream, and what the page makes of it: its streams are the test's own words.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { countStreams, helloOf, inState, listed, open as openIn, pill, row, says, scripted, texts, tickOf } from "../support/page.mjs";
import { TEST, keepScreenshot, launchBrowser, startGateway } from "../support/gateway.mjs";

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

/** A page on these symbols, and its first stream, which has said hello. */
async function follow(t, symbols, options = {}) {
  const gateway = await scripted(t, await startGateway(t));
  const opened = await openIn(t, browser, `${gateway.url}/?symbols=${symbols}`, options);
  const stream = await gateway.stream();
  stream.event("hello", helloOf(symbols));
  return { gateway, stream, ...opened };
}

const QUOTE = { price: 182.34, size: 100, bid: 182.33, ask: 182.35, volume: 1_200_300, prev_close: 180, trades: 1 };

test("each state has words and a look of its own", TEST, async (t) => {
  const states = {
    LIVE: [{}, "live"],
    SIM: [{ origin: "sim" }, "live"],
    DELAYED: [{ origin: "delayed", delay_seconds: 900 }, "live"],
    STALE: [{ state: "stale", reason: "connection_lost", stale: ["trade", "quote"] }, "stale: connection lost"],
    HALTED: [{ state: "halted", reason: "volatility" }, "halted: volatility"],
    CLOSED: [{ state: "closed", reason: "outside_hours" }, "closed: outside hours"],
    WAITING: [{ state: "waiting", reason: "no_data" }, "waiting"],
    REFUSED: [{ state: "refused", reason: "not_entitled" }, "refused: not entitled"],
    LATER: [{ state: "auction", reason: "not_yet_invented" }, "auction: not yet invented"],
  };
  const symbols = Object.keys(states);
  const { page, stream, complaints } = await follow(t, [...symbols, "CUT", "NONE"], { colorScheme: "dark", reducedMotion: "reduce" });
  stream.event("hello", helloOf(symbols, "e1", ["NONE"]));
  for (const [symbol, [fields, text]] of Object.entries(states)) {
    const known = ["WAITING", "REFUSED"].includes(symbol) ? { seq: 0, recv: undefined } : QUOTE;
    stream.tick(tickOf(symbol, 1, { ...known, since: Date.now() * 1000, ...fields }));
    await says(page, symbol, "state", text);
  }
  await says(page, "NONE", "state", "no feed has it");
  await row(page, "REFUSED").locator("button.symbol").click();
  await page.waitForFunction(() => document.querySelector("#facts .fact-state dd").textContent.startsWith("refused: not entitled since"));
  await row(page, "DELAYED").locator("button.symbol").click();
  await page.waitForFunction(() => document.querySelector("#facts .fact-state dd").textContent.endsWith(", delayed by 15 min"));
  await row(page, "REFUSED").locator("button.symbol").click();
  await keepScreenshot(page, "states");

  const looks = await page.locator("#watchlist tbody tr").evaluateAll((lines) => lines.map((line) => {
    const look = (selector, pseudo) => {
      const { color, fontWeight, fontStyle, textDecorationLine, content, backgroundColor, backgroundImage } = getComputedStyle(line.querySelector(selector), pseudo);
      return [color, fontWeight, fontStyle, textDecorationLine, content, backgroundColor, backgroundImage].join(" ");
    };
    return { symbol: line.dataset.symbol, badge: line.querySelector(".badge").textContent,
      look: [look("td.last"), look("td.state"), look("td.state", "::before"), look("th", "::before"), look("button.symbol")].join("\n") };
  }));
  const different = new Set(looks.filter(({ symbol }) => !["SIM", "DELAYED", "LATER", "NONE", "CUT"].includes(symbol)).map(({ look }) => look));
  assert.equal(different.size, 6, "live, stale, halted, closed, waiting and refused look different");
  assert.deepEqual(looks.filter(({ badge }) => badge !== "").map(({ symbol, badge }) => `${symbol} ${badge}`), ["SIM sim", "DELAYED delayed"]);
  assert.deepEqual(complaints, []);
});

test("a part that an outage made old does not look live while the symbol is live again", TEST, async (t) => {
  const { page, stream } = await follow(t, ["AAPL"], { reducedMotion: "reduce" });
  const struck = (selector) => page.waitForFunction(
    ([query, wanted]) => getComputedStyle(document.querySelector(query)).textDecorationLine.includes("line-through") === wanted,
    selector,
  );
  const last = '#watchlist tr[data-symbol="AAPL"] td.last';
  const bid = '#watchlist tr[data-symbol="AAPL"] td.bid';
  stream.tick(tickOf("AAPL", 1, { ...QUOTE, stale: ["trade"] }));
  await says(page, "AAPL", "state", "live");
  await struck([last, true]);
  await struck([bid, false]);
  await struck(["#detail-price", true]);
  stream.tick(tickOf("AAPL", 2, { ...QUOTE, price: 182.35, trades: 2 }));
  await struck([last, false]);
  await struck(["#detail-price", false]);
});

test("a symbol that is not live does not look live in the details or above the list", TEST, async (t) => {
  const { page, stream } = await follow(t, ["AAPL", "MSFT"]);
  const looks = () => page.evaluate(() => {
    const look = (selector) => {
      const { color, textDecorationLine, filter, backgroundColor } = getComputedStyle(document.querySelector(selector));
      return [color, textDecorationLine, filter, backgroundColor].join(" ");
    };
    return Object.fromEntries(["#detail-price", ".fact-bid dd", ".fact-ask dd", "#chart", "#pill"].map((selector) => [selector, look(selector)]));
  });
  stream.tick(tickOf("AAPL", 1, QUOTE));
  await page.waitForSelector('#detail[data-state="live"]');
  const live = await looks();
  stream.tick(tickOf("AAPL", 2, { ...QUOTE, kind: "status", state: "stale", reason: "connection_lost", since: Date.now() * 1000 }));
  await page.waitForSelector('#detail[data-state="stale"]');
  const stale = await looks();
  for (const [selector, look] of Object.entries(live)) assert.notEqual(stale[selector], look, selector);

  // One price does not make a line, but it is drawn.
  const blue = (wanted) => page.waitForFunction((wanted) => {
    const canvas = document.querySelector("#chart canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((_, index) => index % 4 === 2 && data[index + 1] === 255 && data[index] - data[index - 2] > 100) === wanted;
  }, wanted);
  await row(page, "MSFT").locator("button.symbol").click();
  await blue(false);
  await row(page, "AAPL").locator("button.symbol").click();
  await blue(true);
  await keepScreenshot(page, "stale-alone");
});

test("no width cuts a row off", TEST, async (t) => {
  const { page, stream } = await follow(t, ["BTC-USDT", "DOGE-USDT", "AAPL"]);
  const fields = { ...QUOTE, origin: "sim", since: Date.now() * 1000 };
  stream.tick(tickOf("BTC-USDT", 1, { ...fields, price: 98976.02, bid: 98959.23, ask: 98976.02, prev_close: 97001.5 }));
  stream.tick(tickOf("DOGE-USDT", 1, { ...fields, price: 0.42412, bid: 0.42411, ask: 0.42412, prev_close: 0.42, state: "stale", reason: "connection_lost" }));
  stream.tick(tickOf("AAPL", 1, { ...fields, state: "refused", reason: "not_entitled" }));
  await inState(page, "AAPL", "refused");
  // Wide and narrow digits: which columns have room goes by the person's font.
  for (const [font, width] of ["DejaVu Sans", "DejaVu Sans Condensed"].flatMap((font) =>
    [1920, 1500, 1440, 1400, 1360, 1280, 1279, 1120, 1100, 1080, 1000, 960, 900, 850, 834, 800, 700, 420, 360].map((width) => [font, width]))) {
    await page.evaluate((font) => { document.body.style.fontFamily = font; }, font);
    await page.setViewportSize({ width, height: 800 });
    const cut = await page.evaluate(() => {
      const room = document.getElementById("list").getBoundingClientRect().right;
      const shown = [...document.querySelectorAll("#watchlist tbody :is(td, th)")].filter(({ offsetWidth }) => offsetWidth > 0);
      return shown.filter((cell) => cell.getBoundingClientRect().right > room + 0.5).map(({ className }) => className);
    });
    assert.deepEqual(cut, [], `at ${width} px in ${font}`);
    assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth <= document.documentElement.clientWidth), `at ${width} px the page is too wide`);
    for (const column of ["last", "percent", "bid", "ask", "age"]) assert.ok(await page.locator(`td.${column}`).first().isVisible(), `${column} at ${width} px`);
  }
});

test("prices are shown digit by digit, and a change says what it is counted from", TEST, async (t) => {
  const { page, stream } = await follow(t, ["BIG", "TINY", "OPEN", "DAY"]);
  const long = (symbol, rest) => `{"symbol":"${symbol}","seq":1,"kind":"trade","state":"live","recv":${Date.now()}000,${rest}}`;
  stream.tick(long("BIG", '"price":9007199254740993.25,"prev_close":9007199254740992.25,"bid":9007199254740993,"volume":98765432109876543210.5'));
  stream.tick(long("TINY", '"price":0.000000012345678901,"prev_close":0.000000012345678900'));
  stream.tick(long("OPEN", '"price":11,"open":10,"window":"day"'));
  stream.tick(long("DAY", '"price":9,"open":10,"window":"24h"'));
  await says(page, "BIG", "last", "9,007,199,254,740,993.25");
  await says(page, "BIG", "change", "+1.00");
  await says(page, "BIG", "bid", "9,007,199,254,740,993.00");
  await says(page, "TINY", "last", "0.000000012345678901");
  await says(page, "TINY", "change", "+0.000000000000000001");
  await says(page, "OPEN", "percent", "+10.00%");
  await says(page, "DAY", "percent", "−10.00%");
  const bases = await page.locator("#watchlist tbody tr").evaluateAll((lines) => lines.map((line) =>
    getComputedStyle(line.querySelector("td.percent"), "::after").content));
  assert.deepEqual(bases, ['"c"', '"c"', '"o"', '"24h"']);
  await page.waitForFunction(() => document.getElementById("base").textContent === "vs base");
  await row(page, "DAY").locator("button.symbol").click();
  await page.waitForFunction(() => /since 24 hours ago$/.test(document.getElementById("detail-change").textContent));
  await row(page, "BIG").locator("button.symbol").click();
  await page.waitForFunction(() => document.querySelector("#facts .fact-volume dd").textContent === "98,765,432,109,876,543,210.5");
});

test("the tape shows where trades are missing, and what was corrected", TEST, async (t) => {
  const { page, stream } = await follow(t, ["AAPL"]);
  await row(page, "AAPL").waitFor();
  stream.tick(tickOf("AAPL", 1, { ...QUOTE, trades: 100 }));
  stream.tick(tickOf("AAPL", 2, { ...QUOTE, price: 182.4, trades: 101, side: "buy" }));
  stream.tick(tickOf("AAPL", 9, { ...QUOTE, price: 182.5, trades: 105, side: "sell" }));
  stream.tick(tickOf("AAPL", 10, { ...QUOTE, price: 182.45, trades: 105, kind: "correction" }));
  const tape = () => page.locator("#tape tbody tr").evaluateAll((lines) => lines.map(({ cells }) =>
    cells.length === 1 ? cells[0].textContent : `${cells[1].textContent} ${cells[3].textContent}`.trim()));
  await page.waitForFunction(() => document.querySelectorAll("#tape tbody tr").length === 5);
  assert.deepEqual(await tape(), ["corrected to 182.45", "182.50 sell", "3 trades not shown", "182.40 buy", "182.34"]);
});

test("a bye is told, and the wait after it; a click does not wait", TEST, async (t) => {
  const { page, stream, gateway } = await follow(t, ["AAPL"]);
  stream.tick(tickOf("AAPL", 7, QUOTE), "e1-7");
  await inState(page, "AAPL", "live");
  stream.event("bye", { reason: "busy" });
  stream.end();
  await page.waitForFunction(() => /^reconnecting in \d+ s: gateway busy$/.test(document.getElementById("pill-text").textContent));
  await inState(page, "AAPL", "cut");
  await keepScreenshot(page, "busy");
  await page.click("#pill");
  const second = await gateway.stream(1);
  assert.equal(second.url.searchParams.get("last_event_id"), "e1-7");
  second.event("hello", helloOf(["AAPL"]));
  await pill(page, "live");
  await inState(page, "AAPL", "cut"); // The connection is there, its price not yet.
  second.tick(tickOf("AAPL", 7, QUOTE), "e1-7");
  await inState(page, "AAPL", "live");
  second.event("bye", { reason: "shutdown" });
  second.end();
  await page.waitForFunction(() => /^reconnecting in \d+ s: gateway restarting$/.test(document.getElementById("pill-text").textContent));
  await gateway.stream(2);
});

test("a stream that falls silent is stale; what is heard again brings a new one, and with it each symbol", TEST, async (t) => {
  const { page, stream, gateway } = await follow(t, ["AAPL"]);
  const closed = tickOf("AAPL", 7, { ...QUOTE, state: "closed", reason: "outside_hours" });
  stream.tick(closed, "e1-7");
  await inState(page, "AAPL", "closed");
  stream.silence();
  await pill(page, "stale");
  // The symbol has nothing new, for a weekend if need be: its newest comes again, and the page says the same everywhere.
  stream.event("heartbeat", { now: Date.now() * 1000 });
  await says(page, "AAPL", "state", "not connected");
  await page.waitForFunction(() => document.getElementById("pill-text").textContent === "stale: gateway silent");
  assert.match(await page.textContent("#announcer"), /Connection silent/);
  await keepScreenshot(page, "silent");
  const second = await gateway.stream(1);
  assert.equal(second.url.searchParams.get("last_event_id"), "e1-7");
  assert.equal(await page.getAttribute("#pill", "data-link"), "stale");
  second.event("hello", helloOf(["AAPL"]));
  second.tick(closed, "e1-7");
  await pill(page, "live");
  await inState(page, "AAPL", "closed");
});

test("a wrong request ends and says why; another list starts over", TEST, async (t) => {
  const gateway = await scripted(t, await startGateway(t));
  gateway.refuse(400, { detail: "at most 3 symbols on a stream" });
  const { page } = await openIn(t, browser, `${gateway.url}/?symbols=A,B,C,D`);
  await pill(page, "ended");
  assert.equal((await page.textContent("#notice-text")).trim(), "at most 3 symbols on a stream");
  assert.equal(await page.locator("[role=status]:has(#notice-text)").count(), 1, "a screen reader reads it");
  assert.match(await page.textContent("#announcer"), /Connection ended$/, "and does so once");
  gateway.refuse(null);
  await row(page, "D").locator(".drop").click();
  await listed(page, ["A", "B", "C"]);
  const stream = await gateway.stream();
  assert.deepEqual(stream.asked, ["A", "B", "C"]);
  stream.event("hello", helloOf(["A", "B", "C"]));
  await pill(page, "live");
});

test("what is told again of a symbol that no feed has does not take an Undo away", TEST, async (t) => {
  const { page, stream, gateway } = await follow(t, ["AAPL", "NOPE", "MSFT"]);
  stream.event("hello", helloOf(["AAPL", "MSFT"], "e1", ["NOPE"]));
  await page.waitForSelector("#notice:has-text('No feed has NOPE.')");
  await row(page, "MSFT").locator(".drop").click();
  await page.waitForSelector("#notice:has-text('Removed MSFT.')");
  const second = await gateway.stream(1);
  second.event("hello", helloOf(["AAPL"], "e1", ["NOPE"]));
  second.tick(tickOf("AAPL", 1, QUOTE));
  await says(page, "AAPL", "last", "182.34");
  await page.getByRole("button", { name: "Undo" }).click();
  await listed(page, ["AAPL", "NOPE", "MSFT"]);
});

test("a mistyped symbol goes, though the stream tells of an earlier list first", TEST, async (t) => {
  const { page, gateway } = await follow(t, ["AAPL", "MSFT"]);
  await pill(page, "live");
  await page.fill("#search", "NOPE");
  await page.keyboard.press("Enter");
  await listed(page, ["AAPL", "MSFT", "NOPE"]);
  const second = await gateway.stream(1);
  second.event("hello", helloOf(["AAPL", "MSFT"]));
  second.event("symbols", { symbols: ["AAPL", "MSFT"], unknown: ["NOPE"] });
  await page.waitForSelector("#notice:has-text('No feed has NOPE.')");
  await listed(page, ["AAPL", "MSFT"]);
});

test("a row that a sort moves keeps the focus", TEST, async (t) => {
  const { page, stream } = await follow(t, ["AAPL", "MSFT", "KO"]);
  for (const [place, symbol] of ["AAPL", "MSFT", "KO"].entries()) stream.tick(tickOf(symbol, 1, { ...QUOTE, price: 30 - place }));
  await says(page, "KO", "last", "28.00");
  await page.click("#watchlist th[data-column=last] button");
  await listed(page, ["AAPL", "MSFT", "KO"]);
  for (const [place, order] of [["KO", "AAPL", "MSFT"], ["AAPL", "KO", "MSFT"]].entries()) {
    await row(page, "KO").locator("button.symbol").focus();
    stream.tick(tickOf(place === 0 ? "KO" : "AAPL", 2, { ...QUOTE, price: 40 + place }));
    await listed(page, order);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "KO");
  }
});

test("a restarted gateway counts from the start", TEST, async (t) => {
  const { page, stream, gateway } = await follow(t, ["AAPL"]);
  const streams = countStreams(page);
  stream.tick(tickOf("AAPL", 700, { ...QUOTE, trades: 300 }), "e1-7");
  await says(page, "AAPL", "last", "182.34");
  stream.end();
  await page.click('#pill[data-link="reconnecting"]');
  await streams.next("another stream", () => true);
  const second = await gateway.stream(1);
  second.event("hello", helloOf(["AAPL"], "e2"));
  second.tick(tickOf("AAPL", 1, { ...QUOTE, price: 183 }), "e2-1");
  await says(page, "AAPL", "last", "183.00");
  assert.deepEqual((await texts(page, "#tape tbody td")).includes("the gateway restarted"), true);
});
