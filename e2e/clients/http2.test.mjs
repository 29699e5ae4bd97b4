// Clients of many kinds read an answer and a stream over TLS, by HTTP/2 where they speak it, and end with the gateway.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { devCert, tlsTable } from "../support/certificates.mjs";
import { Child, PATIENT, TEST, root, startGateway, targetDir, within } from "../support/gateway.mjs";

const SYMBOLS = ["AAPL", "BTC-USDT", "MSFT"];
/** Ticks that each client must have. */
const TICKS = 150;
const CONFIG = `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = 150\nsymbols = ${JSON.stringify(SYMBOLS)}\n`;
const built = (...path) => join(targetDir, "clients", ...path);
const here = (...path) => join(root, "e2e/clients", ...path);
/** Those that scripts/test could not build, by name. */
const skipped = (process.env.SKIP_CLIENTS ?? "").split(" ");

/** The lines of a stream's ticks as the other clients print them. */
const TICKS_OF_LINES = `jq --raw-input --compact-output --unbuffered 'select(startswith("data: {\\"symbol")) | .[6:] as $data | $data | fromjson | {symbol, seq, data: $data}'`;

const curl = (version) => (answer, stream) => ["bash", "-c", `set -eo pipefail
  curl --silent --fail --http${version} --write-out '\\n{"http": "%{http_version}", "status": %{http_code}}\\n' "$0" |
    jq --slurp --compact-output '{http: .[1].http, status: .[1].status, quotes: .[0].quotes | length}'
  curl --silent --fail --no-buffer --http${version} "$1" | ${TICKS_OF_LINES}`, answer, stream];

/** Prints the answer as {"http", "status", "quotes"}, and each tick of the stream as a line. Each trusts the CA in the environment. */
const CLIENTS = {
  "curl --http2": curl("2"),
  "curl --http1.1": curl("1.1"),
  go: (answer, stream) => [built("go-http2"), answer, stream],
  "PyPI httpx": (answer, stream, ca) => [built("python/bin/python"), here("python/over_http2.py"), answer, stream, ca],
  "node http2": (answer, stream) => ["node", here("node/over_http2.mjs"), answer, stream],
};

const trusting = (ca) => ({ env: { ...process.env, CURL_CA_BUNDLE: ca, NODE_EXTRA_CA_CERTS: ca, SSL_CERT_FILE: ca } });

async function startSecure(t) {
  const cert = devCert(t);
  const gateway = await startGateway(t, { config: CONFIG + tlsTable(cert), env: PATIENT });
  const at = (path) => `https://localhost:${gateway.tlsPort}${path}?symbols=${SYMBOLS}`;
  return { gateway, ca: cert.ca, answer: at("/v1/quotes"), stream: at("/v1/stream") };
}

const parsed = (lines) => lines.filter(({ from }) => from === "stdout").map(({ text }) => JSON.parse(text));

test("clients of many kinds read an answer and a stream of several symbols, and miss no tick", TEST, async (t) => {
  const { gateway, ca, answer, stream } = await startSecure(t);
  const clients = Object.entries(CLIENTS).filter(([name]) => !skipped.includes(name)).map(([name, command]) => {
    const [program, ...args] = command(answer, stream, ca);
    return { name, child: new Child(t, program, args, trusting(ca)) };
  });
  await Promise.all(clients.map(({ name, child }) => child.until(`${name}: ticks`, (lines) => lines.length > TICKS, 60_000)));
  // Each ends in order when the gateway does.
  assert.equal(await gateway.stop(), 0);
  for (const { name, child } of clients) {
    assert.equal(await within(`${name}: its end`, child.exited), 0, `${name}: ${child.text("stderr")}`);
    const printed = parsed(child.lines);
    const ticks = printed.filter(({ seq }) => seq > 0);
    assert.deepEqual(printed.filter(({ http }) => http !== undefined), [{ http: name === "curl --http1.1" ? "1.1" : "2", status: 200, quotes: SYMBOLS.length }], name);
    for (const symbol of SYMBOLS) {
      const seqs = ticks.filter((tick) => tick.symbol === symbol).map(({ seq }) => seq);
      assert.deepEqual(seqs, seqs.map((_, place) => seqs[0] + place), `${name} misses ticks of ${symbol}, or has them in disorder`);
      assert.ok(seqs.length > 1, `${name}: ${symbol}`);
    }
  }
});

test("nghttp reads answers and streams that share a connection", TEST, async (t) => {
  const { gateway, ca, answer, stream } = await startSecure(t);
  const client = new Child(t, "nghttp", ["--no-dep", "--stat", answer, stream, stream.replace("AAPL,", "")], trusting(ca));
  const ticks = (lines) => lines.filter(({ text }) => text.startsWith('data: {"symbol"')).length;
  await client.until("ticks", (lines) => ticks(lines) > TICKS);
  assert.equal(await gateway.stop(), 0);
  assert.equal(await within("its end", client.exited), 0, client.text("stderr"));
  assert.ok(!client.text("stderr").includes("verification"), "it trusts the CA");
  assert.match(client.text(), /^.*"quotes":\[.*$/m);
  assert.equal(client.lines.filter(({ text }) => text === "event: bye").length, 2, "each stream ends in order");
  // --stat prints a line of each response, with its status.
  assert.equal(client.lines.filter(({ text }) => /^\s*\d+ .* 200 .*\/v1\//.test(text)).length, 3, client.text());
});

test("h2load is answered on each of its connections, and its streams end in order with the gateway", TEST, async (t) => {
  const { gateway, ca, answer, stream } = await startSecure(t);
  const load = (...args) => new Child(t, "h2load", args, trusting(ca));
  const succeeded = async (child, count) => {
    assert.equal(await within(() => `h2load's end: ${child.text()}`, child.exited), 0);
    assert.match(child.text(), /Application protocol: h2/);
    assert.match(child.text(), new RegExp(`${count} succeeded, 0 failed, 0 errored, 0 timeout`));
    assert.match(child.text(), new RegExp(`status codes: ${count} 2xx, 0 3xx, 0 4xx, 0 5xx`));
  };
  await succeeded(load("--clients=4", "--max-concurrent-streams=10", "--requests=400", answer), 400);

  const streams = load("--clients=2", "--max-concurrent-streams=20", "--requests=40", stream);
  const opened = async () => {
    const metrics = await (await fetch(`http://${gateway.admin}/metrics`)).text();
    return Number(/^tickfan_streams (\d+)$/m.exec(metrics)?.[1]);
  };
  await within("40 streams", (async () => { while (await opened() !== 40) await new Promise(setImmediate); })());
  assert.equal(await gateway.stop(), 0);
  await succeeded(streams, 40);
});
