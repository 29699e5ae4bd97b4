// Prometheus and Alertmanager as operators run them: the repository's rules, over gateways that run.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Child, temporaryFolder, within } from "../support/gateway.mjs";
import { read } from "./files.mjs";

/** A port that was free a moment ago: neither program can be told to take any and say which. */
export async function freePort() {
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
export async function until(what, look, millis = 60_000) {
  let isOver = false;
  const asked = (async () => {
    while (!isOver) {
      const seen = await look().catch(() => undefined);
      if (seen) return seen;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  try {
    return await within(what, asked, millis);
  } finally {
    isOver = true;
  }
}

/** The span over which rates are taken where minutes must be seconds. */
export const HURRIED_SPAN = "5s";

/** Waits and spans of minutes as seconds: the same alerts, soon. */
const hurried = (rules) => rules.replace(/for: \w+/g, "for: 1s").replace(/\[(5m|30m|1h|6h)\]/g, `[${HURRIED_SPAN}]`).replace(/\[(15m|2h)\]/g, "[30s]");

/** An expression of the dashboard as Grafana would ask it, with all jobs and instances. */
export const filled = (expr, span = HURRIED_SPAN) =>
  expr.replaceAll("$job", ".+").replaceAll("$instance", ".+").replaceAll("$__rate_interval", span).replaceAll("$__range", "1h");

/**
 * Prometheus, scraping gateways twice a second, with the repository's rules; Alertmanager behind it. In a hurry, unless
 * the rules are wanted `asShipped`.
 */
export async function startPrometheus(t, targets, { asShipped = false } = {}) {
  const folder = temporaryFolder(t);
  const [port, alertsPort] = [await freePort(), await freePort()];
  for (const name of ["alerts.yml", "rules.yml"]) {
    const rules = read("grafana", name);
    writeFileSync(join(folder, name), asShipped ? rules : hurried(rules));
  }
  writeFileSync(join(folder, "alertmanager.yml"), read("grafana/alertmanager.yml").replace(/group_wait: \w+/, "group_wait: 0s"));
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
  const ask = async (path) => {
    const answer = await json(`${url}/api/v1/${path}`);
    assert.equal(answer.status, "success", `${path}: ${answer.error}`);
    return answer.data.result ?? answer.data;
  };
  const alerts = async () => json(`http://127.0.0.1:${alertsPort}/api/v2/alerts?active=true`);
  return {
    /** The values of an expression, now or at a time. */
    query: (expr, time) => ask(`query?query=${encodeURIComponent(expr)}${time ? `&time=${time}` : ""}`),
    /** The values of an expression each `step` seconds, from one time to another. */
    range: (expr, start, end, step) => ask(`query_range?query=${encodeURIComponent(expr)}&start=${start}&end=${end}&step=${step}`),
    /** Prometheus' own view of its alerts: those that it will not send any more are gone at once. */
    pending: async () => (await ask("alerts")).alerts,
    alerts,
    /** Waits until Alertmanager has the alert, of this gateway where one is meant; returns it. */
    fired: (name, instance) => until(`${name} fires`, async () =>
      (await alerts()).find(({ labels }) => labels.alertname === name && (!instance || labels.instance === instance))),
  };
}
