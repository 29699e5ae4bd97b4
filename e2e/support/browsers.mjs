// Both browsers, and tabs that count what their EventSources get.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import puppeteer from "puppeteer-core";
import { trust } from "./certificates.mjs";
import { WAIT, launchBrowser, within } from "./gateway.mjs";

const firefoxBinary = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

/** Starts a browser with a folder of its own, which goes when the browser has ended: until then it writes there. */
async function inFolder(t, launch) {
  const folder = mkdtempSync(join(tmpdir(), "tickfan-browser-"));
  let browser;
  t.after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  browser = await launch(folder);
  return browser;
}

/** Each starts a browser that trusts this CA, and returns what opens a profile: its pages share their connections. */
const START = {
  async Chromium(t, ca) {
    const chromium = await inFolder(t, (home) => {
      const database = join(home, ".pki/nssdb");
      mkdirSync(database, { recursive: true });
      trust(database, ca);
      return launchBrowser({ home });
    });
    return () => chromium.newContext();
  },
  async Firefox(t, ca) {
    if (!existsSync(firefoxBinary)) throw new Error(`${firefoxBinary} is missing: apt-get install firefox-esr, or set FIREFOX`);
    const firefox = await inFolder(t, (profile) => {
      trust(profile, ca);
      return puppeteer.launch({ browser: "firefox", executablePath: firefoxBinary, headless: true, userDataDir: profile });
    });
    return () => firefox.createBrowserContext();
  },
};

export const BROWSERS = Object.keys(START);

/** Starts a browser that trusts this CA, and returns what opens a profile. */
export const startBrowser = (t, name, ca) => START[name](t, ca);

/**
 * Opens a tab of the gateway with so many EventSources, and waits until each has ticks, unless they shall `wait`.
 * `recreates`: it opens another one for each that has given up.
 */
export async function openTab(profile, url, path, { sources = 1, recreates = false, wait = false } = {}) {
  const page = await profile.newPage();
  page.setDefaultTimeout(WAIT);
  await page.goto(`${url}/theme.js`); // a small text
  await page.evaluate(({ path, sources, recreates }) => {
    window.sources = Array.from({ length: sources }, () => {
      // `oldest`: the greatest age of the newest tick that the tab has seen since it was set to 0, in ms.
      const seen = { epochs: [], ticks: 0, errors: 0, byes: [], recv: 0, oldest: 0 };
      const open = (wait) => {
        const source = new EventSource(path);
        source.addEventListener("hello", ({ data }) => { wait = 1_000; seen.epochs.push(JSON.parse(data).epoch); window.look?.(); });
        source.addEventListener("bye", ({ data }) => seen.byes.push(JSON.parse(data).reason));
        source.onmessage = ({ data }) => { seen.ticks += 1; seen.recv = JSON.parse(data).recv / 1_000; window.look?.(); };
        source.onerror = () => {
          seen.errors += 1;
          if (recreates && source.readyState === EventSource.CLOSED) setTimeout(open, wait * (1 + Math.random()), Math.min(2 * wait, 16_000));
        };
        seen.close = () => source.close();
      };
      open(1_000);
      return seen;
    });
    setInterval(() => { for (const seen of window.sources) seen.oldest = Math.max(seen.oldest, Date.now() - seen.recv); }, 50);
  }, { path, sources, recreates });
  if (!wait) await moves(page);
  return page;
}

/** What the tab's sources have seen. */
export const seenBy = (page) => page.evaluate(() => window.sources.map(({ close, ...seen }) => seen));

/** Waits until each source of the tab has more ticks than now, and returns what they have seen. */
export const moves = (page) => hasStreams(page, 1);

/** The same, once each source has had so many streams. */
export async function hasStreams(page, count) {
  // The events wake it: a tab in the background has few frames and slow timers.
  const moved = page.evaluate((count) => new Promise((resolve) => {
    for (const seen of window.sources) seen.from = undefined;
    window.look = () => {
      for (const seen of window.sources) if (seen.epochs.length >= count) seen.from ??= seen.ticks;
      if (window.sources.every(({ ticks, from }) => ticks > from + 2)) resolve();
    };
    window.look();
  }), count);
  await within("ticks in a tab", moved, 60_000);
  return seenBy(page);
}

/** Keeps the main thread of the tab busy for so long; resolves at the end. */
export const block = (page, millis) => page.evaluate((millis) => {
  const end = performance.now() + millis;
  while (performance.now() < end);
}, millis);

/** The other ends of the connections that carry streams, each with how many it carries. */
export async function connectionsOf({ admin }, limit = 100) {
  const { streams } = await (await fetch(`http://${admin}/debug/streams?limit=${limit}`)).json();
  const counts = {};
  for (const { peer } of streams) counts[peer] = (counts[peer] ?? 0) + 1;
  return counts;
}

/** Waits until `holds` says so of the value of a metric's series. */
export async function untilMetric({ admin }, series, holds) {
  let value;
  await within(() => `${series}, which is ${value}`, (async () => {
    for (;;) {
      const text = await (await fetch(`http://${admin}/metrics`)).text();
      const line = text.split("\n").find((line) => line.startsWith(`${series} `));
      value = Number(line?.split(" ").at(-1) ?? NaN);
      if (holds(value)) return;
      await pause(100);
    }
  })(), 60_000);
}
