// A real Prometheus scrapes a loaded gateway and asks it all that the dashboard asks; alerts reach a real Alertmanager.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { Venue, venueConfig } from "../browser/page_support.mjs";
import { Child, startGateway, temporaryFolder, within } from "../browser/support.mjs";
import { expressions, grafana, read } from "./files.mjs";

const TEST = { timeout: 120_000 };

/** A port that was free a moment ago: neither program can be told to take any and say which. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function json(url) {
  const response = await fetch(url);
  return response.json();
}

/** What `look` sees, as soon as it is something. Both programs can only be asked again. */
async function until(what, look) {
  const asked = (async () => {
    for (;;) {
      const seen = await look().catch(() => undefined);
      if (seen) return seen;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  return within(what, asked, 60_000);
}

/** Waits and spans of minutes as seconds: the same alerts, soon. */
const hurried = (rules) => rules.replace(/for: \w+/g, "for: 1s").replace(/\[(5m|1h)\]/g, "[5s]");

/** Prometheus, scraping gateways twice a second, with the repository's rules in a hurry; Alertmanager behind it. */
async function startPrometheus(t, targets) {
  const folder = temporaryFolder(t);
  const [port, alertsPort] = [await freePort(), await freePort()];
  for (const name of ["alerts.yml", "rules.yml"]) writeFileSync(join(folder, name), hurried(read("grafana", name)));
  writeFileSync(join(folder, "alertmanager.yml"), "route: { receiver: none, group_wait: 0s }\nreceivers: [{ name: none }]\n");
  writeFileSync(join(folder, "prometheus.yml"), `
global: { scrape_interval: 500ms, evaluation_interval: 500ms }
rule_files: [alerts.yml, rules.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ["127.0.0.1:${alertsPort}"] }] }] }
scrape_configs: [{ job_name: tickfan, static_configs: [{ targets: ${JSON.stringify(targets)} }] }]
`);
  new Child(t, "prometheus-alertmanager", [
    `--config.file=${join(folder, "alertmanager.yml")}`, `--storage.path=${join(folder, "alerts")}`,
    `--web.listen-address=127.0.0.1:${alertsPort}`, "--cluster.listen-address=",
  ]);
  new Child(t, "prometheus", [
    `--config.file=${join(folder, "prometheus.yml")}`, `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const url = `http://127.0.0.1:${port}`;
  await until("Prometheus is ready", async () => (await fetch(`${url}/-/ready`)).ok);
  return {
    query: async (expr) => {
      const answer = await json(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
      assert.equal(answer.status, "success", `${expr}: ${answer.error}`);
      return answer.data.result;
    },
    /** Waits until Alertmanager has the alert. */
    fired: (name) => until(`${name} fires`, async () => {
      const alerts = await json(`http://127.0.0.1:${alertsPort}/api/v2/alerts`);
      return alerts.find(({ labels }) => labels.alertname === name);
    }),
  };
}

/** Opens a stream that is read, or never read. */
async function openStream(t, address, symbols, { isRead = true } = {}) {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(`GET /v1/stream?symbols=${symbols} HTTP/1.1\r\nhost: ${address}\r\n\r\n`);
  await once(socket, "readable");
  if (isRead) socket.resume();
  return socket;
}

/** An expression as Grafana would ask it, with all jobs and instances. */
const filled = (expr) =>
  expr.replaceAll("$job", ".+").replaceAll("$instance", ".+").replaceAll("$__rate_interval", "5s");

test("promtool finds nothing wrong with configs, rules and their tests", () => {
  for (const args of [["check", "config", "prometheus.yml"], ["check", "config", "prometheus.compose.yml"],
    ["check", "rules", "alerts.yml", "rules.yml"], ["test", "rules", "alerts_test.yml"]]) {
    const ran = spawnSync("promtool", args, { cwd: grafana, encoding: "utf8" });
    assert.equal(ran.status, 0, `promtool ${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  }
});

test("promtool finds nothing wrong with the metrics, and 5,000 symbols stay under 1,500 series", TEST, async (t) => {
  const symbols = Array.from({ length: 5_000 }, (_, index) => `S${index}`);
  const gateway = await startGateway(t, { config: `[[feed]]\nvenue = "sim"\nrate = 2000\nsymbols = ${JSON.stringify(symbols)}\n` });
  for (let count = 0; count < 50; count++) await openStream(t, gateway.address, symbols.slice(count * 100, count * 100 + 100));
  await fetch(`${gateway.url}/no/such/route`);
  const text = await (await fetch(`http://${gateway.admin}/metrics`)).text();
  const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.deepEqual([checked.status, checked.stdout + checked.stderr], [0, ""]);
  const series = text.split("\n").filter((line) => line && !line.startsWith("#"));
  t.diagnostic(`${series.length} series`);
  assert.ok(series.length < 1_500, `${series.length} series`);
  assert.ok(!/symbol="|stream="/.test(text));
});

test("every question of the dashboard has an answer from a loaded gateway", TEST, async (t) => {
  const gateway = await startGateway(t, { config: '[[feed]]\nname = "market"\nvenue = "sim"\nrate = 500\n' });
  for (let count = 0; count < 20; count++) await openStream(t, gateway.address, "BTC-USDT,AAPL,MSFT");
  await fetch(`${gateway.url}/v1/quotes/AAPL`);
  const prometheus = await startPrometheus(t, [gateway.admin]);
  assert.ok(expressions.length > 30);
  for (const { where, expr } of expressions) {
    await until(`${where}: ${filled(expr)}`, async () => {
      const result = await prometheus.query(filled(expr));
      return result.length > 0;
    });
  }
});

test("alerts reach Alertmanager: a venue killed, streams at their limit, clients that stall, a gateway gone", TEST, async (t) => {
  const symbols = ["BTC-USDT"];
  const venue = await Venue.start(t);
  const feed = venueConfig(venue.url, symbols);
  const flood = '[[feed]]\nname = "flood"\nvenue = "sim"\nrate = 20000\nsymbols = ["AAPL", "MSFT"]\n';
  const limits = '[limits]\nstreams = 10\n[fanout]\nstall_timeout = "1s"\n';
  const full = await startGateway(t, { config: `${limits}${feed}` });
  const slow = await startGateway(t, { config: `[fanout]\nstall_timeout = "5s"\n${flood}` });
  const gone = await startGateway(t);
  await venue.isSubscribed();
  venue.trade("BTC-USDT", "1");
  for (let count = 0; count < 10; count++) await openStream(t, full.address, "BTC-USDT");
  const prometheus = await startPrometheus(t, [full.admin, slow.admin, gone.admin]);
  await prometheus.fired("StreamsNearLimit");
  for (let count = 0; count < 20; count++) await openStream(t, slow.address, "AAPL,MSFT", { isRead: false });
  await venue.kill();
  await gone.stop();
  for (const name of ["FeedDown", "FeedStale", "TargetDown", "SlowCloseRateHigh"]) {
    const { annotations } = await prometheus.fired(name);
    assert.equal(annotations.runbook_url, `runbooks/${name}.md`);
    t.diagnostic(`${name}: ${annotations.summary}`);
  }
});
