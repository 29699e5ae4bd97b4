// Nodes of a cluster. `NATS_SERVER` names the program of their broker.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Child, within } from "./gateway.mjs";

/** The program of the broker, if there is one. */
export const broker = process.env.NATS_SERVER;

/** Starts a broker, and returns its address. */
export async function startBroker(t) {
  const folder = mkdtempSync(join(tmpdir(), "tickfan-"));
  const child = new Child(t, broker, ["--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir", folder]);
  t.after(() => rmSync(folder, { recursive: true, force: true })); // after its end
  const address = (lines) => lines.map(({ text }) => text.match(/client connections on (\S+)/)?.[1]).find(Boolean);
  return `nats://${await child.until("the address of the broker", address)}`;
}

/** What a node says of its cluster, once it is as `isSo` wants it. */
export async function untilCluster(admin, what, isSo) {
  let seen;
  const wait = async () => {
    for (;;) {
      seen = await fetch(`http://${admin}/debug/cluster`).then((answer) => answer.json()).catch(String);
      if (seen.shards && isSo(seen)) return seen;
      await setTimeout(50);
    }
  };
  return within(() => `${what}: ${JSON.stringify(seen)}`, wait());
}
