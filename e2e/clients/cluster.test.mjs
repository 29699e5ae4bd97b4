// What docs/cluster.md tells a newcomer to try works as it stands there.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { broker, untilCluster } from "../support/cluster.mjs";
import { Child, TEST, gatewayBinary, root, temporaryFolder, within } from "../support/gateway.mjs";

const NODES = ["gw-1", "gw-2", "gw-3"];
const adminOf = (node) => `127.0.0.1:909${node.at(-1)}`;

function blocks() {
  const [, section] = readFileSync(join(root, "docs/cluster.md"), "utf8").match(/^## Try it$(.*?)^## /ms);
  const found = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)];
  assert.deepEqual(found.map(([, language]) => language), ["toml", "sh", "text", "sh", "sh"]);
  return found.map(([, , code]) => code);
}

test("the first cluster of docs/cluster.md starts, changes its owner and ends", { ...TEST, skip: !broker && "NATS_SERVER does not name nats-server" }, async (t) => {
  const [config, start, shown, stop, end] = blocks();
  const folder = mkdtempSync(join(tmpdir(), "tickfan-"));
  const programs = temporaryFolder(t);
  symlinkSync(gatewayBinary, join(programs, "tickfan"));
  symlinkSync(broker, join(programs, "nats-server"));
  writeFileSync(join(folder, "tickfan.toml"), config);
  const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
  const run = async (code) => {
    const shell = new Child(t, "bash", ["-c", code], { cwd: folder, env });
    await within(() => `the end of ${code}: ${shell.text()}`, shell.exited);
    return shell.text("stdout");
  };

  const first = await run(start);
  t.after(() => rmSync(folder, { recursive: true, force: true })); // after the end of all that the shell has started
  const isSynced = (seen) => seen.shards[0].owner !== null && seen.others.every(({ synced }) => synced.includes("demo.0"));
  const before = await untilCluster(adminOf("gw-1"), "three nodes", (seen) => seen.others.length === 2 && isSynced(seen));
  const { owner, epoch } = before.shards[0];
  for (const title of ["shards", "nodes"]) {
    assert.match(first, new RegExp(`^${title}$`, "m"));
    const head = shown.match(new RegExp(`^${title}\\n(.*)`, "m"))[1].split(/ {2,}/);
    assert.deepEqual(first.match(new RegExp(`^${title}\\n(.*)`, "m"))[1].trimEnd().split(/ {2,}/), head);
  }
  assert.match(first, /^event: hello$/m);

  const others = NODES.filter((node) => node !== owner);
  const second = await run(stop.replaceAll("gw-3", owner).replaceAll("127.0.0.1:9091", adminOf(others[0])));
  assert.match(second, /^shards$/m);
  for (const node of others) {
    const isNew = ({ shards: [shard] }) => others.includes(shard.owner) && shard.fresh;
    const { shards: [shard] } = await untilCluster(adminOf(node), "another owner", isNew);
    assert.equal(shard.epoch, epoch, "it was handed over");
  }

  await run(end);
  const pids = [...NODES, "nats"].map((name) => Number(readFileSync(join(folder, `${name}.pid`), "utf8")));
  await within("the end of all", (async () => {
    while (pids.some(isRunning)) await setTimeout(50);
  })());
});

function isRunning(pid) {
  try {
    // One that has ended may wait for its parent.
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
