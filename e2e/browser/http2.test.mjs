// HTTP/2 in both browsers: many tabs share one connection, and every EventSource comes back however its stream ends.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BROWSERS, block, connectionsOf, moves, openTab, seenBy, startBrowser, untilMetric } from "../support/browsers.mjs";
import { devCert, tlsTable } from "../support/certificates.mjs";
import { PATIENT, startGateway } from "../support/gateway.mjs";

const LONG = { timeout: 240_000 };
const TABS = 30;
const PATH = "/v1/stream?symbols=AAPL,BTC-USDT";
const feed = (rate) => `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = ${rate}\nsymbols = ["AAPL", "BTC-USDT"]\n`;

const urlOf = ({ tlsPort }) => `https://localhost:${tlsPort}`;
/** The table for the port of an earlier gateway. */
const tlsTableAt = (cert, port) => tlsTable(cert).replace("127.0.0.1:0", `127.0.0.1:${port}`);

for (const browser of BROWSERS) {
  test(`${TABS} tabs of ${browser} share one connection, and all come back to the next gateway`, LONG, async (t) => {
    const cert = devCert(t);
    const first = await startGateway(t, { config: feed(100) + tlsTable(cert), env: { ...PATIENT, TICKFAN_SERVER_DRAIN: "1s" } });
    const newProfile = await startBrowser(t, browser, cert.ca);
    const profile = await newProfile();
    const tabs = [];
    // Between the two gateways the connection is refused: Chromium tries again, and Firefox leaves that to the page.
    while (tabs.length < TABS) tabs.push(await openTab(profile, urlOf(first), PATH, { recreates: browser === "Firefox" }));
    assert.deepEqual(Object.values(await connectionsOf(first)), [TABS]);

    assert.equal(await first.stop(), 0);
    const second = await startGateway(t, { config: feed(100) + tlsTableAt(cert, first.tlsPort), env: PATIENT });
    for (const tab of tabs) {
      await tab.waitForFunction(() => window.sources.every(({ epochs }) => new Set(epochs).size === 2));
      const [{ byes }] = await moves(tab);
      assert.deepEqual(byes, ["shutdown"], "the first gateway ended each stream in order");
    }
    assert.deepEqual(Object.values(await connectionsOf(second)), [TABS]);
  });
}

describe("an EventSource comes back over HTTP/2, and the connection's other streams go on", { concurrency: true }, () => {
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

    test(`in ${browser}, after a reset`, LONG, async (t) => {
      const cert = devCert(t);
      // A blocked tab leaves its window full within seconds.
      const gateway = await startGateway(t, { config: feed(4_000) + tlsTable(cert), env: { TICKFAN_FANOUT_STALL_TIMEOUT: "1s" } });
      const newProfile = await startBrowser(t, browser, cert.ca);
      const profile = await newProfile();
      const beside = await openTab(profile, urlOf(gateway), `${PATH}&max_rate=5`);
      const blocked = await openTab(profile, urlOf(gateway), PATH);
      assert.deepEqual(Object.values(await connectionsOf(gateway)), [2]);
      const over = block(blocked, 15_000);
      await untilMetric(gateway, 'tickfan_streams_closed_total{reason="window"}', (closed) => closed === 1);
      await moves(beside);
      await over;
      await blocked.waitForFunction(() => window.sources[0].epochs.length === 2);
      const [{ byes, errors }] = await moves(blocked);
      assert.deepEqual({ byes, errors }, { byes: [], errors: 1 });
      assert.deepEqual(Object.values(await connectionsOf(gateway)), [2]);
      assert.equal((await moves(beside))[0].errors, 0);
    });
  }
});
