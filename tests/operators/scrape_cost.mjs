// How long a scrape takes under load, and what the streams notice of it: see scripts/scrape-cost.

import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { Child, gatewayBinary, startGateway } from "../browser/support.mjs";
import { freePort } from "./monitoring.mjs";

const RUNS = 4;
const EVERY = 100;
const loadtest = join(dirname(gatewayBinary), "tickfan-loadtest");
const scenario = join(import.meta.dirname, "scrape_load.toml");

/** Scrapes again and again while the load runs; returns how long each took, in milliseconds, and the last text. */
async function scrape(admin, load) {
  const times = [];
  let text = "";
  let isOver = false;
  load.exited.then(() => (isOver = true));
  while (!isOver) {
    const begun = performance.now();
    text = await (await fetch(`http://${admin}/metrics`)).text();
    times.push(performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, EVERY - (performance.now() - begun)));
  }
  return { times: times.sort((left, right) => left - right), series: text.split("\n").filter((line) => line && !line.startsWith("#")).length };
}

const ends = [];
const t = { after: (end) => ends.push(end) };
try {
  for (let run = 0; run < RUNS; run++) {
    const venue = `127.0.0.1:${await freePort()}`;
    const config = execFileSync(loadtest, ["config", scenario, "--venue", `ws://${venue}`], { encoding: "utf8" });
    const gateway = await startGateway(t, { config });
    const load = new Child(t, loadtest, ["run", scenario, "--json", "--url", gateway.url, "--venue-listen", venue, "--pid", `${gateway.pid}`]);
    const scraped = run % 2 === 1 ? await scrape(gateway.admin, load) : null;
    if ((await load.exited) !== 0) throw new Error(load.text());
    const { latency } = JSON.parse(load.text("stdout"));
    const millis = (micros) => (micros / 1e3).toFixed(2);
    console.log(`${scraped ? "scraped    " : "not scraped"}  latency p50 ${millis(latency.p50)} ms, p99 ${millis(latency.p99)} ms, p99.9 ${millis(latency.p999)} ms`);
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
