// The page under load: what it writes, and what it keeps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open as openIn, pill, pricesMove } from "../support/page.mjs";
import { PATIENT, keepScreenshot, launchBrowser, startGateway } from "../support/gateway.mjs";

const named = (count) => Array.from({ length: count }, (_, index) => `S${String(index).padStart(3, "0")}`);
const SYMBOLS = named(200);
const RATE = 1_000;
const MANY = named(500);
const HIGH_RATE = 1_500;
/** About one update in twenty changes nothing, so it does not become a tick. */
const simulated = (symbols, rate) => `
[[feed]]
name = "sim"
rate = ${1.06 * rate}
symbols = ${JSON.stringify(symbols)}
`;
const MINUTE = 60_000;

test("200 symbols at 1,000 ticks a second: a cell's text and look are written once a frame, and nothing grows", { timeout: 6 * MINUTE }, async (t) => {
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const gateway = await startGateway(t, { config: simulated(SYMBOLS, RATE), env: PATIENT });
  const { page, complaints } = await openIn(t, browser, `${gateway.url}/?symbols=${SYMBOLS}`);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("HeapProfiler.enable");
  await pill(page, "live");
  await pricesMove(page, 50);

  /** Lets the page's clock run so long: it is what is measured, not how fast something comes. */
  const run = (millis) => page.evaluate((millis) => new Promise((resolve) => setTimeout(resolve, millis)), millis);
  const heap = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return (await devtools.send("Runtime.getHeapUsage")).usedSize;
  };

  const written = await page.evaluate((millis) => new Promise((resolve) => {
    let [frame, frames, most, writes] = [new Map(), 0, 0, 0];
    let worst = "";
    const places = new Set();
    const wrote = (node, what) => {
      // A cell, or what stands beside cells: the row itself, a fact of the details, the pill.
      const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
      const cell = element?.closest("td, th") ?? element;
      const written = frame.get(cell) ?? {};
      frame.set(cell, written);
      const count = (written[what] = (written[what] ?? 0) + 1);
      writes += 1;
      for (const place of ["header", "#watchlist", "#facts", "#tape"]) if (cell?.closest(place)) places.add(place);
      if (count > most) [most, worst] = [count, `${what} of ${cell?.id} ${cell?.className} ${cell?.tagName}`];
    };
    const observer = new MutationObserver((records) => {
      for (const { target, addedNodes, removedNodes, attributeName } of records) {
        // A line of the tape comes and goes as a whole.
        if (target.nodeName === "TBODY") for (const line of [...addedNodes, ...removedNodes]) wrote(line, "text");
        else wrote(target, attributeName ?? "text");
      }
    });
    observer.observe(document.body, { childList: true, characterData: true, attributes: true, subtree: true });
    const end = performance.now() + millis;
    const next = () => {
      frames += 1;
      // Asked for a frame ahead, and so called before the page's own: what is seen from here to the next call is one frame's.
      frame = new Map();
      if (performance.now() < end) requestAnimationFrame(next);
      else resolve({ frames, most, worst, writes, places: [...places].sort() });
    };
    requestAnimationFrame(next);
  }), 10_000);
  t.diagnostic(JSON.stringify(written));
  assert.ok(written.writes > 1_000, "something was written");
  assert.deepEqual(written.places, ["#facts", "#tape", "#watchlist", "header"]);
  assert.equal(written.most, 1, `${written.worst} was written ${written.most} times in a frame`);
  await keepScreenshot(page, "load");

  await run(MINUTE - 10_000);
  const first = await heap();
  const rates = await page.evaluate((millis) => new Promise((resolve) => {
    const rate = document.getElementById("rate");
    const rates = [];
    const observer = new MutationObserver(() => rates.push(parseFloat(rate.textContent)));
    observer.observe(rate, { characterData: true, subtree: true });
    setTimeout(() => resolve(rates), millis);
  }), MINUTE);
  const second = await heap();
  const middle = rates.sort((a, b) => a - b)[Math.floor(rates.length / 2)];
  t.diagnostic(`heap after a minute ${(first / 1e6).toFixed(2)} MB, after two ${(second / 1e6).toFixed(2)} MB; ${middle} ticks a second`);
  assert.ok(middle >= 0.9 * RATE, `not under load: the page saw ${middle} ticks a second, of ${RATE}`);
  assert.ok(Math.abs(second - first) <= 0.1 * first, `the heap went from ${first} to ${second} bytes`);
  assert.equal(await page.locator("#watchlist tbody tr").count(), SYMBOLS.length);
  await pill(page, "live");
  assert.deepEqual(complaints, []);
});

/** The share of a trace in which the page's main thread was busy, by the thread's own clock, and how many frames it drew. */
function busyOf({ traceEvents }) {
  const shares = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => {
    const events = traceEvents.filter((event) => event.pid === pid && event.tid === tid && event.ph === "X");
    const tasks = events.filter(({ name }) => name.endsWith("RunTask"));
    const span = tasks.reduce((last, { ts, dur }) => Math.max(last, ts + dur), 0) - tasks.reduce((first, { ts }) => Math.min(first, ts), Infinity);
    return {
      share: tasks.reduce((sum, { tdur = 0 }) => sum + tdur, 0) / span,
      frames: events.filter(({ name }) => name === "FireAnimationFrame").length,
    };
  });
  return shares.reduce((most, found) => (found.frames > most.frames ? found : most));
}

test("500 rows at 1,500 ticks a second: the main thread is busy for less than 40 % of the time", { timeout: 6 * MINUTE }, async (t) => {
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const gateway = await startGateway(t, { config: simulated(MANY, HIGH_RATE), env: PATIENT });
  const { page, complaints } = await openIn(t, browser, `${gateway.url}/?symbols=${MANY}`);
  await pill(page, "live");
  await pricesMove(page, 10);
  await page.waitForFunction((rate) => parseFloat(document.getElementById("rate").textContent) >= rate, 0.9 * HIGH_RATE);
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 8_000)));
  const { share, frames } = busyOf(JSON.parse(await browser.stopTracing()));
  t.diagnostic(`busy for ${(100 * share).toFixed(1)} % of the time, ${frames} frames in 8 s`);
  assert.ok(frames > 8, `${frames} frames`);
  assert.ok(share < 0.4, `busy for ${(100 * share).toFixed(1)} % of the time`);
  await keepScreenshot(page, "load-500");

  // Rows that come into view are whole, and those that left it keep their symbols for keys and for the browser's search.
  await page.locator("#watchlist tr").last().scrollIntoViewIfNeeded();
  await page.waitForFunction(() => {
    const [first, last] = [document.querySelector("#watchlist tbody tr"), document.querySelector("#watchlist tbody tr:last-child")];
    return /\d/.test(last.querySelector("td.last").innerText) && first.querySelector("td.last").offsetWidth === 0 && first.querySelector("button").offsetWidth > 0;
  });
  assert.deepEqual(complaints, []);
});
