// The pictures of the dashboard and of `tickfan top`, under load: see scripts/pictures.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Venue, venueConfig } from "../support/venue.mjs";
import { Child, gatewayBinary, startGateway, targetDir } from "../support/gateway.mjs";
import { dashboard, grafana } from "./files.mjs";
import { filled, freePort, startPrometheus } from "./monitoring.mjs";

/** How far a rate looks back, and how close the points are, in seconds. */
const [SPAN, STEP] = ["5s", 1];
const python = process.env.PICTURES_PYTHON ?? "python3";
const draw = join(import.meta.dirname, "pictures.py");
const loadtest = join(dirname(gatewayBinary), "tickfan-loadtest");
const scenario = join(import.meta.dirname, "pictures_load.toml");

/** A venue beside the load's, of which one thing after the other goes wrong, in seconds since the beginning. */
async function startTroubled(t) {
  const venue = await Venue.start(t);
  const [begun, symbols] = [Date.now(), ["BTC-USDT", "ETH-USDT"]];
  const timer = setInterval(() => {
    const second = (Date.now() - begun) / 1000;
    if (second > 25 && second < 35) return; // mute
    if (second > 50 && second < 60) venue.say('{"stream":"btcusdt@trade","data":{"e":"trade","price":[1]}}');
    else for (const symbol of symbols) venue.trade(symbol, `${100 + Math.floor(second)}`);
  }, 50);
  t.after(() => clearInterval(timer));
  return `${venueConfig(venue.url, symbols)}mute_after = "3s"\n`;
}

const ends = [];
const t = { after: (end) => ends.push(end) };
try {
  const venue = `127.0.0.1:${await freePort()}`;
  const config = execFileSync(loadtest, ["config", scenario, "--venue", `ws://${venue}`], { encoding: "utf8" });
  const gateway = await startGateway(t, { config: config + (await startTroubled(t)) });
  const prometheus = await startPrometheus(t, [gateway.admin], { asShipped: true });
  const start = Date.now() / 1000;
  const load = new Child(t, loadtest, ["run", scenario, "--url", gateway.url, "--admin", gateway.admin, "--venue-listen", venue, "--pid", `${gateway.pid}`]);
  // While a burst and the readers that stand still are there to be seen.
  await new Promise((resolve) => setTimeout(resolve, 70_000));
  const top = new Child(t, python, [draw, "top", gatewayBinary, gateway.admin, join(grafana, "pictures/top.png")]);
  if ((await top.exited) !== 0) throw new Error(top.text());
  if ((await load.exited) !== 0) throw new Error(load.text());
  console.log(load.text());
  // Without the end, where all leave at once.
  const end = Date.now() / 1000 - 6;
  const rows = [];
  for (const panel of dashboard.panels) {
    if (panel.type === "row") {
      rows.push({ title: panel.title, panels: [] });
      continue;
    }
    const { title, type, gridPos, targets } = panel;
    const series = [];
    for (const { expr, legendFormat } of targets) {
      for (const { metric, values } of await prometheus.range(filled(expr, SPAN), start, end, STEP)) {
        const legend = (legendFormat ?? "").replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? "").replaceAll(gateway.admin, "").trim();
        series.push({ legend, values: values.map(([at, value]) => [at - start, Number(value)]).filter(([, value]) => Number.isFinite(value)) });
      }
    }
    rows.at(-1).panels.push({ title, type, gridPos, unit: panel.fieldConfig.defaults.unit, series });
  }
  const folder = join(targetDir, "pictures");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "panels.json"), JSON.stringify(rows));
  console.log(execFileSync(python, [draw, "panels", join(folder, "panels.json"), join(grafana, "pictures")], { encoding: "utf8" }));
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(0);
