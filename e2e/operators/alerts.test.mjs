// Every alert is made to fire for real: what it warns of is brought about, and a real Alertmanager gets it.

import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { shortCert, tlsTable } from "../support/certificates.mjs";
import { KeyedVenue, Venue, venueConfig } from "../support/venue.mjs";
import { startGateway, temporaryFolder } from "../support/gateway.mjs";
import { openIdle, openSlow, openStream } from "./clients.mjs";
import { FAULTS } from "./faults.mjs";
import { alerts } from "./files.mjs";
import { startPrometheus } from "./monitoring.mjs";

const TEST = { timeout: 120_000 };

const hasFired = new Set();

/** Waits for the alert of this gateway, and sees that it names its page. */
async function fires(t, prometheus, name, gateway) {
  const { annotations, labels, status } = await prometheus.fired(name, gateway.admin);
  assert.equal(annotations.runbook_url, `runbooks/${name}.md`);
  t.diagnostic(`${name}: ${annotations.summary}`);
  hasFired.add(name);
  return { ...labels, isHeldBack: status.inhibitedBy.length > 0 };
}

/** Does something again and again, as long as the test lasts. */
function again(t, millis, what) {
  const timer = setInterval(what, millis);
  t.after(() => clearInterval(timer));
}

/** A simulated market that fills a socket that is not read. */
const busy = (rate) => `[[feed]]\nname = "busy"\nvenue = "sim"\nrate = ${rate}\nsymbols = ["AAPL", "MSFT"]\n`;

test("a venue killed, streams at their limit, clients that stall, a gateway gone", TEST, async (t) => {
  const venue = await Venue.start(t);
  const full = await startGateway(t, { config: `[limits]\nstreams = 10\nsubscriptions = 10\n${venueConfig(venue.url, ["BTC-USDT"])}` });
  const slow = await startGateway(t, { config: `[fanout]\nstall_timeout = "5s"\n${busy(20_000)}` });
  const gone = await startGateway(t);
  await venue.isSubscribed();
  venue.trade("BTC-USDT", "1");
  for (let count = 0; count < 10; count++) await openStream(t, full.address, "BTC-USDT");
  const prometheus = await startPrometheus(t, [full.admin, slow.admin, gone.admin]);
  await fires(t, prometheus, "StreamsNearLimit", full);
  await fires(t, prometheus, "SubscriptionsNearLimit", full);
  again(t, 200, () => openStream(t, full.address, "BTC-USDT").catch(() => {}));
  assert.ok((await fires(t, prometheus, "StreamsRefused", full)).isHeldBack);
  for (let count = 0; count < 20; count++) await openStream(t, slow.address, "AAPL,MSFT", { isRead: false });
  await venue.kill();
  await gone.stop();
  await fires(t, prometheus, "FeedDown", full);
  assert.ok((await fires(t, prometheus, "FeedStale", full)).isHeldBack, "one page is enough");
  await fires(t, prometheus, "TargetDown", gone);
  await fires(t, prometheus, "SlowCloseRateHigh", slow);
});

test("a venue whose format has changed, one whose messages are old, one whose clock is ahead, and one that breaks off", TEST, async (t) => {
  const [changed, late, ahead, broken] = await Promise.all(Array.from({ length: 4 }, () => Venue.start(t)));
  [late.behind, ahead.behind] = [30, -30];
  const others = [
    venueConfig(late.url, ["ETH-USDT"]).replace("crypto", "late"),
    venueConfig(ahead.url, ["XRP-USDT"]).replace("crypto", "ahead"),
    venueConfig(broken.url, ["SOL-USDT"]).replace("crypto", "broken"),
  ];
  const gateway = await startGateway(t, { config: venueConfig(changed.url, ["BTC-USDT"]) + others.join("") });
  await Promise.all([changed, late, ahead, broken].map((venue) => venue.isSubscribed()));
  again(t, 50, () => {
    changed.say('{"stream":"btcusdt@trade","data":{"e":"trade","price":[1]}}');
    late.trade("ETH-USDT", "2");
    ahead.trade("XRP-USDT", "4");
    broken.trade("SOL-USDT", "3");
  });
  const prometheus = await startPrometheus(t, [gateway.admin]);
  assert.equal((await fires(t, prometheus, "DecodeErrors", gateway)).feed, "crypto");
  assert.equal((await fires(t, prometheus, "FeedLagHigh", gateway)).feed, "late");
  assert.equal((await fires(t, prometheus, "ClockSkew", gateway)).feed, "ahead");
  again(t, 3_000, () => broken.drop());
  assert.equal((await fires(t, prometheus, "FeedFlapping", gateway)).feed, "broken");
});

test("a venue that refuses symbols, and one whose trades stop while quotes flow", TEST, async (t) => {
  const [stocks, crypto] = [await KeyedVenue.start(t), await Venue.start(t)];
  stocks.knowsKey = false;
  const keyed = `[[feed]]\nname = "stocks"\nvenue = "alpaca"\nurl = "${stocks.url}"\nkey_env = "K"\nsecret_env = "S"\nsymbols = ["TSLA"]\n`;
  const gateway = await startGateway(t, { config: keyed + venueConfig(crypto.url, ["BTC-USDT"]), env: { K: "key", S: "secret" } });
  await crypto.isSubscribed();
  let price = 1;
  let isHalf = false;
  again(t, 50, () => (isHalf ? crypto.quote("BTC-USDT", `${price++}`) : crypto.trade("BTC-USDT", "1")));
  const prometheus = await startPrometheus(t, [gateway.admin]);
  assert.ok((await fires(t, prometheus, "FeedSymbolsRefused", gateway)).isHeldBack, "the feed is down");
  // The venue has traded often enough to be missed.
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  isHalf = true;
  assert.equal((await fires(t, prometheus, "FeedPartSilent", gateway)).kind, "trade");
});

test("slow clients, and a gateway that gets no processor", TEST, async (t) => {
  const coalescing = await startGateway(t, { config: busy(5_000) });
  const starved = await startGateway(t, { config: `${busy(5_000)}[[feed]]\nname = "calm"\nvenue = "sim"\nrate = 50\nsymbols = ["NVDA"]\n` });
  for (let count = 0; count < 3; count++) await openSlow(t, coalescing.address, "AAPL,MSFT");
  await openStream(t, starved.address, "AAPL,MSFT");
  // The bursts of a starved gateway fill sockets, and what waits for one counts as its client's: this one always has room.
  await openStream(t, starved.address, "NVDA");
  const prometheus = await startPrometheus(t, [coalescing.admin, starved.admin]);
  await fires(t, prometheus, "CoalesceRatioHigh", coalescing);
  const mend = await FAULTS["cpu-starved"].begin({ gateway: starved });
  t.after(mend);
  await fires(t, prometheus, "ProcessorStarved", starved);
  await fires(t, prometheus, "DeliverySLOBurn", starved);
  assert.ok((await fires(t, prometheus, "DeliverySLOSlowBurn", starved)).isHeldBack, "the fast one has told");
});

test("a gateway whose rings are too small for its rounds", TEST, async (t) => {
  const gateway = await startGateway(t, { config: `[fanout]\nring = 16\nflush_interval = "100ms"\n${busy(5_000)}` });
  await openStream(t, gateway.address, "AAPL,MSFT");
  const prometheus = await startPrometheus(t, [gateway.admin]);
  await fires(t, prometheus, "TicksLost", gateway);
});

test("a configuration that is wrong when it is read again", TEST, async (t) => {
  const gateway = await startGateway(t);
  const prometheus = await startPrometheus(t, [gateway.admin]);
  gateway.configure("[server]\nhost = []\n");
  assert.equal((await fetch(`http://${gateway.admin}/reload`, { method: "POST" })).status, 422);
  await fires(t, prometheus, "ConfigReloadFailed", gateway);
});

test("a certificate that expires in six days", TEST, async (t) => {
  const gateway = await startGateway(t, { config: tlsTable(shortCert(t, 6)) });
  const prometheus = await startPrometheus(t, [gateway.admin]);
  await fires(t, prometheus, "CertificateExpiresSoon", gateway);
});

test("an issuer that cannot be reached", TEST, async (t) => {
  const gateway = await startGateway(t, { config: '[auth]\nmode = "required"\nkeys = "https://127.0.0.1:1/keys"\n' });
  const prometheus = await startPrometheus(t, [gateway.admin]);
  await fires(t, prometheus, "AuthKeysOld", gateway);
});

test("a recording on a full disk", TEST, async (t) => {
  const folder = temporaryFolder(t);
  // The file of this hour, and of the next.
  for (const later of [0, 3_600_000]) {
    const hour = new Date(Date.now() + later).toISOString().slice(0, 13).replaceAll("-", "");
    symlinkSync("/dev/full", join(folder, `full.1-${hour}.txt.gz`));
  }
  const full = `[[feed]]\nname = "full"\nvenue = "sim"\nrate = 10000\nsymbols = ["AAPL"]\nrecord = ${JSON.stringify(folder)}\n`;
  const gateway = await startGateway(t, { config: full });
  const prometheus = await startPrometheus(t, [gateway.admin]);
  await fires(t, prometheus, "RecordingStopped", gateway);
});

test("connections that never finish their request take the descriptors", TEST, async (t) => {
  const limits = '[limits]\nstreams = 10\nconnections = 2000\nhead_timeout = "1m"\n';
  const gateway = await startGateway(t, { config: limits, descriptors: 2_048 });
  await Promise.all(Array.from({ length: 2_000 }, () => openIdle(t, gateway.address)));
  const prometheus = await startPrometheus(t, [gateway.admin]);
  await fires(t, prometheus, "DescriptorsNearLimit", gateway);
  await fires(t, prometheus, "ConnectionsNearLimit", gateway);
  again(t, 100, () => openIdle(t, gateway.address).catch(() => {}));
  await fires(t, prometheus, "ConnectionsEvicted", gateway);
});

test("a symbol that the venue grants and never sends", { timeout: 420_000 }, async (t) => {
  const venue = await Venue.start(t);
  const gateway = await startGateway(t, { config: venueConfig(venue.url, ["BTC-USDT", "ETH-USDT"]) });
  await venue.isSubscribed();
  again(t, 200, () => venue.trade("BTC-USDT", "1"));
  // The gateway waits for five minutes before it tells.
  await new Promise((resolve) => setTimeout(resolve, 300_000));
  const prometheus = await startPrometheus(t, [gateway.admin]);
  assert.equal((await fires(t, prometheus, "FeedSymbolsUnheard", gateway)).feed, "crypto");
});

test("no alert is left that has not fired", () => {
  assert.deepEqual([...hasFired].sort(), [...alerts].sort());
});
