// How much later ticks come while a gateway is flooded: see scripts/floods.
//
// Two gateways run side by side, each from a venue of its own. Ticks of the first are measured while a flood goes into it,
// and while the same flood goes into the second: what the flood takes of the machine is in both figures. Under a flood of
// HTTP/2, which has to end in its counter, streams over HTTP/2 are measured beside plain ones.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocketServer } from "ws";
import { devCert, tlsTable } from "../support/certificates.mjs";
import { H2_FLOODS, pourH2 } from "./h2_floods.mjs";
import { Child, gatewayBinary, PATIENT, startGateway, within } from "../support/gateway.mjs";

const loadtest = join(dirname(gatewayBinary), "tickfan-loadtest");
const PAIRS = Number(process.env.FLOOD_PAIRS ?? 3);
const SECONDS = 3;
const CONNECTIONS = 8;
const LISTED = Array.from({ length: 1_000 }, (_, index) => `SIM${index}`);

/** A frame of WebSocket as a server sends it. */
function frame(opcode, payload) {
  const head = Buffer.alloc(payload.length < 126 ? 2 : 4);
  head[0] = 0x80 | opcode;
  head[1] = payload.length < 126 ? payload.length : 126;
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, Buffer.from(payload)]);
}

/** Without the mark of a message's last frame. */
const unfinished = (bytes) => Buffer.concat([Buffer.from([bytes[0] & 0x7f]), bytes.subarray(1)]);

/** Many of a frame, so that the flood costs its sender little. */
const block = (one) => Buffer.concat(Array(Math.ceil(65_536 / one.length)).fill(one));
const trade = (index) => ({ T: "t", S: "FLOOD", i: index, x: "D", p: 1 + index, s: 100, t: "2026-01-05T15:00:00.000000001Z", c: ["@"], z: "C" });
const trades = JSON.stringify(Array.from({ length: 500 }, (_, index) => trade(index)));

// What a flood asks for or sends, and how many times later p50 and p99 of the ticks may come. Of one that is known to exceed its
// bound, the figures are printed too.
const FLOODS = [
  { name: "symbols", path: `/v1/symbols?limit=1000`, bound: 2 },
  { name: "quotes", path: `/v1/quotes?symbols=${LISTED.slice(0, 500)}`, bound: 2 },
  { name: "debug", admin: true, path: "/debug/symbols?limit=1000", bound: 2 },
  { name: "metrics", admin: true, path: "/metrics", bound: 2 },
  { name: "tiny messages", frames: block(frame(1, "{}")), bound: 3 },
  { name: "pings", frames: block(frame(9, "")), bound: 3 },
  { name: "garbage", frames: block(frame(2, Buffer.from([0xff, 0, 0x7b, 0xc0]))), bound: 3 },
  { name: "large messages", frames: block(frame(1, trades)), bound: 3 },
  ...Object.entries(H2_FLOODS).map(([name, { reason }]) => ({ name, h2: true, reason, bound: 1.2 })),
  { name: "fragments", first: unfinished(frame(1, "")), frames: block(unfinished(frame(0, ""))), last: frame(0, ""), bound: 3 },
];

/** A venue that speaks as Binance and as Alpaca do, and whose connections can be flooded. */
async function floodingVenue(t) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket, request) => {
    const say = (message) => socket.send(JSON.stringify(message));
    socket.on("error", () => {});
    socket.on("message", (text) => {
      const { id, action, ...asked } = JSON.parse(text);
      if (action === undefined) say({ result: null, id });
      else say([action === "auth" ? { T: "success", msg: "authenticated" } : { T: "subscription", ...asked }]);
    });
    if (request.url.includes("alpaca")) say([{ T: "success", msg: "connected" }]);
  });
  await once(server, "listening");
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    clients: () => [...server.clients].map((client) => client._socket),
  };
}

/** Writes the block to the socket for as long as it takes it. */
function pour(socket, { first, frames: bytes, last }, count) {
  let isOver = false;
  if (first) socket.write(first);
  const more = () => {
    while (!isOver && socket.writable && socket.write(bytes)) count(1);
    if (!isOver) count(1);
  };
  socket.on("drain", more);
  more();
  return () => {
    isOver = true;
    socket.off("drain", more);
    if (last) socket.write(last);
  };
}

/** Asks again as soon as it is answered. */
function ask(address, path, count) {
  const [host, port] = address.split(":");
  const socket = createConnection({ host, port });
  const request = `GET ${path} HTTP/1.1\r\nhost: ${address}\r\n\r\n`;
  let left = 0;
  socket.on("error", () => {});
  socket.on("connect", () => socket.write(request));
  socket.on("data", (bytes) => {
    if (left === 0) {
      const head = bytes.indexOf("\r\n\r\n");
      const length = /content-length: (\d+)/i.exec(bytes.latin1Slice(0, head));
      left = Number(length[1]) + head + 4;
    }
    left -= bytes.length;
    if (left === 0) {
      count(1);
      socket.write(request);
    }
  });
  return () => socket.destroy();
}

/** Floods a gateway until the returned function is called; that tells how often. */
function begin(flood, gateway) {
  let times = 0;
  const count = (more) => { times += more; };
  const address = flood.admin ? gateway.admin : gateway.address;
  const many = (start) => Array.from({ length: CONNECTIONS }, start);
  const ends = flood.h2
    ? many(() => pourH2(gateway.tlsPort, gateway.ca, flood.name, count))
    : flood.frames ? gateway.floods.clients().map((socket) => pour(socket, flood, count))
    : many(() => ask(address, flood.path, count));
  return () => {
    for (const end of ends) end();
    return times;
  };
}

/** A gateway with a venue of its own, a thousand quiet symbols, and two feeds that can be flooded. */
async function start(t) {
  const venue = new Child(t, loadtest, ["venue", "--listen", "127.0.0.1:0", "--symbols", "20", "--rate", "200"]);
  const [, url, symbols] = await venue.until("a venue", (lines) => lines.map(({ text }) => /venue at (\S+), symbols (\S+)/.exec(text)).find(Boolean));
  const floods = await floodingVenue(t);
  const feed = (name, venue, url, symbols) => `[[feed]]\nname = "${name}"\nvenue = "${venue}"\nurl = "${url}"\nsymbols = ${JSON.stringify(symbols)}\n`;
  const config = [
    feed("good", "binance", url, symbols.split(",")),
    feed("flood-1", "binance", floods.url, ["FLOOD-USDT"]),
    feed("flood-2", "alpaca", `${floods.url}/alpaca`, ["FLOOD"]),
    `key_env = "FLOOD_KEY"\nsecret_env = "FLOOD_SECRET"\n`,
    `[[feed]]\nname = "listed"\nvenue = "sim"\nrate = 10\nsymbols = ${JSON.stringify(LISTED)}\n`,
  ].join("");
  const cert = devCert(t);
  const gateway = await startGateway(t, { config: config + tlsTable(cert), env: { ...PATIENT, FLOOD_KEY: "key", FLOOD_SECRET: "secret", TICKFAN_LOG: "off,tickfan::gateway=info" } });
  while (floods.clients().length < 2) await pause(20);
  return { ...gateway, ca: readFileSync(cert.ca), caFile: cert.ca, floods, symbols };
}

/** How the measured streams are read. */
const READ = {
  plain: ({ url }) => ["--url", url],
  http2: ({ tlsPort, caFile }) => ["--url", `https://localhost:${tlsPort}`, "--ca", caFile, "--http2"],
};

/** The latency of the gateway's ticks, in milliseconds. */
async function measure(t, gateway, way) {
  const args = ["streams", ...READ[way](gateway), "--symbols", gateway.symbols, "--count", "20", "--duration", `${SECONDS}s`, "--json"];
  const load = new Child(t, loadtest, args);
  // Its output may come after its exit.
  const [code] = await within("the load", once(load.process, "close"), 60_000);
  if (code !== 0) throw new Error(`the load tester ended with ${code}: ${load.text()}`);
  const { latency } = JSON.parse(load.text("stdout"));
  return { p50: latency.p50 / 1e3, p99: latency.p99 / 1e3 };
}

/** How many connections of HTTP/2 a gateway has closed for this reason. */
async function closed({ admin }, reason) {
  const text = await (await fetch(`http://${admin}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`tickfan_h2_connections_closed_total{reason="${reason}"}`));
  return Number(line?.split(" ").at(-1) ?? 0);
}

const waysOf = (flood) => (flood.h2 ? ["plain", "http2"] : ["plain"]);

/** The latencies by the way of reading, how often the flood was sent, and how often the gateway ended it. */
async function measureFlooded(t, flood, gateway, flooded) {
  while (flooded.floods.clients().length < 2) await pause(20);
  const before = flood.h2 ? await closed(flooded, flood.reason) : 0;
  const end = begin(flood, flooded);
  await pause(200);
  const ways = waysOf(flood);
  const latencies = await Promise.all(ways.map((way) => measure(t, gateway, way)));
  const times = end();
  // What is left in buffers belongs to no other figure.
  while (flooded.floods.clients().some((socket) => socket.writableLength > 0)) await pause(20);
  await pause(200);
  const ended = flood.h2 ? await closed(flooded, flood.reason) - before : undefined;
  if (ended === 0) throw new Error(`${flood.name}: no connection was closed for ${flood.reason}`);
  return { ...Object.fromEntries(ways.map((way, place) => [way, latencies[place]])), times, ended };
}

const middle = (pairs) => pairs.sort((left, right) => left.ratio - right.ratio)[Math.floor(pairs.length / 2)];

/** Prints the middle ratio of the pairs, and all of them with their figures. */
function report(flood, pairs, way, percentile) {
  const figures = pairs.map(({ own, control }) => ({ own: own[way][percentile], control: control[way][percentile], ratio: own[way][percentile] / control[way][percentile] }));
  const all = figures.map(({ own, control, ratio }) => `${ratio.toFixed(2)}: ${own.toFixed(2)} by ${control.toFixed(2)}`).join(", ");
  const { own, control, ratio } = middle(figures);
  const isWithin = percentile === "p50" || ratio <= flood.bound;
  if (!isWithin) exceeded.push(flood.name);
  const last = pairs.at(-1);
  const rate = (of) => `${Math.round(of.times / SECONDS)}/s${of.ended === undefined ? "" : `, ${of.ended} ended by ${flood.reason}`}`;
  const bound = percentile === "p50" ? "" : ` of at most ${flood.bound}`;
  console.log(`${flood.name.padEnd(14)} ${way.padEnd(5)} ${percentile} ${own.toFixed(2).padStart(7)} ms, control ${control.toFixed(2).padStart(7)} ms, ratio ${ratio.toFixed(2)}${bound} (${all})  ${rate(last.own)} and ${rate(last.control)}${isWithin ? "" : "  EXCEEDED"}`);
}

const ends = [];
const t = { after: (end) => ends.push(end) };
const exceeded = [];
try {
  const [measured, other] = [await start(t), await start(t)];
  for (const flood of FLOODS.filter(({ name }) => process.argv.length < 3 || process.argv.includes(name))) {
    const pairs = [];
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const control = await measureFlooded(t, flood, measured, other);
      const own = await measureFlooded(t, flood, measured, measured);
      pairs.push({ control, own });
    }
    for (const way of waysOf(flood)) for (const percentile of ["p50", "p99"]) report(flood, pairs, way, percentile);
  }
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(exceeded.length === 0 ? 0 : 1);
