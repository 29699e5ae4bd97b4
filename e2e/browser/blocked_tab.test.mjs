// A tab whose main thread is blocked does not delay the tabs that share its connection.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BROWSERS, block, connectionsOf, moves, openTab, seenBy, startBrowser, untilMetric } from "../support/browsers.mjs";
import { devCert, tlsTable } from "../support/certificates.mjs";
import { startGateway } from "../support/gateway.mjs";

const SYMBOLS = ["AAPL", "BTC-USDT", "MSFT", "ETH-USDT", "GOOG", "AMZN", "TSLA", "NVDA", "META", "SPY"];
/** A stream of all symbols has some 200 KB/s. */
const RATE = 400;
/** Streams of the blocked tab: their windows together are larger than that of the connection. */
const SOURCES = 6;
/** Chromium holds 2 MB of each stream for a blocked page, then lets the window run out; the gateway sees that after 10 s. */
const BLOCKED = 40_000;
/** No price of the tab beside may be older, in ms. Without the check it is 10 s old at the end. */
const OLDEST = 1_000;
const CONFIG = `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = ${RATE}\nsymbols = ${JSON.stringify(SYMBOLS)}\n`;

for (const browser of BROWSERS) {
  test(`a blocked tab of ${browser} does not delay the tab beside it`, { timeout: 240_000 }, async (t) => {
    const cert = devCert(t);
    const gateway = await startGateway(t, { config: CONFIG + tlsTable(cert), env: { TICKFAN_FANOUT_STALL_TIMEOUT: "60s" } });
    const url = `https://localhost:${gateway.tlsPort}`;
    const newProfile = await startBrowser(t, browser, cert.ca);
    const profile = await newProfile();
    const beside = await openTab(profile, url, "/v1/stream/AAPL");
    const blocked = await openTab(profile, url, `/v1/stream?symbols=${SYMBOLS}`, { sources: SOURCES });
    assert.deepEqual(Object.values(await connectionsOf(gateway)), [SOURCES + 1]);

    const over = block(blocked, BLOCKED);
    await beside.evaluate(() => { window.sources[0].oldest = 0; });
    // Firefox keeps what its blocked tab does not read, and goes on to move the window of the connection.
    if (browser === "Chromium") await untilMetric(gateway, "tickfan_streams_held", (held) => held === SOURCES);
    await over;
    const [{ oldest }] = await moves(beside);
    t.diagnostic(`the oldest price beside the blocked tab: ${Math.round(oldest)} ms`);
    assert.ok(oldest < OLDEST, `${oldest} ms`);
    // The blocked tab catches up.
    await moves(blocked);
    await untilMetric(gateway, "tickfan_streams_held", (held) => held === 0);
    for (const { epochs, errors } of await seenBy(blocked)) assert.deepEqual({ hellos: epochs.length, errors }, { hellos: 1, errors: 0 });
    assert.deepEqual(Object.values(await connectionsOf(gateway)), [SOURCES + 1]);
  });
}
