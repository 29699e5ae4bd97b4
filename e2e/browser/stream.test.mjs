// A browser's own EventSource, on a page of another origin, reads what curl reads.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { Child, PATIENT, TEST, eventBlocks, launchBrowser, newPage, otherOrigin, startGateway } from "../support/gateway.mjs";

const SYMBOLS = ["AAPL", "BTC-USDT", "MSFT"];
const PATH = `/v1/stream?symbols=${SYMBOLS}`;

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

const simulated = (rate) => `
[[feed]]
name = "sim"
venue = "sim"
rate = ${rate}
symbols = ${JSON.stringify(SYMBOLS)}
`;

/** Opens an EventSource in a page of another origin, which keeps all it gets in `window.seen`. */
async function listen(t, url) {
  const page = await newPage(t, browser);
  await page.goto(await otherOrigin(t));
  await page.evaluate((url) => {
    const source = new EventSource(url);
    const seen = { ticks: [], hellos: [], byes: [], errors: [] };
    Object.assign(window, { source, seen });
    source.onmessage = ({ data, lastEventId }) => seen.ticks.push({ data, id: lastEventId });
    source.addEventListener("hello", ({ data }) => seen.hellos.push({ ...JSON.parse(data), after: seen.ticks.length }));
    source.addEventListener("bye", ({ data }) => seen.byes.push(JSON.parse(data)));
    source.onerror = () => seen.errors.push(source.readyState);
  }, url);
  return page;
}

const seenBy = (page) => page.evaluate(() => window.seen);
const heardTicks = (page, count) =>
  page.waitForFunction(({ symbols, count }) => {
    const have = window.seen.ticks.map(({ data }) => JSON.parse(data).symbol);
    return symbols.every((symbol) => have.filter((other) => other === symbol).length >= count);
  }, { symbols: SYMBOLS, count });
const heardHellos = (page, count) => page.waitForFunction((count) => window.seen.hellos.length >= count, count);
const heardErrors = (page, count) => page.waitForFunction((count) => window.seen.errors.length >= count, count);

/** By symbol: seq to the tick as it came. */
function bySymbol(ticks) {
  const found = new Map(SYMBOLS.map((symbol) => [symbol, new Map()]));
  for (const { data, id } of ticks) {
    const { symbol, seq } = JSON.parse(data);
    const ofSymbol = found.get(symbol);
    assert.ok(ofSymbol, `${symbol} was not asked for`);
    assert.ok(seq > Math.max(-1, ...ofSymbol.keys()), `${symbol} ${seq} comes out of order`);
    ofSymbol.set(seq, { data, id });
  }
  return found;
}

function assertNoHole(ticks, whose) {
  for (const [symbol, ofSymbol] of ticks) {
    const seqs = [...ofSymbol.keys()];
    assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index), `${whose} misses ticks of ${symbol}`);
  }
}

test("EventSource of another origin and curl get the same ticks, and miss none", TEST, async (t) => {
  const gateway = await startGateway(t, { config: simulated(200), env: PATIENT });
  const curl = new Child(t, "curl", ["--silent", "--show-error", "--no-buffer", gateway.url + PATH]);
  const page = await listen(t, gateway.url + PATH);
  await heardTicks(page, 200);
  const { ticks, hellos, errors } = await seenBy(page);
  const last = ticks.at(-1);
  await curl.until("the browser's last tick", (lines) => lines.some(({ text }) => text === `data: ${last.data}`));

  const blocks = eventBlocks(curl.lines.map(({ text }) => text));
  const ofCurl = bySymbol(blocks.filter(({ event }) => event === "message"));
  const ofBrowser = bySymbol(ticks);
  assertNoHole(ofCurl, "curl");
  assertNoHole(ofBrowser, "the browser");
  for (const symbol of SYMBOLS) {
    const shared = [...ofBrowser.get(symbol)].filter(([seq]) => ofCurl.get(symbol).has(seq));
    assert.ok(shared.length >= 200, `only ${shared.length} ticks of ${symbol} were seen by both`);
    for (const [seq, tick] of shared) {
      const { data, id } = ofCurl.get(symbol).get(seq);
      assert.deepEqual(JSON.parse(tick.data), JSON.parse(data), `${symbol} ${seq}`);
      // To the digit: a number that JSON reads as the same one may still have been written in another way.
      assert.deepEqual(tick, { data, id }, `${symbol} ${seq}`);
    }
  }
  const [hello] = blocks;
  assert.equal(hello.event, "hello");
  assert.equal(hellos.length, 1);
  assert.equal(hellos[0].epoch, JSON.parse(hello.data).epoch);
  assert.notEqual(hellos[0].stream, JSON.parse(hello.data).stream);
  assert.deepEqual(hellos[0].symbols, SYMBOLS);
  assert.deepEqual(errors, []);
});

test("EventSource finds a restarted gateway by itself, and hello tells of another epoch", TEST, async (t) => {
  const gateway = await startGateway(t, { config: simulated(50) });
  const page = await listen(t, gateway.url + PATH);
  await heardTicks(page, 3);
  assert.equal(await gateway.stop(), 0);
  await heardErrors(page, 1);
  const before = await seenBy(page);
  assert.deepEqual(before.byes, [{ reason: "shutdown" }]);

  const again = page.waitForRequest((request) => request.url().endsWith(PATH));
  await startGateway(t, { config: simulated(50), listen: gateway.address });
  await heardHellos(page, 2);
  const { hellos } = await seenBy(page);
  assert.notEqual(hellos[1].epoch, hellos[0].epoch);
  const headers = await (await again).allHeaders();
  assert.equal(headers["last-event-id"], before.ticks.at(-1).id);
  assert.ok(headers["last-event-id"].startsWith(`${hellos[0].epoch}-`));

  await page.waitForFunction(() => window.seen.ticks.length >= window.seen.hellos[1].after + 10);
  const { ticks } = await seenBy(page);
  const ofOld = ticks.slice(hellos[1].after).filter(({ id }) => !id.startsWith(`${hellos[1].epoch}-`));
  assert.deepEqual(ofOld.filter(({ data }) => JSON.parse(data).seq > 0), [], "ticks of the old epoch after the new hello");
});

/** A line to the gateway that can be cut, and keeps the heads that went over it. */
async function relay(t, address) {
  const [host, port] = address.split(":");
  const sockets = new Set();
  const heads = [];
  const server = createServer((client) => {
    const upstream = connect({ host, port: Number(port) });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    client.on("data", (bytes) => heads.push(bytes.toString("latin1")));
    client.pipe(upstream).pipe(client);
  });
  const cut = () => sockets.forEach((socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    cut();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, heads, cut };
}

test("EventSource comes back over a line that was cut, with its last id, to the newest of each symbol", TEST, async (t) => {
  const gateway = await startGateway(t, { config: simulated(20) });
  const line = await relay(t, gateway.address);
  const page = await listen(t, line.url + PATH);
  await heardTicks(page, 3);
  line.cut();
  await heardHellos(page, 2);
  await page.waitForFunction((count) => window.seen.ticks.length >= window.seen.hellos[1].after + count, SYMBOLS.length);
  const { hellos, ticks, errors } = await seenBy(page);
  assert.equal(hellos[1].epoch, hellos[0].epoch);
  assert.notEqual(hellos[1].stream, hellos[0].stream);
  assert.ok(errors.length > 0, "the cut was not noticed");
  assert.match(line.heads[1], new RegExp(`^last-event-id: ${ticks[hellos[1].after - 1].id}\r$`, "im"));

  bySymbol(ticks.slice(0, hellos[1].after)); // In order before the cut ...
  const back = bySymbol(ticks.slice(hellos[1].after)); // ... and after it.
  for (const symbol of SYMBOLS) assert.ok(back.get(symbol).size > 0, `${symbol} did not come at once`);
});
