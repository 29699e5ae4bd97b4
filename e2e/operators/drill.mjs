// The operator's drill: see scripts/drill.

import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { Venue, venueConfig } from "../support/venue.mjs";
import { startGateway } from "../support/gateway.mjs";
import { openStream } from "./clients.mjs";
import { FAULTS } from "./faults.mjs";
import { KeyedVenue } from "../support/venue.mjs";
import { HURRIED_SPAN, startPrometheus, until } from "./monitoring.mjs";
import { cut, follow } from "./runbook.mjs";

const { values: wanted } = parseArgs({
  options: { seed: { type: "string" }, only: { type: "string" }, "as-shipped": { type: "boolean", default: false } },
});
const asShipped = wanted["as-shipped"];
const seed = Number(wanted.seed ?? randomInt(1_000_000));
if (!Number.isInteger(seed)) fail(`--seed ${wanted.seed} is not a whole number`);
if (wanted.only && !(wanted.only in FAULTS)) fail(`--only ${wanted.only} is none of ${Object.keys(FAULTS).join(", ")}`);
/** How long an alert may take to come, and to go: as shipped, rates are over five minutes. */
const PATIENCE = asShipped ? 900_000 : 60_000;
const CONNECTIONS = 900;
const STALL_SECONDS = asShipped ? 30 : 5;
const tell = console.log;

function fail(why) {
  console.error(`drill: ${why}`);
  process.exit(64);
}

/** The names in an order that the seed decides (mulberry32, Fisher and Yates). */
function shuffled(names, seed) {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let last = names.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [names[last], names[other]] = [names[other], names[last]];
  }
  return names;
}

/** All that runs: two venues and the simulated market, a gateway with readers, Prometheus and Alertmanager. */
async function startWorld(t) {
  const [crypto, stocks] = [await Venue.start(t), await KeyedVenue.start(t)];
  const config = `
[limits]
streams = 60
connections = ${CONNECTIONS}
head_timeout = "1m"
[fanout]
workers = 2
stall_timeout = "${STALL_SECONDS}s"
[[feed]]
name = "market"
venue = "sim"
rate = 5000
symbols = ["AAPL", "MSFT", "NVDA"]
[[feed]]
name = "stocks"
venue = "alpaca"
url = "${stocks.url}"
key_env = "DRILL_KEY"
secret_env = "DRILL_SECRET"
hours = "always"
symbols = ["TSLA", "AMZN"]
${venueConfig(crypto.url, ["BTC-USDT", "ETH-USDT"])}mute_after = "${asShipped ? "30s" : "3s"}"
`;
  const env = { DRILL_KEY: "key", DRILL_SECRET: "secret" };
  const start = (more) => startGateway(t, { config, env, descriptors: 1_024, ...more });
  const world = { crypto, stocks, connections: CONNECTIONS, stallSeconds: STALL_SECONDS, gateway: await start() };
  world.restart = async () => {
    const { address: listen, admin: adminListen } = world.gateway;
    await world.gateway.stop();
    world.gateway = await start({ listen, adminListen });
    await read();
  };
  const read = () => Promise.all(Array.from({ length: 20 }, () => openStream(t, world.gateway.address, "AAPL,MSFT,NVDA,TSLA,BTC-USDT")));
  await read();
  let price = 100;
  const timer = setInterval(() => {
    price += 1;
    for (const symbol of ["TSLA", "AMZN"]) stocks.trade(symbol, price);
    if (crypto.isMute) return;
    if (crypto.isChanged) crypto.say(`{"stream":"btcusdt@trade","data":{"e":"trade","price":["${price}"]}}`);
    else for (const symbol of ["BTC-USDT", "ETH-USDT"]) crypto.trade(symbol, `${price}`);
  }, 20);
  t.after(() => clearInterval(timer));
  world.prometheus = await startPrometheus(t, [world.gateway.admin], { asShipped });
  return world;
}

/** Waits until no alert is firing or about to. */
const quiet = ({ prometheus }) => until("all is quiet", async () =>
  (await prometheus.pending()).length + (await prometheus.alerts()).length === 0, PATIENCE);

/** Waits until there is something to compare with: twice the span of a rate. */
const settled = ({ prometheus }) => until("rates are known", async () =>
  (await prometheus.query(`count_over_time(up[${HURRIED_SPAN}]) > 9`)).length > 0, PATIENCE);

/** How long an operator reads before looking at a page's panels again: rates take their span to show what is new. */
const READS = 3_000;

/** Brings about a fault, and follows the runbook of each alert that comes, again while it fires, until the cause is seen. */
async function drill(name, world) {
  const { what, begin, cause } = FAULTS[name];
  await quiet(world);
  await settled(world);
  tell(`\n== ${name}: ${what}`);
  const begun = Date.now();
  const seconds = () => ((Date.now() - begun) / 1000).toFixed(1);
  const mend = await begin(world);
  const followed = [];
  let found;
  await until("an alert that leads to the cause", async () => {
    for (const { labels, annotations } of await world.prometheus.alerts()) {
      const alert = labels.alertname;
      let page = followed.find((page) => page.alert === alert);
      if (found || (page && Date.now() - page.looked < READS)) continue;
      if (!page) {
        followed.push((page = { alert, after: seconds() }));
        tell(`  ${alert} after ${seconds()} s: ${annotations.summary}`);
      } else tell(`  ${alert}'s page again, after ${seconds()} s`);
      const span = asShipped ? "1m" : HURRIED_SPAN;
      const seen = await follow(alert, { prometheus: world.prometheus, admin: world.gateway.admin, span, before: begun / 1000, tell });
      page.looked = Date.now();
      found = cause(seen);
      if (found) Object.assign(found, { alert, after: seconds() });
    }
    return found;
  }, PATIENCE).catch((error) => tell(`  ${error.message}`));
  if (found) tell(`  the cause, in step ${found.step}: ${found.where}: ${found.line}`);
  else tell("  THE CAUSE WAS NOT FOUND");
  await mend();
  if (!asShipped) {
    await quiet(world);
    tell(`  mended, and quiet again after ${seconds()} s`);
  }
  return { name, what, followed, found };
}

function table(results) {
  tell("\n| fault | alerts, and after how many seconds | the cause seen after | where |\n|---|---|---|---|");
  for (const { name, what, followed, found } of results) {
    const alerts = followed.map(({ alert, after }) => `${alert} ${after}`).join(", ");
    const line = found && cut(found.line, 100).replaceAll("|", "\\|").replaceAll("`", "'");
    const where = found ? `${found.alert}, step ${found.step}, ${found.where}: \`${line}\`` : "nowhere";
    tell(`| ${name}: ${what} | ${alerts || "none"} | ${found?.after ?? "–"} | ${where} |`);
  }
}

const ends = [];
const t = { after: (end) => ends.push(end) };
let failed;
try {
  const names = wanted.only ? [wanted.only] : shuffled(Object.keys(FAULTS), seed);
  tell(`seed ${seed}: ${names.join(", ")}`);
  const world = await startWorld(t);
  const results = [];
  for (const name of names) results.push(await drill(name, world));
  table(results);
  failed = results.some(({ found }) => !found);
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(failed ? 1 : 0);
