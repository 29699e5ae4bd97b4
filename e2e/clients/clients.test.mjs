// Clients of many languages, and proxies between, get the same ticks and miss none.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { Child, TEST, root, startGateway, targetDir, temporaryFolder, within } from "../support/gateway.mjs";
import { startNginx } from "./nginx.mjs";

const SYMBOLS = ["AAPL", "BTC-USDT", "MSFT"];
const PATH = `/v1/stream?symbols=${SYMBOLS}`;
/** Ticks of each symbol that every client must have after the last one has come. */
const SHARED = 150;
const built = (...path) => join(targetDir, "clients", ...path);
const here = (...path) => join(root, "e2e/clients", ...path);
/** Those that scripts/test could not build, by name. */
const skipped = (process.env.SKIP_CLIENTS ?? "").split(" ");

/** No client counts as lagging here: these tests do not measure how fast a busy machine starts Java. */
const PATIENT = { TICKFAN_FANOUT_MAX_LAG: "20s", TICKFAN_FANOUT_RING_AGE: "30s" };
const CONFIG = `
[server]
hosts = ["ticks.example.com"]
[[feed]]
name = "sim"
venue = "sim"
rate = 150
symbols = ${JSON.stringify(SYMBOLS)}
`;

/** What prints the ticks of the stream at an address, by the client's name. */
const CLIENTS = {
  curl: (url) => ["bash", "-c", `curl --silent --no-buffer "$0" | jq --raw-input --compact-output --unbuffered 'select(startswith("data: {\\"symbol")) | .[6:] as $data | $data | fromjson | {symbol, seq, data: $data}'`, url],
  "npm eventsource": (url) => ["node", here("node/with_eventsource.mjs"), url],
  "PyPI httpx-sse": (url) => [built("python/bin/python"), here("python/with_httpx_sse.py"), url],
  "PyPI sseclient-py": (url) => [built("python/bin/python"), here("python/with_sseclient.py"), url],
  java: (url) => ["java", "-cp", `${built("java/classes")}:${built("java/classes/*")}`, "Ticks", url],
  rust: (url) => [built("rust/debug/tickfan-client-test"), url],
  go: (url) => [built("go"), url],
};
const throughHttp2 = (url, ...more) => ["node", here("node/with_http2.mjs"), url, ...more];

const ticksOf = (lines) => lines.filter(({ from }) => from === "stdout").map(({ text }) => JSON.parse(text));

/** By symbol: seq to data, in the order in which they came. `seq` 0 is the symbol before its first tick, and no tick. */
function bySymbol(ticks) {
  const found = new Map(SYMBOLS.map((symbol) => [symbol, new Map()]));
  for (const { symbol, seq, data } of ticks) if (seq > 0) found.get(symbol).set(seq, data);
  return found;
}

const newest = (ticks) => SYMBOLS.map((symbol) => Math.max(0, ...bySymbol(ticks).get(symbol).keys()));

test("all clients get the same ticks, and miss none", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG, env: PATIENT });
  const started = Object.entries(CLIENTS).filter(([name]) => !skipped.includes(name))
    .map(([name, command]) => [name, command(gateway.url + PATH)]);
  for (const version of ["1.0", "1.1"]) {
    const proxy = await startNginx(t, gateway.address, version);
    started.push([`HTTP/2, nginx, HTTP/${version}`, throughHttp2(proxy + PATH)]);
  }
  const clients = started.map(([name, [command, ...args]]) => ({ name, child: new Child(t, command, args) }));

  const begun = await Promise.all(clients.map(({ name, child }) =>
    child.until(`${name}: ticks of each symbol`, (lines) => newest(ticksOf(lines)).every((seq) => seq > 0) && newest(ticksOf(lines)), 60_000)));
  // From where the last one began, all must have got on for a while.
  const goal = SYMBOLS.map((_, index) => Math.max(...begun.map((seqs) => seqs[index])) + SHARED);
  await Promise.all(clients.map(({ name, child }) =>
    child.until(`${name}: ticks up to ${goal}`, (lines) => newest(ticksOf(lines.slice(-200))).every((seq, index) => seq >= goal[index]), 60_000)));

  const all = new Map();
  for (const { name, child } of clients) {
    for (const [symbol, ticks] of bySymbol(ticksOf(child.lines))) {
      const seqs = [...ticks.keys()];
      assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index), `${name} misses ticks of ${symbol}, or has them in disorder`);
      for (const [seq, data] of ticks) {
        const first = all.get(`${symbol} ${seq}`);
        if (first) assert.equal(data, first.data, `${symbol} ${seq} differs between ${first.name} and ${name}`);
        else all.set(`${symbol} ${seq}`, { name, data });
      }
    }
  }
  t.diagnostic(`${clients.length} clients, ${all.size} ticks: ${clients.map(({ name }) => name).join("; ")}`);
});

test("a proxy lets in only who has signed on", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG });
  const service = createServer((request, response) => {
    response.statusCode = request.headers.cookie === "session=ours" ? 204 : 401;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(service, "listening");
  t.after(() => { service.close(); service.closeAllConnections(); });
  const proxy = await startNginx(t, gateway.address, "1.1", `127.0.0.1:${service.address().port}`);
  const run = (...args) => {
    const [command, ...rest] = throughHttp2(proxy + PATH, ...args);
    return new Child(t, command, rest);
  };
  const stranger = run();
  assert.equal(await within("the stranger's end", stranger.exited), 1);
  assert.equal(stranger.text(), "status 401");
  await run("session=ours").until("ticks", (lines) => ticksOf(lines).length > SYMBOLS.length);
});

/** What curl gets of a path: its status, content type and body. */
function fetched(proxy, path) {
  const port = new URL(proxy).port;
  const text = execFileSync("curl", [
    "--silent", "--insecure", "--max-time", "20", "--resolve", `ticks.example.com:${port}:127.0.0.1`,
    "--write-out", "\n%{http_code} %{content_type}", proxy + path,
  ], { encoding: "utf8" });
  const end = text.lastIndexOf("\n");
  return { body: text.slice(0, end), answer: text.slice(end + 1) };
}

/** A server in a process of its own, since curl holds up this one: it answers with the status that its path ends with. */
async function startStatuses(t) {
  const code = `require("http").createServer((q, r) => { r.statusCode = Number(q.url.slice(-3)); r.end("its own"); })
    .listen(0, "127.0.0.1", function () { console.log(this.address().port); })`;
  const child = new Child(t, "node", ["-e", code]);
  return `127.0.0.1:${await child.until("a port", (lines) => lines[0]?.text)}`;
}

test("nginx answers new streams itself while the gateway or the sign-on service is away, and nothing else", TEST, async (t) => {
  const bye = /^retry: \d{4}\nevent: bye\ndata: {"reason":"busy"}\n\n$/;
  const gateway = await startGateway(t, { config: CONFIG });
  const proxies = {
    "no gateway": await startNginx(t, "127.0.0.1:9", "1.1"),
    "no sign-on service": await startNginx(t, gateway.address, "1.1", "127.0.0.1:9"),
  };
  for (const [name, proxy] of Object.entries(proxies)) {
    const retries = new Set();
    // The query of the second, and the path of the change below, are credentials: what nginx logs is looked at.
    for (const path of [PATH, "/v1/stream/AAPL?ticket=RC_WHWQ0NbM3gF8xJq5zvA", PATH, PATH, PATH, PATH, PATH, PATH]) {
      const { answer, body } = fetched(proxy, path);
      assert.equal(answer, "200 text/event-stream", name);
      assert.match(body, bye, name);
      retries.add(body.split("\n")[0]);
    }
    assert.ok(retries.size > 1, `${name}: not all come back at once`);
    assert.match(fetched(proxy, "/v1/quotes/AAPL").answer, /^50[02] text\/html$/, name);
    const change = fetched(proxy, "/v1/streams/AQAAAAEAAAABOWU5NnprM2tubDM0aqTSfVzqicDA6SziUR-YDw");
    assert.match(change.answer, /^50[02] text\/html$/, "a change is not a stream");
  }
  const statuses = await startNginx(t, await startStatuses(t), "1.1");
  for (const status of [500, 502, 503, 504]) assert.match(fetched(statuses, `/v1/stream/${status}`).body, bye, `${status}`);
  for (const status of [200, 400, 404, 406, 421, 429]) {
    const { answer, body } = fetched(statuses, `/v1/stream/${status}`);
    assert.deepEqual([answer.trim(), body], [`${status}`, "its own"], "what the gateway says of a request passes");
  }
});

test("the TypeScript type of a tick fits real ones, and nothing else", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG });
  const [command, ...args] = CLIENTS["npm eventsource"](gateway.url + PATH);
  const lines = await new Child(t, command, args).until("ticks", (lines) => lines.length > 200 && lines);
  const folder = temporaryFolder(t);
  const type = JSON.stringify(join(root, "examples/tick"));
  const fits = (ticks) => {
    const file = join(folder, "ticks.ts");
    writeFileSync(file, `import type { Tick } from ${type};\nexport const ticks: Tick[] = [\n${ticks.join(",\n")}\n];\n`);
    const tsc = here("node/node_modules/typescript/bin/tsc");
    try {
      execFileSync("node", [tsc, "--noEmit", "--strict", "--skipLibCheck", file], { encoding: "utf8", stdio: "pipe" });
      return "";
    } catch (error) {
      return error.stdout;
    }
  };
  const ticks = ticksOf(lines).map(({ data }) => data);
  const stale = '{"symbol":"AAPL","seq":7,"kind":"status","state":"stale","since":1,"reason":"mute","stale":["trade"],"recv":1,"price":1.5}';
  const waiting = '{"symbol":"AAPL","seq":0,"kind":"status","state":"waiting","since":5,"reason":"no_data","origin":"sim"}';
  assert.equal(fits([...ticks, stale, waiting]), "");
  for (const wrong of [ticks[0].replace('"seq":', '"sequence":'), ticks[0].replace('"live"', '"alive"'), ticks[0].replace(/"price":([\d.]+)/, '"price":"$1"')]) {
    assert.match(fits([wrong]), /error TS/, wrong);
  }
});
