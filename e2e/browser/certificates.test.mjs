// Certificates that are replaced while browsers and other clients stream. Both browsers check them: they trust the CA as
// docs/tls.md says, and no error is ignored.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:tls";
import puppeteer from "puppeteer-core";
import { devCert, startCa, tlsTable, trust } from "../support/certificates.mjs";
import { WAIT, launchBrowser, startGateway, temporaryFolder, within } from "../support/gateway.mjs";

const LONG = { timeout: 240_000 };
const PATH = "/v1/stream?symbols=AAPL,BTC-USDT";
const CONFIG = '[[feed]]\nname = "sim"\nvenue = "sim"\nsymbols = ["AAPL", "BTC-USDT"]\n';
const STREAMS = 40;
const SOURCES = 4;
const SWAPS = 5;

/** Both browsers, which trust this CA. */
async function browsersThatTrust(t, ca) {
  const firefoxBinary = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
  if (!existsSync(firefoxBinary)) throw new Error(`${firefoxBinary} is missing: apt-get install firefox-esr, or set FIREFOX`);
  const home = temporaryFolder(t);
  const database = join(home, ".pki/nssdb");
  mkdirSync(database, { recursive: true });
  trust(database, ca);
  const chromium = await launchBrowser({ home });
  t.after(() => chromium.close());
  const profile = temporaryFolder(t);
  trust(profile, ca);
  const firefox = await puppeteer.launch({ browser: "firefox", executablePath: firefoxBinary, headless: true, userDataDir: profile });
  t.after(() => firefox.close());
  return {
    Chromium: async () => (await chromium.newContext()).newPage(),
    Firefox: async () => (await firefox.createBrowserContext()).newPage(),
  };
}

/** Opens EventSources in a page of the gateway, and waits until each has ticks. */
async function openSources(newPage, url) {
  const page = await newPage();
  page.setDefaultTimeout(WAIT);
  await page.goto(`${url}/openapi.json`);
  await page.evaluate(({ path, count }) => {
    window.sources = Array.from({ length: count }, () => {
      const seen = { hellos: 0, ticks: 0, errors: 0 };
      const source = new EventSource(path);
      source.addEventListener("hello", () => { seen.hellos += 1; });
      source.onmessage = () => { seen.ticks += 1; };
      source.onerror = () => { seen.errors += 1; };
      return seen;
    });
  }, { path: PATH, count: SOURCES });
  await moves(page);
  return page;
}

/** Waits until each source of the page has more ticks than now, and returns what they have seen. */
async function moves(page) {
  const before = await page.evaluate(() => window.sources.map(({ ticks }) => ticks));
  await page.waitForFunction((before) => window.sources.every(({ ticks }, place) => ticks > before[place] + 2), ...withOptions(page, before));
  return page.evaluate(() => window.sources);
}

/** Playwright takes the argument before the options, puppeteer after them. */
const withOptions = (page, argument) => (page.context().newPage && page.waitForURL ? [argument] : [{}, argument]);

/** A stream that counts what it reads. */
async function openStream(t, port, ca) {
  const request = https.get({ host: "localhost", port, path: PATH, ca, agent: false });
  t.after(() => request.destroy());
  const [response] = await within("a stream begins", once(request, "response"));
  assert.equal(response.statusCode, 200);
  const stream = { bytes: 0, ended: undefined };
  response.on("data", (data) => { stream.bytes += data.length; });
  for (const event of ["end", "error", "aborted"]) response.on(event, () => { stream.ended ??= event; });
  return stream;
}

/** The serial number of the certificate that a new connection gets. */
async function serialOf(port, ca) {
  const socket = connect({ host: "localhost", port, servername: "localhost", ca, ALPNProtocols: ["http/1.1"] });
  await within("a handshake", once(socket, "secureConnect"));
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

test("a certificate is replaced under load: open streams go on, and new connections get the new one", LONG, async (t) => {
  const ca = startCa(t);
  let serial = ca.sign();
  const trusted = readFileSync(ca.file);
  const gateway = await startGateway(t, { config: CONFIG + tlsTable(ca, 'look = "1s"\n') });
  const port = gateway.tlsPort;
  const url = `https://localhost:${port}`;
  const newPages = await browsersThatTrust(t, ca.file);
  const pages = await Promise.all(Object.values(newPages).map((newPage) => openSources(newPage, url)));
  const streams = await Promise.all(Array.from({ length: STREAMS }, () => openStream(t, port, trusted)));
  assert.equal(await serialOf(port, trusted), serial);

  let isOver = false;
  const [serials, failures] = [[], []];
  const comers = (async () => {
    while (!isOver) {
      await serialOf(port, trusted).then((serial) => serials.push(serial), (error) => failures.push(error));
      await pause(10);
    }
  })();
  for (let swap = 0; swap < SWAPS; swap++) {
    const old = serial;
    serial = ca.sign();
    await within("the new certificate is in force", (async () => {
      while (serials.at(-1) !== serial) await pause(20);
    })());
    const since = serials.slice(serials.indexOf(serial));
    assert.ok(!since.includes(old), "once it is in force, no client gets the old one");
  }
  isOver = true;
  await comers;
  assert.deepEqual(failures, [], "no client was turned away meanwhile");
  t.diagnostic(`${serials.length} handshakes, ${new Set(serials).size} certificates`);
  assert.equal(new Set(serials).size, SWAPS + 1);

  for (const page of pages) {
    for (const { hellos, errors } of await moves(page)) assert.deepEqual({ hellos, errors }, { hellos: 1, errors: 0 });
  }
  const before = streams.map(({ bytes }) => bytes);
  await within("each stream goes on", (async () => {
    while (!streams.every(({ bytes }, place) => bytes > before[place])) await pause(20);
  })());
  assert.deepEqual(streams.filter(({ ended }) => ended), []);
  // New pages, in profiles of their own, which make connections of their own.
  await Promise.all(Object.values(newPages).map((newPage) => openSources(newPage, url)));
});

test("a certificate of tickfan dev-cert is trusted by both browsers, and a replaced one is not until its CA is", LONG, async (t) => {
  const cert = devCert(t);
  const gateway = await startGateway(t, { config: CONFIG + tlsTable(cert, 'look = "1s"\n') });
  const trusted = readFileSync(cert.ca);
  const newPages = await browsersThatTrust(t, cert.ca);
  const pages = await Promise.all(Object.values(newPages).map((newPage) => openSources(newPage, `https://localhost:${gateway.tlsPort}`)));
  cert.renew();
  await within("the new certificate is in force", (async () => {
    while (await serialOf(gateway.tlsPort, trusted).then(() => true, () => false)) await pause(50);
  })());
  for (const newPage of Object.values(newPages)) {
    const page = await newPage();
    await assert.rejects(page.goto(`https://localhost:${gateway.tlsPort}/`), /CERT|SEC_ERROR|certificate|insecure/i);
  }
  for (const page of pages) await moves(page);
});
