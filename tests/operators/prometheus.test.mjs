// A real Prometheus scrapes a loaded gateway and asks it all that the dashboard asks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { startGateway } from "../browser/support.mjs";
import { hasTick, openStream } from "./clients.mjs";
import { expressions, grafana } from "./files.mjs";
import { filled, startPrometheus, until } from "./monitoring.mjs";

const TEST = { timeout: 120_000 };

test("promtool finds nothing wrong with configs, rules and their tests", () => {
  for (const args of [["check", "config", "prometheus.yml"], ["check", "config", "prometheus.compose.yml"],
    ["check", "rules", "alerts.yml", "rules.yml"], ["test", "rules", "alerts_test.yml"]]) {
    const ran = spawnSync("promtool", args, { cwd: grafana, encoding: "utf8" });
    assert.equal(ran.status, 0, `promtool ${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  }
});

test("promtool finds nothing wrong with the metrics, and 5,000 symbols with 10,000 streams stay under 1,500 series", TEST, async (t) => {
  const symbols = Array.from({ length: 5_000 }, (_, index) => `S${index}`);
  const gateway = await startGateway(t, { config: `[[feed]]\nvenue = "sim"\nrate = 2000\nsymbols = ${JSON.stringify(symbols)}\n` });
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
});

test("every question of the dashboard has an answer from a loaded gateway", TEST, async (t) => {
  const gateway = await startGateway(t, { config: '[[feed]]\nname = "market"\nvenue = "sim"\nrate = 500\n' });
  for (let count = 0; count < 20; count++) await openStream(t, gateway.address, "BTC-USDT,AAPL,MSFT");
  await fetch(`${gateway.url}/v1/quotes/AAPL`);
  const prometheus = await startPrometheus(t, [gateway.admin]);
  assert.ok(expressions.length > 30);
  for (const { where, expr } of expressions) {
    await until(`${where}: ${filled(expr)}`, async () => {
      const result = await prometheus.query(filled(expr));
      return result.length > 0;
    });
  }
});
