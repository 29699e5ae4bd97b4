// The client library in the browsers: one stream for a page, one for all tabs that share, and outages.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { BROWSERS, connectionsOf, startBrowser } from "../support/browsers.mjs";
import { devCert } from "../support/certificates.mjs";
import { TEST, WAIT, root, startGateway, temporaryFolder, within } from "../support/gateway.mjs";
import { Issuer } from "../support/sign_on.mjs";
import { lacksWebKit, startWebKit } from "../support/webkit.mjs";

const SYMBOLS = ["AAPL", "MSFT", "BTC-USDT"];
const CONFIG = `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = 60\nsymbols = ${JSON.stringify(SYMBOLS)}\n`;

/** An origin with an empty page and the library. */
async function serve(t) {
  const library = readFileSync(join(root, "clients/js/dist/tickfan.js"));
  const server = createServer(({ url }, response) => {
    const isLibrary = url === "/tickfan.js";
    response.setHeader("content-type", isLibrary ? "text/javascript" : "text/html");
    response.end(isLibrary ? library : '<!doctype html><link rel="icon" href="data:,"><title>a page of your own</title>');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  return `http://127.0.0.1:${server.address().port}/`;
}

/** A tab that watches these lists, each in a watch of its own. It notes where a price is live without a line. */
async function open(profile, origin, url, lists, options = {}) {
  const page = await profile.newPage();
  page.setDefaultTimeout(WAIT);
  await page.goto(origin);
  await page.evaluate(async ({ url, lists, options }) => {
    const { connect } = await import("/tickfan.js");
    if (options.tokens) options.token = () => options.tokens.length > 1 ? options.tokens.shift() : options.tokens[0];
    const ticks = connect(url, { heartbeat: 1, ...options });
    const seen = Object.assign(window, { ticks, states: [], faults: [], count: 0, latest: {}, missed: 0, lists: 0 });
    const take = (tick) => {
      seen.count += 1;
      seen.latest[tick.symbol] = tick;
      if (tick.state === "live" && ticks.state.connection !== "live") seen.faults.push(`${tick.symbol} is live: ${JSON.stringify(ticks.state)}`);
    };
    ticks.on("state", (state) => {
      seen.states.push(state);
      for (const tick of Object.values(seen.latest)) if (state.connection !== "live" && tick.state === "live") seen.faults.push(`${tick.symbol}: ${JSON.stringify(state)}`);
    });
    ticks.on("missed", (missed) => { seen.missed += missed.ticks; });
    ticks.on("symbols", () => { seen.lists += 1; });
    seen.watches = lists.map((list) => ticks.watch(list, take));
  }, { url, lists, options });
  return page;
}

/** Waits until the tab says so. It asks from here: a tab in the background has slow timers. */
async function until(page, what, holds, argument) {
  await within(what, (async () => {
    while (!(await page.evaluate(holds, argument))) await new Promise((resolve) => { setTimeout(resolve, 50); });
  })(), 60_000).catch(async (error) => {
    throw new Error(`${error.message}; ${JSON.stringify(await page.evaluate(() => [window.states.slice(-5), window.latest]))}`);
  });
}

const live = (page, symbols = SYMBOLS) =>
  until(page, "live prices", (symbols) => symbols.every((symbol) => window.latest[symbol]?.state === "live"), symbols);
const lost = (page, symbols = SYMBOLS) =>
  until(page, "lost prices", (symbols) => symbols.every((symbol) => window.latest[symbol]?.state === "lost"), symbols);
const streams = async (gateway) => Object.values(await connectionsOf(gateway)).reduce((sum, count) => sum + count, 0);

async function moves(page) {
  const before = await page.evaluate(() => window.count);
  await until(page, "ticks", (before) => window.count > before + 5, before);
}

for (const name of [...BROWSERS, "WebKit"]) {
  const skip = name === "WebKit" && lacksWebKit();
  test(`${name}: one stream for a page, one for all tabs that share, and none of them shows an old price as live`, { ...TEST, skip }, async (t) => {
    const origin = await serve(t);
    const openProfile = await (name === "WebKit" ? startWebKit(t) : startBrowser(t, name, devCert(t).ca));
    const profile = await openProfile();
    let gateway = await startGateway(t, { config: CONFIG });

    const page = await open(profile, origin, gateway.url, [["AAPL"], ["AAPL", "MSFT"]]);
    await live(page, ["AAPL", "MSFT"]);
    await page.evaluate(() => window.ticks.watch([], (tick) => { window.latest[tick.symbol] = tick; }).add("BTC-USDT"));
    await live(page);
    assert.equal(await streams(gateway), 1, "three watches");

    const tabs = [];
    for (const list of [["AAPL"], ["MSFT", "BTC-USDT"], ["AAPL", "BTC-USDT"]]) {
      const tab = await open(profile, origin, gateway.url, [list], { share: true });
      await live(tab, list);
      tabs.push([tab, list]);
    }
    assert.equal(await streams(gateway), 2, "three tabs share one");
    const [[first], [, secondList]] = tabs;
    await first.evaluate(() => window.watches[0].add("MSFT"));
    await live(first, ["AAPL", "MSFT"]);

    gateway.signal("SIGSTOP");
    await lost(page);
    for (const [tab, list] of tabs) await lost(tab, list);
    gateway.signal("SIGCONT");
    await live(page);
    for (const [tab, list] of tabs) await live(tab, list);

    gateway.signal("SIGKILL");
    await lost(page);
    await lost(tabs[1][0], secondList);
    // The tab that keeps the stream tells it to one that comes later.
    const late = await open(profile, origin, gateway.url, [["MSFT"]], { share: true });
    await until(late, "the last price, lost", () => window.latest.MSFT?.state === "lost" && window.latest.MSFT.price > 0);
    await late.close();
    // Longer than one attempt: a browser's own EventSource would have given up.
    await until(page, "two attempts", () => window.states.slice(-6).filter(({ connection }) => connection === "lost").length > 1);
    gateway = await startGateway(t, { config: CONFIG, listen: gateway.address });
    await live(page);
    for (const [tab, list] of tabs) await live(tab, list);
    assert.equal(await streams(gateway), 2);

    // The tab that keeps the stream is the first one. Another takes over where it was.
    const missed = await tabs[1][0].evaluate(() => window.missed);
    await first.close();
    await moves(tabs[1][0]);
    await live(tabs[1][0], secondList);
    await moves(tabs[2][0]);
    assert.equal(await tabs[1][0].evaluate(() => window.missed), missed, "no tick is missed");
    const answer = await fetch(`http://${gateway.admin}/debug/streams`);
    const { streams: open_ } = await answer.json();
    assert.equal(open_.length, 2, JSON.stringify(open_));

    for (const tab of [page, tabs[1][0], tabs[2][0]]) assert.deepEqual(await tab.evaluate(() => window.faults), []);
  });
}

test("the README's page, saved and opened as a file, shows prices that move, and no old one as live", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG });
  const readme = readFileSync(join(root, "clients/js/README.md"), "utf8");
  const [, html] = /\n```html\n(.*?)```/s.exec(readme);
  assert.equal(html.split("http://127.0.0.1:8080").length, 3, "the library and the gateway");
  const file = join(temporaryFolder(t), "index.html");
  writeFileSync(file, html.replaceAll("http://127.0.0.1:8080", gateway.url));
  const openProfile = await startBrowser(t, "Chromium", devCert(t).ca);
  const page = await (await openProfile()).newPage();
  page.setDefaultTimeout(WAIT);
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(`file://${file}`);
  const are = (state) => page.waitForFunction((state) => document.querySelectorAll(`tr[data-state=${state}]`).length === 3, state);
  await are("live");
  const before = await page.innerText("table");
  for (const symbol of SYMBOLS) assert.match(before, new RegExp(`^${symbol}(\\t\\d[\\d.]*){3}$`, "m"));
  await page.waitForFunction((before) => document.querySelector("table").innerText !== before, before);
  gateway.signal("SIGKILL");
  await are("lost");
});

test("Chromium: tickets for EventSources, renewed in place; offline and online", TEST, async (t) => {
  const origin = await serve(t);
  const openProfile = await startBrowser(t, "Chromium", devCert(t).ca);
  const issuer = new Issuer(t);
  const gateway = await startGateway(t, { config: CONFIG + issuer.table() });
  const profile = await openProfile();
  const errorPage = "<h1>Internal error</h1>"; // What a login may answer with.
  const tokens = [issuer.token("u1", ["*"], -20), errorPage, issuer.token("u1", ["*"])];
  const page = await open(profile, origin, gateway.url, [SYMBOLS], { tokens, transport: "eventsource" });
  await live(page);
  await until(page, "a renewal", () => window.lists > 0);
  assert.deepEqual(await page.evaluate(() => window.states.map(({ connection }) => connection)), ["connecting", "live"]);
  await profile.setOffline(true);
  await lost(page);
  assert.equal(await page.evaluate(() => window.states.find(({ connection }) => connection === "lost").reason), "offline");
  await profile.setOffline(false);
  await live(page);
  assert.deepEqual(await page.evaluate(() => [window.faults, window.states[1].connection]), [[], "live"]);
});
