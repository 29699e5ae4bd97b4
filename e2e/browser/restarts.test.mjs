// Restarts that clients survive: native EventSources in two browsers, with nginx as shipped and without, and what each
// browser does where it cannot reconnect at once.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import puppeteer from "puppeteer-core";
import { startNginx } from "../clients/nginx.mjs";
import { WAIT, launchBrowser, otherOrigin, root, startGateway, within } from "../support/gateway.mjs";

/** How long the gateway is away. */
const AWAY = 12_000;
const CONTEXTS = 4;
/** Of each context: a browser opens six connections to a site. */
const SOURCES = 5;
const LONG = { timeout: 240_000 };
const PATH = "/v1/stream?symbols=AAPL,BTC-USDT";
const CONFIG = '[server]\nhosts = ["ticks.example.com"]\n[[feed]]\nname = "sim"\nvenue = "sim"\nsymbols = ["AAPL", "BTC-USDT"]\n';

const firefoxBinary = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

/** Both browsers, each with a function that opens a page in a profile of its own. */
const browsers = {};
before(async () => {
  if (!existsSync(firefoxBinary)) throw new Error(`${firefoxBinary} is missing: apt-get install firefox-esr, or set FIREFOX`);
  const chromium = await launchBrowser();
  const firefox = await puppeteer.launch({ browser: "firefox", executablePath: firefoxBinary, headless: true, acceptInsecureCerts: true });
  browsers.Chromium = { close: () => chromium.close(), newPage: async () => (await chromium.newContext({ ignoreHTTPSErrors: true })).newPage() };
  browsers.Firefox = { close: () => firefox.close(), newPage: async () => (await firefox.createBrowserContext()).newPage() };
});
after(() => Promise.all(Object.values(browsers).map(({ close }) => close())));

/** A page of another origin than the gateway. */
async function emptyPage(t, browser) {
  const page = await browsers[browser].newPage();
  t.after(() => page.close());
  page.setDefaultTimeout(120_000);
  await page.goto(await otherOrigin(t));
  return page;
}

/** Opens native EventSources in a page. `recreates`: the page opens another one for each that has given up. */
const openSources = (page, url, count, recreates) => page.evaluate(({ url, count, recreates }) => {
  window.sources = Array.from({ length: count }, () => ({ hellos: [], ticks: 0, givenUp: 0 }));
  for (const seen of window.sources) {
    let wait = 1_000;
    const open = () => {
      const source = new EventSource(url);
      source.addEventListener("hello", ({ data }) => { wait = 1_000; seen.hellos.push(JSON.parse(data).epoch); seen.ticks = 0; });
      source.onmessage = () => { seen.ticks += 1; window.look?.(); };
      source.onerror = () => {
        if (source.readyState !== EventSource.CLOSED) return;
        seen.givenUp += 1;
        if (!recreates) return;
        setTimeout(open, wait * (1 + Math.random()));
        wait = Math.min(2 * wait, 16_000);
      };
    };
    open();
  }
}, { url, count, recreates });

/** Waits until all sources of a page have had a stream of so many gateways, with ticks on the last one. */
async function served(page, gateways, what) {
  const all = page.evaluate((gateways) => new Promise((resolve) => {
    window.look = () => {
      if (window.sources.every(({ hellos, ticks }) => new Set(hellos).size === gateways && ticks > 2)) resolve();
    };
    window.look();
  }), gateways);
  try {
    await within(what, all, 120_000);
  } catch (error) {
    throw new Error(`${what}: ${await page.evaluate(() => JSON.stringify(window.sources))}`, { cause: error });
  }
}

/** Each way to the gateway in each browser; a kill leaves no goodbye. */
const CASES = ["Chromium", "Firefox"].flatMap((browser) => ["nginx as shipped", "no proxy"].flatMap((way) => [
  { browser, way, end: "a drain", contexts: CONTEXTS },
  { browser, way, end: "a kill", contexts: 1 },
]));

describe(`EventSources come back after ${AWAY / 1_000} s without a gateway`, { concurrency: true }, () => {
  for (const { browser, way, end, contexts } of CASES) {
    test(`in ${browser}, with ${way}, after ${end}`, LONG, async (t) => {
      const first = await startGateway(t, { config: CONFIG, env: { TICKFAN_SERVER_DRAIN: "1s" } });
      const nginx = way === "no proxy" ? undefined : await startNginx(t, first.address, "1.1");
      // The certificate is not checked, and the gateway answers to every address.
      const url = (nginx ? nginx.replace("ticks.example.com", "127.0.0.1") : first.url) + PATH;
      const pages = await Promise.all(Array.from({ length: contexts }, () => emptyPage(t, browser)));
      await Promise.all(pages.map((page) => openSources(page, url, SOURCES, nginx === undefined)));
      await Promise.all(pages.map((page) => served(page, 1, "before")));
      if (end === "a kill") first.signal("SIGKILL");
      else assert.equal(await first.stop(), 0);
      await pause(AWAY);
      await startGateway(t, { listen: first.address, config: CONFIG });
      await Promise.all(pages.map((page) => served(page, 2, "after")));
      const givenUp = await Promise.all(pages.map((page) => page.evaluate(() => window.sources.reduce((sum, seen) => sum + seen.givenUp, 0))));
      if (nginx || browser === "Chromium") assert.deepEqual(givenUp, pages.map(() => 0), "the browser alone comes back");
    });
  }
});

// ---- what each browser does

const HEAD = { "content-type": "text/event-stream", "access-control-allow-origin": "*" };
const endless = (_, response) => response.writeHead(200, HEAD).write("retry: 1500\nevent: hello\ndata: {}\n\n");

/** A server on a port of its own, or on this one. */
async function serve(t, answer, port = 0) {
  const sockets = new Set();
  const server = createServer(answer).on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    sockets.forEach((socket) => socket.resetAndDestroy());
    await closed;
  };
  t.after(stop);
  return { port: server.address().port, stop };
}

/** What answers the reconnect, by the row of the table in docs/clients.md. */
const RECONNECTS = {
  "200 with `bye`": (_, response) => response.writeHead(200, HEAD).end("retry: 200\nevent: bye\ndata: {}\n\n"),
  "200 with an empty body": (_, response) => response.writeHead(200, HEAD).end(),
  "502, or any other status": (_, response) => response.writeHead(502, HEAD).end(),
  "a refused connection": "refused",
  "a reset or an end before the response": (request) => request.socket.resetAndDestroy(),
  "none: the name is not found": "no name",
  "none: the computer is offline": "offline",
};

const setOffline = (page) => page.setOfflineMode?.(true) ?? page.context().setOffline(true);

/** `yes`: it tries again. `no`: it has closed for good. */
async function comesBack(t, browser, answer) {
  const first = await serve(t, endless);
  const page = await emptyPage(t, browser);
  await page.evaluate((url) => {
    window.seen = { hellos: 0, errors: 0 };
    window.source = new EventSource(url);
    window.source.addEventListener("hello", () => { window.seen.hellos += 1; });
    window.source.onerror = () => { window.seen.errors += 1; };
  }, answer === "no name" ? "http://nowhere.invalid/" : `http://127.0.0.1:${first.port}/`);
  if (answer !== "no name") await page.waitForFunction("window.seen.hellos === 1");
  if (answer === "offline") await setOffline(page);
  await first.stop(); // No browser gives up because an open stream breaks.
  if (typeof answer === "function") await serve(t, answer, first.port);
  // One error for the stream that broke, one for the attempt that the row is about.
  await page.waitForFunction(`window.source.readyState === 2 || window.seen.errors >= 2`);
  if (await page.evaluate("window.source.readyState") === 2) return "no";
  if (answer !== "refused") return "yes";
  await serve(t, endless, first.port);
  await page.waitForFunction("window.seen.hellos >= 2");
  return "yes";
}

test("docs/clients.md says what each browser does where it cannot reconnect", LONG, async (t) => {
  const text = readFileSync(join(root, "docs/clients.md"), "utf8");
  const row = (name) => text.split("\n").find((line) => line.startsWith(`| ${name} |`))?.split("|").slice(2, 4).map((cell) => cell.trim());
  await Promise.all(Object.entries(RECONNECTS).map(async ([name, answer]) => {
    const found = await Promise.all(["Chromium", "Firefox"].map((browser) => within(name, comesBack(t, browser, answer), WAIT)));
    assert.deepEqual(row(name), found, name);
  }));
});
