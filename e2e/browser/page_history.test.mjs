// What the page's charts and lines begin with.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NARROW, WIDE, helloOf, inState, listed, open, pricesMove, row, scripted, tickOf } from "../support/page.mjs";
import { TEST, keepScreenshot, launchBrowser, startGateway } from "../support/gateway.mjs";

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

const MINUTE = 60_000;

/** A history of ten minutes whose line is broken from six to four minutes ago. */
function brokenHistory(now) {
  const points = [];
  for (let ago = 10 * MINUTE; ago > 1_000; ago -= 1_000) {
    const isStale = ago <= 6 * MINUTE && ago > 4 * MINUTE;
    const price = 182 + Math.sin(ago / 40_000) / 4;
    if (!isStale || ago === 6 * MINUTE) points.push([(now - ago) * 1_000, price, price - 0.01, price + 0.01, 5, isStale ? "stale" : "live"]);
  }
  return points;
}

/** In which twentieths of a canvas, from left to right, something of the line's colour is drawn. */
const partsDrawn = (page, selector) => page.evaluate((selector) => {
  const canvas = document.querySelector(selector);
  const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const drawn = Array(20).fill(false);
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, opacity] = data.slice(at, at + 4);
    // Neither the grid nor a label, which are grey.
    if (opacity > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) drawn[Math.floor(((at / 4) % width) / width * 20)] = true;
  }
  return drawn.map((is) => (is ? "x" : ".")).join("");
}, selector);

for (const [name, viewport] of [["wide", WIDE], ["narrow", NARROW]]) {
  test(`charts and lines begin full, and a hole stays a hole, on a ${name} screen`, TEST, async (t) => {
    const server = await scripted(t, await startGateway(t));
    const now = Date.now();
    server.histories.AAPL = brokenHistory(now);
    server.histories.MSFT = brokenHistory(now).slice(-90);
    const { page, complaints } = await open(t, browser, `${server.url}/?symbols=AAPL,MSFT,KO`, { viewport, colorScheme: "dark" });
    const stream = await server.stream();
    stream.event("hello", helloOf(["AAPL", "MSFT", "KO"]));
    for (const symbol of ["AAPL", "MSFT"]) stream.tick(tickOf(symbol, 1, { price: 182.1, bid: 182, ask: 182.2, prev_close: 180 }));
    stream.tick({ symbol: "KO", seq: 0, kind: "status", state: "waiting", since: now * 1_000, reason: "no_data" });
    await inState(page, "MSFT", "live");
    if (name === "narrow") await row(page, "AAPL").locator("button.symbol").click();
    await page.waitForFunction(() => /of AAPL over the last 10 minutes/.test(document.getElementById("chart").ariaLabel));
    await keepScreenshot(page, `history-${name}`);
    // Two of ten minutes are a hole; the axis is at the right.
    assert.match(await partsDrawn(page, "#chart canvas"), /^x{5,8}\.{1,3}x{5,8}\.{2,6}$/);
    if (name === "wide") {
      const lines = await page.waitForFunction(() => {
        const canvas = document.querySelector('tr[data-symbol="MSFT"] canvas');
        const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const columns = new Set();
        for (let at = 3; at < data.length; at += 4) if (data[at] > 100) columns.add(((at - 3) / 4) % width);
        return columns.size > width * 0.9;
      });
      assert.ok(await lines.jsonValue());
    }
    assert.deepEqual(server.asked.urls.filter(({ pathname }) => pathname.endsWith("KO")), [], "it has no past");
    assert.deepEqual(complaints, []);
  });
}

test("of five hundred rows only those in view ask for their past, four at a time", TEST, async (t) => {
  const server = await scripted(t, await startGateway(t));
  const symbols = Array.from({ length: 500 }, (_, index) => `S${String(index).padStart(3, "0")}`);
  server.asked.held = [];
  const { page, complaints } = await open(t, browser, `${server.url}/?symbols=${symbols.join()}`);
  await listed(page, symbols);
  const stream = await server.stream();
  stream.event("hello", helloOf(symbols));
  for (const symbol of symbols) stream.tick(tickOf(symbol, 1, { price: 1 }));
  await inState(page, "S499", "live");
  const asked = () => new Set(server.asked.urls.map(({ pathname }) => pathname.split("/").at(-1)));
  const inView = () => page.evaluate(() => [...document.querySelectorAll("#watchlist tbody tr")]
    .filter((line) => line.getBoundingClientRect().top < innerHeight && line.getBoundingClientRect().bottom > 0)
    .map(({ dataset }) => dataset.symbol));
  let most = 0;
  /** Answers until each of these has been asked for. */
  async function answerUntil(wanted) {
    while (!wanted.every((symbol) => asked().has(symbol))) {
      most = Math.max(most, server.asked.held.length);
      server.asked.held.shift()?.();
      await page.waitForFunction(() => true);
    }
  }
  const first = await inView();
  assert.ok(first.length > 5 && first.length < 60, `${first.length} rows are in view`);
  await answerUntil(first);
  assert.ok(asked().size <= first.length + 2, `${asked().size} symbols were asked for, and ${first.length} are in view`);
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.waitForFunction(() => document.querySelector('tr[data-symbol="S499"]').getBoundingClientRect().top < innerHeight);
  await answerUntil(await inView());
  assert.ok(most >= 3 && most <= 4, `${most} requests were under way`);
  assert.ok(asked().size < 150, `${asked().size} symbols were asked for`);
  assert.deepEqual(complaints, []);
});

test("a page that is opened later shows what was shown before it", TEST, async (t) => {
  const gateway = await startGateway(t);
  const first = await open(t, browser, `${gateway.url}/?symbols=AAPL`);
  await pricesMove(first.page, 1);
  const pointsOf = async () => (await (await fetch(`${gateway.url}/v1/history/AAPL`)).json()).points;
  let points = [];
  while (points.length < 5) points = await pointsOf();
  const oldest = points[0][0] / 1e6;

  const { page, complaints } = await open(t, browser, `${gateway.url}/?symbols=AAPL`);
  await pricesMove(page, 1);
  const { x, y, height } = await page.locator("#chart .u-over").boundingBox();
  // The cursor reads the oldest point.
  const time = new Date(Math.floor(oldest) * 1_000).toTimeString().slice(0, 8);
  await page.waitForFunction(() => document.querySelector("#chart canvas") !== null);
  await page.mouse.move(x + 40, y + height / 2);
  await page.mouse.move(x + 1, y + height / 2);
  await page.waitForFunction((time) => document.getElementById("reading").textContent.startsWith(time), time);
  assert.deepEqual([...first.complaints, ...complaints], []);
});

test("without a history the page asks once, and its charts grow as they come", TEST, async (t) => {
  const gateway = await startGateway(t, { env: { TICKFAN_HISTORY_KEEP: "0s" } });
  const { page, complaints } = await open(t, browser, "about:blank");
  const asked = [];
  page.on("request", (request) => { if (request.url().includes("/v1/history/")) asked.push(request.url()); });
  await page.goto(gateway.url);
  await pricesMove(page);
  await page.waitForFunction(() => /^Chart of the last prices/.test(document.getElementById("chart").ariaLabel));
  assert.equal(asked.length, 1, asked.join());
  assert.deepEqual(complaints.filter((complaint) => !/404/.test(complaint)), []);
});
