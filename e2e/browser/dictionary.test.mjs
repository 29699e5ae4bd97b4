// Streams compressed with a dictionary that the browser has fetched before: in Chromium, and not in readers without it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import puppeteer from "puppeteer-core";
import { Child, TEST, WAIT, launchBrowser, newPage, startGateway, within } from "../support/gateway.mjs";

const PATH = "/v1/stream?symbols=AAPL,BTC-USDT&patch=1";
const CONFIG = '[fanout]\ncompress_min_streams = 1\n[[feed]]\nname = "sim"\nvenue = "sim"\nsymbols = ["AAPL", "BTC-USDT"]\n';
const firefoxBinary = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

/** How many ticks the gateway has compressed. */
const compressed = async ({ admin }) => (await (await fetch(`http://${admin}/debug/symbols`)).json()).totals.frames_compressed;

/** The encodings of the page's streams, in their order, from the network log; `undefined` is plain. */
async function logOf(page) {
  const log = { streams: [], dictionaries: [] };
  const cdp = await page.context().newCDPSession(page);
  cdp.on("Network.responseReceived", ({ response: { url, status, headers } }) => {
    const { pathname } = new URL(url);
    const header = (name) => Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
    if (pathname === "/v1/stream") log.streams.push(header("content-encoding"));
    if (pathname.startsWith("/v1/dictionary/")) log.dictionaries.push(status);
  });
  await cdp.send("Network.enable");
  return log;
}

/** Opens a stream of the page, reads so many ticks, and checks that none is missing. */
const readTicks = (page, count) => within(`${count} ticks`, page.evaluate(({ path, count }) => new Promise((resolve, reject) => {
  const source = new EventSource(path);
  const last = new Map();
  let [seen, hello] = [0, false];
  const end = (settle, value) => { source.close(); settle(value); };
  const tick = ({ data }) => {
    const { symbol, seq } = JSON.parse(data);
    if (last.has(symbol) && seq !== last.get(symbol) + 1) end(reject, new Error(`${symbol}: ${seq} after ${last.get(symbol)}`));
    last.set(symbol, seq);
    if (++seen === count) end(resolve, hello);
  };
  source.addEventListener("hello", () => { hello = true; });
  source.addEventListener("patch", tick);
  source.onmessage = tick;
  source.onerror = () => end(reject, new Error("the stream failed"));
}), { path: PATH, count }));

test("Chromium's first stream is plain, and those after it has the dictionary are compressed", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG, env: { TICKFAN_FANOUT_MAX_LAG: "20s", TICKFAN_FANOUT_RING_AGE: "30s" } });
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const page = await newPage(t, browser);
  const log = await logOf(page);
  await page.goto(`${gateway.url}/theme.js`); // a small text
  assert.equal(await readTicks(page, 20), true);
  assert.deepEqual([log.streams, log.dictionaries, await compressed(gateway)], [[undefined], [], 0]);
  const status = await page.evaluate(async () => (await fetch("/v1/dictionary")).status);
  assert.equal(status, 200);
  // The browser stores a dictionary in its own time.
  await within("a compressed stream", (async () => {
    do await readTicks(page, 5); while (log.streams.at(-1) === undefined);
  })());
  assert.equal(log.streams.at(-1), "dcz");
  const before = await compressed(gateway);
  assert.equal(await readTicks(page, 200), true);
  assert.equal(log.streams.at(-1), "dcz");
  assert.ok(await compressed(gateway) >= before + 150);
});

test("the page fetches the dictionary, and is compressed when it is opened again", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG });
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const page = await newPage(t, browser);
  const errors = [];
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  const log = await logOf(page);
  const isLive = () => page.waitForFunction(() => document.getElementById("pill").dataset.link === "live"
    && document.querySelectorAll('#watchlist tbody tr[data-state="live"]').length === 2);
  const open = async () => {
    await page.goto(`${gateway.url}/?symbols=AAPL,BTC-USDT`);
    await isLive();
  };
  await open();
  await within("the page's dictionary", (async () => {
    while (log.dictionaries.length === 0) await page.waitForTimeout(50);
  })());
  await within("a compressed page", (async () => {
    do await open(); while (log.streams.at(-1) === undefined);
  })());
  assert.equal(log.streams.at(-1), "dcz");
  const shown = await page.textContent("td.last");
  await page.waitForFunction((shown) => document.querySelector("td.last").textContent !== shown, shown);
  assert.deepEqual(errors, []);
});

test("the library fetches the dictionary once, and the streams that it opens later are compressed", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG });
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const page = await newPage(t, browser);
  const log = await logOf(page);
  await page.goto(`${gateway.url}/theme.js`);
  await page.evaluate(async () => {
    const { connect } = await import("/tickfan/index.js");
    globalThis.ticks = connect(location.origin);
  });
  // A stream that nothing watches any more closes.
  const read = () => within("a stream of the library", page.evaluate(() => new Promise((resolve) => {
    let seen = 0;
    const watch = ticks.watch(["AAPL", "BTC-USDT"], () => { if (++seen === 5) watch.stop(); });
    const off = ticks.on("state", ({ connection }) => { if (connection === "idle") resolve(off()); });
  })));
  await read();
  assert.deepEqual(log.streams, [undefined]);
  await within("a compressed stream", (async () => {
    do await read(); while (log.streams.at(-1) === undefined);
  })());
  assert.equal(log.streams.at(-1), "dcz");
  await read();
  const fetched = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname));
  assert.equal(fetched.filter((path) => path.startsWith("/v1/dictionary")).length, 1, fetched.join());
});

test("Firefox and curl get plain streams", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG });
  const curl = new Child(t, "curl", ["--silent", "--no-buffer", "--compressed", "--include", gateway.url + PATH]);
  const ticks = (lines) => lines.filter(({ text }) => text.startsWith("data: {\"symbol\"")).length;
  const lines = await curl.until("ten ticks", (lines) => ticks(lines) >= 10 && lines);
  assert.ok(!lines.some(({ text }) => text.toLowerCase().startsWith("content-encoding")));
  if (!existsSync(firefoxBinary)) throw new Error(`${firefoxBinary} is missing: apt-get install firefox-esr, or set FIREFOX`);
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: firefoxBinary, headless: true });
  t.after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(WAIT);
  await page.goto(`${gateway.url}/theme.js`);
  assert.equal(await page.evaluate(async () => (await fetch("/v1/dictionary")).status), 200);
  for (let stream = 0; stream < 3; stream += 1) assert.equal(await readTicks(page, 20), true);
  assert.equal(await compressed(gateway), 0);
});
