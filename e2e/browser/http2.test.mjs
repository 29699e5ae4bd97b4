// HTTP/2 in both browsers: many tabs share one connection, and every EventSource comes back however its stream ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { constants, createSecureServer } from "node:http2";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BROWSERS, block, connectionsOf, hasStreams, moves, openTab, seenBy, startBrowser, untilMetric } from "../support/browsers.mjs";
import { devCert, tlsTable } from "../support/certificates.mjs";
import { PATIENT, startGateway, within } from "../support/gateway.mjs";

const LONG = { timeout: 240_000 };
const TABS = 30;
const PATH = "/v1/stream?symbols=AAPL,BTC-USDT";
const feed = (rate) => `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = ${rate}\nsymbols = ["AAPL", "BTC-USDT"]\n`;

const urlOf = ({ tlsPort }) => `https://localhost:${tlsPort}`;
/** The table for the port of an earlier gateway. */
const tlsTableAt = (cert, port) => tlsTable(cert).replace("127.0.0.1:0", `127.0.0.1:${port}`);

/** A server of HTTP/2 that resets its open streams when it is told to. */
async function startResetting(t, { chain, key }) {
  const streams = new Set();
  const sessions = new Set();
  const server = createSecureServer({ cert: readFileSync(chain), key: readFileSync(key) });
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, { ":path": path }) => {
    stream.on("error", () => {});
    if (path !== "/stream") return stream.respond({ ":status": 200, "content-type": "text/plain" }, { endStream: true });
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
    stream.write(`retry: 100\nevent: hello\ndata: {"epoch":"one"}\n\n`);
    const ticks = setInterval(() => stream.write('data: {"recv":0}\n\n'), 20);
    streams.add(stream.on("close", () => { clearInterval(ticks); streams.delete(stream); }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { sessions.forEach((session) => session.destroy()); server.close(); });
  return {
    url: `https://localhost:${server.address().port}`,
    reset: () => streams.forEach((stream) => stream.close(constants.NGHTTP2_CANCEL)),
    /** How many connections carried streams. */
    connections: () => new Set([...streams].map(({ session }) => session)).size,
  };
}

for (const browser of BROWSERS) {
  test(`${TABS} tabs of ${browser} share one connection, and all come back to the next gateway`, LONG, async (t) => {
    const cert = devCert(t);
    const first = await startGateway(t, { config: feed(100) + tlsTable(cert), env: { ...PATIENT, TICKFAN_SERVER_DRAIN: "1s" } });
    const newProfile = await startBrowser(t, browser, cert.ca);
    const profile = await newProfile();
    // Between the two gateways the connection is refused: Chromium tries again, and Firefox leaves that to the page.
    const open = () => openTab(profile, urlOf(first), PATH, { recreates: browser === "Firefox" });
    const tabs = [];
    while (tabs.length < TABS) tabs.push(...await Promise.all([open(), open(), open()]));
    assert.deepEqual(Object.values(await connectionsOf(first)), [TABS]);

    assert.equal(await first.stop(), 0);
    const second = await startGateway(t, { config: feed(100) + tlsTableAt(cert, first.tlsPort), env: PATIENT });
    for (const [{ epochs, byes }] of await Promise.all(tabs.map((tab) => hasStreams(tab, 2)))) {
      assert.equal(new Set(epochs).size, 2);
      assert.deepEqual(byes, ["shutdown"], "the first gateway ended each stream in order");
    }
    assert.deepEqual(Object.values(await connectionsOf(second)), [TABS]);
  });
}

/** Asks for a small text; returns the protocol that it came by. */
const asks = (tab) => tab.evaluate(async () => {
  performance.clearResourceTimings();
  await (await fetch("/theme.js", { cache: "no-store" })).text();
  return performance.getEntriesByType("resource").at(-1).nextHopProtocol;
});

for (const browser of BROWSERS) {
  test(`in ${browser}, a request within a drain takes a connection of its own, and the open streams go on`, LONG, async (t) => {
    const cert = devCert(t);
    // Of so many streams some last for most of the drain.
    const gateway = await startGateway(t, { config: feed(100) + tlsTable(cert), env: { ...PATIENT, TICKFAN_SERVER_DRAIN: "15s" } });
    const newProfile = await startBrowser(t, browser, cert.ca);
    const tab = await openTab(await newProfile(), urlOf(gateway), PATH, { sources: 20 });
    assert.equal(await asks(tab), "h2");
    const stopped = gateway.stop();
    // GOAWAY may be on its way still. Behind it no request is served on the connection, and a new one speaks HTTP/1.1.
    await within("a connection of its own", (async () => { while (await asks(tab) === "h2") await pause(50); })());
    const going = (await seenBy(tab)).map(({ byes, ticks }) => (byes.length === 0 ? ticks : null));
    assert.ok(going.some((ticks) => ticks !== null), "all streams had ended by then");
    const goesOn = ({ ticks }, place) => going[place] !== null && ticks > going[place] + 20;
    await within("ticks of an open stream", (async () => { while (!(await seenBy(tab)).some(goesOn)) await pause(50); })());
    assert.equal(await stopped, 0);
    assert.ok((await seenBy(tab)).every(({ byes, epochs }) => byes[0] === "shutdown" && epochs.length === 1));
  });
}

describe("an EventSource comes back over HTTP/2", { concurrency: true }, () => {
  for (const browser of BROWSERS) {
    test(`in ${browser}, after an answer that ends with \`bye\``, LONG, async (t) => {
      const cert = devCert(t);
      const gateway = await startGateway(t, { config: `${feed(100)}[limits]\nstreams = 2\n${tlsTable(cert)}`, env: PATIENT });
      const newProfile = await startBrowser(t, browser, cert.ca);
      const profile = await newProfile();
      const kept = await openTab(profile, urlOf(gateway), PATH, { sources: 2 });
      const late = await openTab(profile, urlOf(gateway), PATH, { wait: true });
      await late.waitForFunction(() => window.sources[0].errors > 0);
      assert.deepEqual((await seenBy(late))[0].byes, ["busy"]);
      await kept.evaluate(() => window.sources.shift().close());
      await moves(late);
      assert.deepEqual(Object.values(await connectionsOf(gateway)), [2]);
      const [{ epochs, errors }] = await moves(kept);
      assert.deepEqual({ hellos: epochs.length, errors }, { hellos: 1, errors: 0 });
    });

    test(`in ${browser}, after a reset with CANCEL, as the gateway does it`, LONG, async (t) => {
      const cert = devCert(t);
      const server = await startResetting(t, cert);
      const newProfile = await startBrowser(t, browser, cert.ca);
      const tab = await openTab(await newProfile(), server.url, "/stream");
      server.reset();
      const [{ errors }] = await hasStreams(tab, 2);
      assert.equal(errors, 1);
      assert.equal(server.connections(), 1);
    });
  }

  // Firefox has no such test: it goes on to read for a blocked tab.
  test("in Chromium, after the gateway closed it because its tab was blocked, and the tab beside goes on", LONG, async (t) => {
    const cert = devCert(t);
    // The window of the blocked tab is full within seconds.
    const gateway = await startGateway(t, { config: feed(4_000) + tlsTable(cert), env: { TICKFAN_FANOUT_STALL_TIMEOUT: "1s" } });
    const newProfile = await startBrowser(t, "Chromium", cert.ca);
    const profile = await newProfile();
    const beside = await openTab(profile, urlOf(gateway), `${PATH}&max_rate=5`);
    const blocked = await openTab(profile, urlOf(gateway), PATH);
    assert.deepEqual(Object.values(await connectionsOf(gateway)), [2]);
    const over = block(blocked, 15_000);
    await untilMetric(gateway, 'tickfan_streams_closed_total{reason="window"}', (closed) => closed === 1);
    await moves(beside);
    await over;
    const [{ byes, errors }] = await hasStreams(blocked, 2);
    assert.deepEqual({ byes, errors }, { byes: [], errors: 1 });
    assert.deepEqual(Object.values(await connectionsOf(gateway)), [2]);
    assert.equal((await moves(beside))[0].errors, 0);
  });
});
