// A real Prometheus scrapes a loaded gateway and asks it all that the dashboard asks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { devCert, tlsTable } from "../support/certificates.mjs";
import { startGateway } from "../support/gateway.mjs";
import { hasTick, openSlow, openStream } from "./clients.mjs";
import { expressions, grafana, read } from "./files.mjs";
import { filled, startPrometheus, until } from "./monitoring.mjs";

const TEST = { timeout: 120_000 };

/** A gateway of these lines and this variable knows the metrics of sign-on, and serves clients without credentials too. */
const SIGN_ON = '[auth]\nmode = "optional"\nsecret_env = "SIGN_ON_SECRET"\n[auth.anonymous]\nlive = ["*"]\n';
/** A feed with this line knows the metrics of delay lines. */
const LATE = 'delay = "1s"\ndelay_step = "100ms"\n';
const env = { SIGN_ON_SECRET: "x".repeat(32) };

/** A feed whose symbols streams ask for. */
const DEMAND = '[[feed]]\nname = "asked"\nvenue = "sim"\non_demand = true\nsymbols = ["Q-*"]\n';

/** A second feed with these lines knows those of failovers. */
const STANDBY = (primary) => `[[feed]]\nname = "spare"\nvenue = "sim"\nstandby_for = "${primary}"\nsymbols = ["${primary === "sim" ? "S0" : "AAPL"}"]\n`;

/** Metrics that no panel shows, each with its reason. */
const LEFT_OUT = {
  tickfan_feed_symbols_unheard: "overlaps with the states, which have a panel; an alert tells it",
  tickfan_feed_implausible_times_total: "is zero wherever clocks are right; an alert tells it, beside the skew that a panel shows",
  tickfan_subscriptions: "follows the streams, which have a panel; an alert tells when the limit is near",
  tickfan_subscriptions_limit: "is a setting; an alert tells when it is near",
  tickfan_config_reloads_total: "counts what an operator does; the log tells each",
  tickfan_config_last_reload_successful: "is a fact of one moment; an alert tells it",
  tickfan_certificate_reloads_total: "counts what a renewal does; the log tells each",
  tickfan_config_last_reload_success_timestamp_seconds: "is for a look at one gateway, as the log line of the reload",
  process_virtual_memory_bytes: "says nothing of what is used",
  process_virtual_memory_max_bytes: "is unlimited nearly everywhere",
};

test("promtool finds nothing wrong with configs, rules and their tests", () => {
  for (const args of [["check", "config", "prometheus.yml"], ["check", "config", "prometheus.compose.yml"],
    ["check", "config", "prometheus.cluster.yml"],
    ["check", "rules", "alerts.yml", "rules.yml", "cluster_alerts.yml"],
    ["test", "rules", "alerts_test.yml", "cluster_alerts_test.yml"]]) {
    const ran = spawnSync("promtool", args, { cwd: grafana, encoding: "utf8" });
    assert.equal(ran.status, 0, `promtool ${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  }
  const ran = spawnSync("amtool", ["check-config", "alertmanager.yml"], { cwd: grafana, encoding: "utf8" });
  assert.equal(ran.status, 0, `amtool: ${ran.stdout}${ran.stderr}`);
});

test("promtool finds nothing wrong with the metrics, and 5,000 symbols with 10,000 streams stay under 1,500 series", TEST, async (t) => {
  const symbols = Array.from({ length: 5_000 }, (_, index) => `S${index}`);
  const gateway = await startGateway(t, { config: `[[feed]]\nvenue = "sim"\nrate = 2000\n${LATE}symbols = ${JSON.stringify(symbols)}\n${STANDBY("sim")}${DEMAND}${tlsTable(devCert(t))}\n${SIGN_ON}`, env });
  for (let opened = 0; opened < 10_000; opened += 500) {
    await Promise.all(Array.from({ length: 500 }, async (_, number) => {
      const first = ((opened + number) % 1_000) * 5;
      await hasTick(await openStream(t, gateway.address, symbols.slice(first, first + 5)));
    }));
  }
  await fetch(`${gateway.url}/no/such/route`);
  // What the workers count is published once a second.
  const text = await until("all streams are counted", async () => {
    const text = await (await fetch(`http://${gateway.admin}/metrics`)).text();
    return text.includes("\ntickfan_streams 10000\n") && text;
  });
  const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.deepEqual([checked.status, checked.stdout + checked.stderr], [0, ""]);
  const series = text.split("\n").filter((line) => line && !line.startsWith("#"));
  t.diagnostic(`${series.length} series`);
  assert.ok(series.length < 1_500, `${series.length} series`);
  assert.ok(!/symbol="|stream="/.test(text));
  everyMetricIsShown([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
});

/** Every metric is on a panel or left out for a reason, and in the documents; no panel asks for another. */
function everyMetricIsShown(known) {
  const asked = new Set(expressions.flatMap(({ expr }) => expr.match(/\b(tickfan|process)_\w+(?=\{)/g) ?? [])
    .map((name) => name.replace(/_(bucket|count|sum)$/, "")));
  assert.ok(known.length > 35, `${known}`);
  for (const name of known) {
    assert.ok(asked.has(name) !== name in LEFT_OUT, `${name}: a panel asks for it: ${asked.has(name)}`);
    assert.ok(read("docs/metrics.md").includes(`\`${name}\``), `docs/metrics.md does not tell of ${name}`);
  }
  // This gateway is alone; the panel of feeds that are down also knows followers of a cluster.
  const ofOneGateway = [...asked].filter((name) => name !== "tickfan_cluster_nodes");
  for (const name of [...ofOneGateway, ...Object.keys(LEFT_OUT)]) assert.ok(known.includes(name), `${name} is not a metric`);
}

test("every question of the dashboard has an answer from a loaded gateway", TEST, async (t) => {
  const gateway = await startGateway(t, { config: '[[feed]]\nname = "market"\nvenue = "sim"\nrate = 5000\n' + LATE + 'symbols = ["BTC-USDT", "AAPL", "MSFT"]\n' + STANDBY("market") + DEMAND + tlsTable(devCert(t)) + "\n" + SIGN_ON, env });
  const open = () => openStream(t, gateway.address, "BTC-USDT,AAPL,MSFT");
  for (let count = 0; count < 10; count++) await open();
  await openStream(t, gateway.address, "Q-1");
  // A slow one, and others that come as long as somebody asks, so that each quantile has something behind it.
  await openSlow(t, gateway.address, "BTC-USDT,AAPL,MSFT", 4_096);
  const timer = setInterval(open, 500);
  t.after(() => clearInterval(timer));
  await fetch(`${gateway.url}/v1/quotes/AAPL`);
  const prometheus = await startPrometheus(t, [gateway.admin]);
  assert.ok(expressions.length > 30);
  for (const { where, expr } of expressions) {
    await until(`${where}: ${filled(expr)}`, async () => {
      // What stands in for no answer is none, and nor is a quantile of nothing.
      const result = await prometheus.query(filled(expr.replace(" or vector(0)", "")));
      return result.length > 0 && result.every(({ value: [, number] }) => Number.isFinite(Number(number)));
    });
  }
});
