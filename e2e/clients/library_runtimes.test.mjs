// The client library in Node, Deno and Bun, as it is packed, against a gateway that falls silent, is killed and comes back.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Child, TEST, root, startGateway } from "../support/gateway.mjs";

const SYMBOLS = ["AAPL", "BTC-USDT"];
const CONFIG = `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = 40\nsymbols = ${JSON.stringify(SYMBOLS)}\n`;
const here = (...path) => join(root, "e2e/clients/runtimes", ...path);
const program = (name) => here("node_modules/.bin", name);
/** What runs a script, by the runtime's name; and whether the runtime has an EventSource of its own. */
const RUNTIMES = {
  node: { command: ["node"] },
  deno: { command: [program("deno"), "run", "--quiet", "--allow-net", "--allow-read"], hasEventSource: true },
  bun: { command: [program("bun"), "run"] },
};
const skipped = (process.env.SKIP_CLIENTS ?? "").split(" ");

/** What it has printed so far. */
const told = (lines) => lines.filter(({ from }) => from === "stdout").map(({ text }) => JSON.parse(text));
/** Whether the newest tick of each symbol is in this state. */
const areAll = (state) => (lines) => {
  const newest = new Map(told(lines).filter(({ tick }) => tick).map(({ tick }) => [tick.symbol, tick.state]));
  return SYMBOLS.every((symbol) => newest.get(symbol) === state);
};
const lost = (reason) => (lines) => areAll("lost")(lines) && told(lines).some(({ state }) => state?.connection === "lost" && state.reason === reason);

for (const [name, { command, hasEventSource = false }] of Object.entries(RUNTIMES)) {
  for (const options of [{ patch: true }, ...(hasEventSource ? [{ patch: true, transport: "fetch" }] : [])]) {
    const skip = name !== "node" && skipped.includes("runtimes") && "it is not installed here";
    test(`${name} ${JSON.stringify(options)}: prices, no old one as live, and the next gateway's`, { ...TEST, skip }, async (t) => {
      let gateway = await startGateway(t, { config: CONFIG });
      const [program, ...args] = [...command, here("with_library.mjs"), join(root, "clients/js/dist/tickfan.js"), gateway.url, `${SYMBOLS}`, JSON.stringify(options)];
      const child = new Child(t, program, args);
      await child.until("live prices", areAll("live"));
      assert.equal(told(child.lines)[0].has, hasEventSource ? "function" : "undefined", "its own EventSource");
      gateway.signal("SIGSTOP"); // Its connections stay: only silence tells.
      await child.until("lost prices", lost("silent"));
      gateway.signal("SIGCONT");
      await child.until("live prices again", areAll("live"));
      gateway.signal("SIGKILL");
      await child.until("lost prices of a gateway that is gone", lost("ended"));
      gateway = await startGateway(t, { config: CONFIG, listen: gateway.address });
      await child.until("prices of the next gateway", areAll("live"));

      // Each tick is the gateway's, whole: what came as a patch too.
      const { quotes } = await (await fetch(`${gateway.url}/v1/quotes?symbols=${SYMBOLS}`)).json();
      for (const quote of quotes) {
        const same = ({ tick }) => tick?.symbol === quote.symbol && tick.seq === quote.seq && tick.recv === quote.recv;
        const { tick } = await child.until(`${quote.symbol} ${quote.seq}`, (lines) => told(lines).findLast(same));
        assert.deepEqual({ ...tick, kind: 0 }, { ...quote, kind: 0 });
      }
      const faults = told(child.lines).filter(({ tick, connection }) => tick?.state === "live" && connection !== "live");
      assert.deepEqual(faults, [], "live without a line");
      assert.ok(!child.lines.some(({ from }) => from === "stderr"), child.text("stderr"));
    });
  }
}
