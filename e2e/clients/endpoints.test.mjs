// The examples of docs/endpoints answer as the pages say: each command is run as it stands there, and its answer has the
// form of the one that is shown. TICKFAN_BLESS=1 writes the answers into the pages. Those of a cluster need NATS_SERVER.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { broker, startBroker, untilCluster } from "../support/cluster.mjs";
import { Child, root, startGateway, within } from "../support/gateway.mjs";
import { Issuer } from "../support/sign_on.mjs";

const isBlessing = process.env.TICKFAN_BLESS === "1";
// The gateway would take it for a key of its configuration.
delete process.env.TICKFAN_BLESS;
const FOLDER = join(root, "docs/endpoints");
const EXAMPLE = /^```sh\n(.*?)^```\n\n```(?:json|text)\n(.*?)^```$/gms;
/** The examples of these are from the owner of a shard. */
const OF_CLUSTER = ["debug-cluster.md", "give.md"];
/** How many events of a stream, which does not end, a page shows. */
const EVENTS = 3;

const feeds = (first) => `
[[feed]]
name = "first"
venue = "sim"
symbols = ${JSON.stringify(first)}

[[feed]]
name = "second"
venue = "sim"
symbols = ["AAPL"]
standby_for = "first"
`;

/** Two nodes of a cluster; returns the owner. */
async function startCluster(t) {
  const servers = await startBroker(t);
  const config = `
[cluster]
name = "demo"
servers = ["${servers}"]
replicas = 1

[[feed]]
name = "demo"
venue = "sim"
symbols = ["AAPL", "MSFT"]
`;
  const start = (node) => startGateway(t, { config, env: { TICKFAN_CLUSTER_NODE: node } });
  const owner = await start("gw-1");
  await untilCluster(owner.admin, "an owner", ({ shards: [shard] }) => shard.owns);
  await start("gw-2");
  await untilCluster(owner.admin, "a follower", ({ others: [other] }) => other?.synced.includes("demo.0"));
  return owner;
}

/** What of an answer is the same each time: names of fields, words of headers, and no values. */
function form(answer) {
  try {
    return formOf(JSON.parse(answer));
  } catch {
    const lines = answer.split("\n").map((line) => {
      const [, name, data] = line.match(/^(data: )?(\{.*\})$/) ?? [];
      return data ? [name, formOf(JSON.parse(data))] : line.replaceAll(/[\w.+/=-]*\d[\w.+/=-]*/g, "0").replaceAll(/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b|\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b/g, "");
    });
    return lines;
  }
}

function formOf(value) {
  if (Array.isArray(value)) return value.slice(-1).map(formOf);
  if (value === null || typeof value !== "object") return value === null ? null : typeof value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, formOf(value[name])]));
}

/** A stream with all kinds of data of AAPL, which stays open, and its `control`. */
async function openStream(t, url) {
  const child = new Child(t, "curl", ["--silent", "--no-buffer", `${url}/v1/stream?symbols=AAPL`]);
  const ticked = (lines) => lines.some(({ text }) => ["price", "bid", "open"].every((name) => text.includes(`"${name}":`)));
  await child.until("a tick with trade, quote and statistics", ticked);
  return child.text().match(/"control":"([^"]+)"/)[1];
}

/** Waits until the numbers that a gateway publishes each second are there, and two points of a history. */
async function untilPublished({ url, admin }) {
  const ask = async (url) => (await fetch(url)).json();
  for (;;) {
    const { feeds } = await ask(`http://${admin}/debug/feeds`);
    const { points } = await ask(`${url}/v1/history/AAPL`);
    const counted = feeds.map(({ counters }) => Object.keys(counters.messages).length);
    if (points.length > 1 && counted.every((kinds) => kinds === 4)) return;
    await setTimeout(50);
  }
}

/** What a command prints, or of a stream its first events. */
async function run(t, command, env) {
  const child = new Child(t, "bash", ["-c", command], { env: { ...process.env, ...env } });
  if (!command.includes("curl -N")) {
    assert.equal(await within(() => `the end of ${command}`, child.exited), 0, child.text());
    return child.text("stdout");
  }
  const blocks = await child.until("events", () => {
    const blocks = child.text("stdout").split("\n\n").slice(0, -1);
    return blocks.length >= EVENTS && blocks.slice(0, EVENTS);
  });
  await child.kill();
  return blocks.join("\n\n");
}

/** The pages whose example a gateway without a configuration answers, as `cargo run` starts it. */
const PLAIN = ["change.md", "history.md", "quotes.md", "stream.md", "symbols.md"];

test("the examples of docs/endpoints answer as the pages say", { timeout: 240_000 }, async (t) => {
  const issuer = new Issuer(t);
  const auth = issuer.table('mode = "optional"\n[auth.anonymous]\nlive = ["*"]');
  const gateway = await startGateway(t, { config: auth + feeds(["AAPL", "BTC-USDT", "MSFT"]) });
  const plain = await startGateway(t);
  const TOKEN = issuer.token("u17", ["*"]);
  const CONTROL = await openStream(t, plain.url);
  await openStream(t, gateway.url);
  await within("numbers of each second", Promise.all([gateway, plain].map(untilPublished)));
  // As a reader would see it, who has the default addresses.
  const owner = broker && await startCluster(t);
  const own = ({ address, admin }) => [["127.0.0.1:8080", address], ["127.0.0.1:8081", admin], ["eyJhbGciOiJFZERTQSJ9…", TOKEN], ["/etc/tickfan/login.json", issuer.file], ["127.0.0.1:8080", "127.0.0.1:0"]];
  const asRun = (text, gateway) => own(gateway).slice(0, 2).reduce((text, [shown, is]) => text.replaceAll(shown, is), text);
  const asShown = (text, gateway) => own(gateway).reduce((text, [shown, is]) => text.replaceAll(is, shown), text);

  let examples = 0;
  // The others show the gateway as it is before these.
  const isLast = (name) => ["prefer.md", "reload.md"].includes(name);
  for (const name of readdirSync(FOLDER).sort((one, other) => isLast(one) - isLast(other))) {
    const file = join(FOLDER, name);
    if (name === "reload.md") gateway.configure(auth + feeds(["AAPL", "BTC-USDT", "MSFT", "NVDA"]));
    let page = readFileSync(file, "utf8");
    const asked = OF_CLUSTER.includes(name) ? owner : PLAIN.includes(name) ? plain : gateway;
    if (!asked) {
      t.diagnostic(`skipped: ${name}, as NATS_SERVER does not name nats-server`);
      continue;
    }
    const found = [...page.matchAll(EXAMPLE)];
    assert.equal(found.length, 1, `${name} has one example`);
    for (const [whole, command, shown] of found) {
      examples += 1;
      const answer = asShown(await run(t, asRun(command, asked), { TOKEN, CONTROL }), asked).replaceAll("\r", "").trimEnd();
      if (isBlessing) page = page.replace(whole, () => whole.replace(`\n${shown}\`\`\``, () => `\n${answer}\n\`\`\``));
      else assert.deepEqual(form(answer), form(shown.trimEnd()), `${name}\n${answer}`);
    }
    writeFileSync(file, page);
  }
  assert.ok(examples > 15, `${examples}`);
});
