// How long a scrape takes under load, and what the streams notice of it: see scripts/scrape-cost.

import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { Child, gatewayBinary, startGateway } from "../support/gateway.mjs";
import { freePort } from "./monitoring.mjs";

/** How often it is scraped, in milliseconds: not at all, as the shipped prometheus.yml does, and far too often. */
const PACES = [null, 5_000, 100];
const ROUNDS = 3;
const loadtest = join(dirname(gatewayBinary), "tickfan-loadtest");
const scenario = join(import.meta.dirname, "scrape_load.toml");

/** Scrapes each so many milliseconds while the load runs; returns how long each took, in milliseconds, and the last text. */
async function scrape(admin, load, every) {
  const times = [];
  let text = "";
  let isOver = false;
  load.exited.then(() => (isOver = true));
  while (!isOver) {
    const pause = new Promise((resolve) => setTimeout(resolve, every));
    const begun = performance.now();
    text = await (await fetch(`http://${admin}/metrics`)).text();
    times.push(performance.now() - begun);
    await Promise.race([pause, load.exited]);
  }
  return { times: times.sort((left, right) => left - right), series: text.split("\n").filter((line) => line && !line.startsWith("#")).length };
}

const ends = [];
const t = { after: (end) => ends.push(end) };
try {
  for (const every of Array.from({ length: ROUNDS }, () => PACES).flat()) {
    const venue = `127.0.0.1:${await freePort()}`;
    const config = execFileSync(loadtest, ["config", scenario, "--venue", `ws://${venue}`], { encoding: "utf8" });
    const gateway = await startGateway(t, { config });
    const load = new Child(t, loadtest, ["run", scenario, "--json", "--url", gateway.url, "--venue-listen", venue, "--pid", `${gateway.pid}`]);
    const scraped = every && (await scrape(gateway.admin, load, every));
    if ((await load.exited) !== 0) throw new Error(load.text());
    const { latency } = JSON.parse(load.text("stdout"));
    const millis = (micros) => (micros / 1e3).toFixed(2);
    console.log(`${every ? `each ${every / 1000} s`.padEnd(11) : "not scraped"}  latency p50 ${millis(latency.p50)} ms, p99 ${millis(latency.p99)} ms, p99.9 ${millis(latency.p999)} ms`);
    if (scraped) {
      const { times, series } = scraped;
      const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(1);
      console.log(`  ${times.length} scrapes of ${series} series: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms`);
    }
    await gateway.stop();
  }
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(0);
