// Certificates that are replaced while browsers and other clients stream. Both browsers check them: they trust the CA as
// docs/tls.md says, and no error is ignored.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:tls";
import { BROWSERS, moves, openTab, startBrowser } from "../support/browsers.mjs";
import { devCert, startCa, tlsTable } from "../support/certificates.mjs";
import { startGateway, within } from "../support/gateway.mjs";

const LONG = { timeout: 240_000 };
const PATH = "/v1/stream?symbols=AAPL,BTC-USDT";
const CONFIG = '[[feed]]\nname = "sim"\nvenue = "sim"\nsymbols = ["AAPL", "BTC-USDT"]\n';
const STREAMS = 40;
const SOURCES = 4;
const SWAPS = 5;

/** What opens a profile of each browser. They trust this CA. */
const browsersThatTrust = (t, ca) => Promise.all(BROWSERS.map((name) => startBrowser(t, name, ca)));

/** Opens a tab in a new profile of each browser, which makes connections of its own. */
const openTabs = (newProfiles, url) =>
  Promise.all(newProfiles.map(async (newProfile) => openTab(await newProfile(), url, PATH, { sources: SOURCES })));

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
  const newProfiles = await browsersThatTrust(t, ca.file);
  const pages = await openTabs(newProfiles, url);
  const streams = await Promise.all(Array.from({ length: STREAMS }, () => openStream(t, port, trusted)));

  let isOver = false;
  const serials = [await serialOf(port, trusted)];
  const failures = [];
  const comers = (async () => {
    while (!isOver) {
      await serialOf(port, trusted).then((serial) => serials.push(serial), (error) => failures.push(error));
      await pause(10);
    }
  })();
  for (let swap = 0; swap < SWAPS; swap++) {
    serial = ca.sign();
    await within("the new certificate is in force", (async () => {
      while (serials.at(-1) !== serial) await pause(20);
    })());
  }
  isOver = true;
  await comers;
  assert.deepEqual(failures, [], "no client was turned away meanwhile");
  t.diagnostic(`${serials.length} handshakes`);
  const changes = serials.filter((serial, place) => place > 0 && serial !== serials[place - 1]);
  assert.equal(changes.length, SWAPS, "once one is in force, no client gets the old one");

  for (const page of pages) {
    for (const { epochs, errors } of await moves(page)) assert.deepEqual({ hellos: epochs.length, errors }, { hellos: 1, errors: 0 });
  }
  const before = streams.map(({ bytes }) => bytes);
  await within("each stream goes on", (async () => {
    while (!streams.every(({ bytes }, place) => bytes > before[place])) await pause(20);
  })());
  assert.deepEqual(streams.filter(({ ended }) => ended), []);
  await openTabs(newProfiles, url);
});

test("a certificate of tickfan dev-cert is trusted by both browsers, and a replaced one is not until its CA is", LONG, async (t) => {
  const cert = devCert(t);
  const gateway = await startGateway(t, { config: CONFIG + tlsTable(cert, 'look = "1s"\n') });
  const trusted = readFileSync(cert.ca);
  const newProfiles = await browsersThatTrust(t, cert.ca);
  const pages = await openTabs(newProfiles, `https://localhost:${gateway.tlsPort}`);
  cert.renew();
  await within("the new certificate is in force", (async () => {
    while (await serialOf(gateway.tlsPort, trusted).then(() => true, () => false)) await pause(50);
  })());
  for (const newProfile of newProfiles) {
    const page = await (await newProfile()).newPage();
    await assert.rejects(page.goto(`https://localhost:${gateway.tlsPort}/`), /CERT|SEC_ERROR|certificate|insecure/i);
  }
  for (const page of pages) await moves(page);
});
