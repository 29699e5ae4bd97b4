// Each example runs as it stands, but for the gateway's address.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { Child, TEST, launchBrowser, newPage, root, startGateway, targetDir, temporaryFolder, within } from "../support/gateway.mjs";

const ADDRESS = "127.0.0.1:8080";
const examples = join(root, "examples");
const here = (...path) => join(root, "e2e/clients", ...path);
const skipped = (process.env.SKIP_CLIENTS ?? "").split(" ");

/** The examples with a gateway's address in place of theirs. */
function copied(t, gateway) {
  const folder = temporaryFolder(t);
  cpSync(examples, folder, { recursive: true });
  let found = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath ?? entry.path, entry.name);
    const text = readFileSync(file, "utf8");
    found += text.includes(ADDRESS);
    writeFileSync(file, text.replaceAll(ADDRESS, gateway.address));
  }
  assert.ok(found > 7, "the examples have another address");
  return folder;
}

/** What runs an example, by its place in the folder. */
const RUNS = {
  "curl.sh": (file) => ["sh", file],
  "node/ticks.mjs": (file, folder) => {
    mkdirSync(join(folder, "node/node_modules"));
    symlinkSync(join(root, "clients/js"), join(folder, "node/node_modules/tickfan"));
    return ["node", file];
  },
  "python/ticks.py": (file) => [join(targetDir, "clients/python/bin/python"), file],
  "rust/ticks.rs": (file, folder) => {
    // A package like the client test's, with its dependencies as they are built already.
    const packaged = join(folder, "rust/package");
    mkdirSync(join(packaged, "src"), { recursive: true });
    for (const name of ["Cargo.toml", "Cargo.lock"]) {
      writeFileSync(join(packaged, name), readFileSync(here("rust", name), "utf8").replaceAll("tickfan-client-test", "tickfan-example"));
    }
    cpSync(file, join(packaged, "src/main.rs"));
    const target = join(targetDir, "clients/rust");
    execFileSync("cargo", ["build", "--quiet", "--locked", "--manifest-path", join(packaged, "Cargo.toml"), "--target-dir", target], { stdio: "pipe" });
    return [join(target, "debug/tickfan-example")];
  },
  "go/ticks.go": (file, folder) => {
    execFileSync("go", ["build", "-o", join(folder, "go/ticks"), file], { cwd: here("go"), stdio: "pipe" });
    return [join(folder, "go/ticks")];
  },
};

/** Answers as a proxy whose gateway is away: 502 to everything, until it was asked so often. */
async function proxyWithoutGateway(t, address, times = 2) {
  const [host, port] = address.split(":");
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(502, { "access-control-allow-origin": "*", connection: "close" }).end("<html>Bad Gateway</html>");
    if (asked === times) server.emit("enough");
  });
  const enough = once(server, "enough");
  server.listen(Number(port), host);
  t.after(() => server.close());
  await within(() => `${times} attempts through a proxy's 502; there were ${asked}`, enough, 60_000);
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

for (const [name, prepare] of Object.entries(RUNS)) {
  const skip = skipped.includes(name.split("/")[0]) && "it cannot be built here";
  test(`examples/${name} prints prices, and goes on with the next gateway`, { ...TEST, skip }, async (t) => {
    const gateway = await startGateway(t, {});
    const folder = copied(t, gateway);
    const [command, ...args] = prepare(join(folder, name), folder);
    const shows = (lines, symbol) => lines.filter(({ from, text }) => from === "stdout" && text.includes(symbol) && text.includes("live") && /\d\.\d/.test(text)).length > 2;
    const child = new Child(t, command, args);
    await child.until("prices", (lines) => shows(lines, "AAPL") && shows(lines, "BTC-USDT"));
    if (name === "curl.sh") return; // It shows a stream, and ends with it.
    await gateway.stop();
    await proxyWithoutGateway(t, gateway.address);
    const before = child.lines.length;
    await startGateway(t, { listen: gateway.address });
    // The third wait of a client that doubles its waits, after a bye that asked for ten seconds, is 32 s at most.
    await child.until("prices of the next gateway", (lines) => shows(lines.slice(before), "AAPL") && shows(lines.slice(before), "BTC-USDT"), 60_000);
  });
}

/** Serves a folder on a port of its own. */
async function served(t, folder) {
  const types = { ".html": "text/html", ".js": "text/javascript" };
  const server = createServer((request, response) => {
    response.setHeader("content-type", types[extname(request.url)] ?? "text/plain");
    response.end(readFileSync(join(folder, request.url)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A page of the examples; an error on it fails the test. */
async function opened(t, url, page) {
  page ??= await newPage(t, browser);
  page.on("pageerror", (error) => assert.fail(error));
  page.on("console", (message) => assert.notEqual(message.type(), "error", message.text()));
  await page.goto(url);
  return page;
}

/** The page has the client library without its gateway. */
async function bringLibrary(page) {
  await page.route(/\/tickfan\//, (route) => route.fulfill({
    path: join(root, "clients/js/src", new URL(route.request().url()).pathname.slice("/tickfan/".length)),
    contentType: "text/javascript", headers: { "access-control-allow-origin": "*" },
  }));
  return page;
}

/** The folder on a server, the page that is opened of it, and the gateway that it reads. */
async function browsing(t, name) {
  const gateway = await startGateway(t, {});
  const url = `${await served(t, copied(t, gateway))}/browser/${name}`;
  return { gateway, url, page: await opened(t, url) };
}

test("examples/browser/prices.html, opened as a file, shows prices that move", TEST, async (t) => {
  const folder = copied(t, await startGateway(t, {}));
  const page = await opened(t, `file://${folder}/browser/prices.html`);
  await page.waitForFunction(() => document.querySelectorAll("tr[data-state=live]").length === 3);
  const before = await page.locator("#prices").innerText();
  assert.match(before, /AAPL\s+[\d.]+/);
  await page.waitForFunction((before) => document.querySelector("#prices").innerText !== before, before);
});

const rows = (state) => (page) =>
  page.waitForFunction((state) => document.querySelectorAll(`tr[data-state=${state}]`).length === 3, state);
const lines = (state) => (page) => page.waitForFunction((state) => {
  const lines = document.querySelector("#ticks").textContent.split("\n");
  return lines.length === 2 && lines.every((line) => new RegExp(`^(AAPL|BTC-USDT) [\\d.]+ ${state}$`).test(line));
}, state);
const candles = (state) => (page) =>
  page.waitForFunction((state) => document.querySelector("canvas").dataset.state === state, state);

for (const [name, shows] of [["prices.html", rows], ["shared.html", lines], ["candles.html", candles]]) {
  test(`examples/browser/${name} shows no price as live without its gateway`, TEST, async (t) => {
    const { gateway, url, page } = await browsing(t, name);
    await shows("live")(page);
    gateway.signal("SIGSTOP"); // Its connections stay: only silence tells.
    await shows("lost")(page);
    gateway.signal("SIGCONT");
    await shows("live")(page);
    page.removeAllListeners("console"); // That the gateway is gone is an error there.
    gateway.signal("SIGKILL");
    await shows("lost")(page);
    await proxyWithoutGateway(t, gateway.address);
    // The tab that keeps the stream tells it to one that comes later.
    if (name === "shared.html") {
      const later = await bringLibrary(await page.context().newPage());
      await later.goto(url);
      await shows("lost")(later);
    }
    await startGateway(t, { listen: gateway.address });
    await shows("live")(page);
  });
}

test("examples/browser/candles.html draws candles", TEST, async (t) => {
  const folder = copied(t, await startGateway(t, {}));
  const page = await opened(t, `${await served(t, folder)}/browser/candles.html`);
  await page.waitForFunction(() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return candles.length > 1 && data.some((value) => value !== 0);
  });
});

test("examples/browser/candles.html shows gaps, and only trades of the session", TEST, async (t) => {
  const second = 1_000_000;
  const tick = (trades, price, fields = {}) => ["message", {
    symbol: "BTC-USDT", seq: trades, kind: "trade", state: "live", recv: 99 * second, price, trades, ...fields,
  }];
  const hello = (epoch) => ["hello", { epoch, now: 99 * second, symbols: ["BTC-USDT"], unknown: [] }];
  const streams = [
    [hello("e1"), tick(10, 5, { trade_ts: 10 * second }), tick(11, 7, { trade_ts: 15 * second }),
      tick(12, 7, { trade_ts: 15 * second, ext_price: 1, ext_ts: 30 * second }),
      // Late: of a candle that was never begun, the last one of its candle, and not even that.
      tick(13, 4, { trade_ts: 9 * second }), tick(14, 6, { trade_ts: 14 * second }), tick(15, 8, { trade_ts: 13 * second })],
    // The same epoch: what is missing is a gap, and what is known comes again.
    [hello("e1"), tick(15, 8, { trade_ts: 13 * second }), tick(16, 8, { trade_ts: 20 * second }),
      tick(18, 8, { trade_ts: 26 * second })],
    // Another epoch: the missed ticks are unknown, and all counts restart.
    [hello("e2"), tick(1, 9, { trade_ts: 31 * second }), tick(2, undefined, { ext_price: 1, ext_ts: 32 * second }),
      tick(3, 9, { trade_ts: 35 * second })],
  ];
  const page = await newPage(t, browser);
  await bringLibrary(page);
  await page.route(/\/v1\/stream\?/, (route) => {
    const events = streams.shift();
    if (events === undefined) return route.abort();
    const body = events.map(([name, data]) => `retry: 10\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join("");
    return route.fulfill({ contentType: "text/event-stream", headers: { "access-control-allow-origin": "*" }, body });
  });
  const folder = temporaryFolder(t);
  cpSync(examples, folder, { recursive: true });
  await page.goto(`${await served(t, folder)}/browser/candles.html`);
  await page.waitForFunction((last) => candles.at(-1)?.start === last, 35 * second);
  const drawn = await page.evaluate(() => candles.map(({ start, open, high, low, close, gap }) => [start, open, high, low, close, gap]));
  assert.deepEqual(drawn, [
    [10 * second, 5, 8, 5, 6, false],
    [15 * second, 7, 7, 7, 7, false],
    [20 * second, 8, 8, 8, 8, false],
    [25 * second, 8, 8, 8, 8, true],
    [30 * second, 9, 9, 9, 9, true],
    [35 * second, 9, 9, 9, 9, false],
  ]);
});

test("examples/browser/shared.html: two tabs, one stream", TEST, async (t) => {
  const gateway = await startGateway(t, {});
  const url = `${await served(t, copied(t, gateway))}/browser/shared.html`;
  const first = await opened(t, url);
  const second = await opened(t, url, await first.context().newPage());
  for (const page of [first, second]) {
    await page.waitForFunction(() => /AAPL [\d.]+ live\n?.*BTC-USDT [\d.]+ live|BTC-USDT [\d.]+ live\n?.*AAPL [\d.]+ live/.test(document.querySelector("#ticks").textContent));
  }
  const { totals } = await (await fetch(`http://${gateway.admin}/debug/streams`)).json();
  assert.equal(totals.looked_at, 1);
});

test("examples/tick.d.ts has the fields of /openapi.json", () => {
  const types = readFileSync(join(examples, "tick.d.ts"), "utf8");
  const { schemas } = JSON.parse(readFileSync(join(root, "src/api/openapi.json"), "utf8")).components;
  for (const name of ["Tick", "Hello", "Heartbeat", "Bye"]) {
    const { properties, required } = schemas[name];
    const body = types.match(new RegExp(`^export interface ${name} \\{\n(.*?)^\\}$`, "ms"))[1];
    const fields = [...body.matchAll(/^ {2}(\w+)(\??): (.*);$/gm)].map(([, field, optional, type]) => ({ field, optional: optional !== "", type }));
    assert.deepEqual(fields.map(({ field }) => field).sort(), Object.keys(properties).sort(), name);
    for (const { field, optional, type } of fields) {
      assert.equal(optional, !required.includes(field), `${name}.${field}`);
      const { enum: words = [], items } = properties[field];
      for (const word of [...words, ...(items?.enum ?? [])]) assert.ok(type.includes(`"${word}"`), `${name}.${field} lacks ${word}`);
    }
  }
});
