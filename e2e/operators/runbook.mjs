// An alert's page as an operator follows it: each step's panels, `/debug` pages and `tickfan top` are looked at.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { gatewayBinary } from "../support/gateway.mjs";
import { panels, read } from "./files.mjs";
import { filled } from "./monitoring.mjs";

/** The steps under "What to look at". */
export function steps(alert) {
  const [, part] = read("grafana/runbooks", `${alert}.md`).split("## What to look at");
  return [...part.split("## ")[0].matchAll(/^\d\. (.+(?:\n {3}.+)*)$/gm)].map(([, text]) => text.replace(/\n +/g, " "));
}

/** Where a step sends its reader. */
export function places(step) {
  return {
    panels: panels.filter(({ title }) => step.includes(`*${title}*`)),
    debug: [...new Set(step.match(/\/debug\/\w+/g))],
    top: step.includes("`tickfan top`"),
  };
}

const UNITS = { s: " s", ops: "/s", reqps: "/s", Bps: " B/s", bytes: " B", percentunit: "" };
const shown = (value, unit) => (Number.isFinite(value) ? `${Number(value.toPrecision(3))}${UNITS[unit] ?? ""}` : "nothing");

/** A panel's series, now and at `before`, the largest first. */
async function panelSeries(prometheus, { targets }, span, before) {
  const series = [];
  for (const { expr, legendFormat } of targets) {
    const [now, then] = await Promise.all([prometheus.query(filled(expr, span)), prometheus.query(filled(expr, span), before)]);
    const same = (left, right) => JSON.stringify(left.metric) === JSON.stringify(right.metric);
    for (const one of now) {
      const legend = (legendFormat ?? "").replace(/\{\{(\w+)\}\}/g, (_, label) => one.metric[label] ?? "");
      const earlier = then.find((other) => same(one, other));
      series.push({ legend, now: Number(one.value[1]), before: Number(earlier?.value[1]) });
    }
  }
  return series.filter(({ now, before }) => now || before).sort((left, right) => right.now - left.now);
}

export const cut = (text, length = 120) => (text.length > length ? `${text.slice(0, length)}…` : text);

/** What of a `/debug` page an eye falls on. */
const DEBUG = {
  "/debug/feeds": ({ feeds, now }) => feeds.map(({ feed, state, reason, last_message, last_troubles: [trouble] }) =>
    `${feed}: ${state}${reason ? `, ${cut(reason, 80)}` : ""}; last message ${((now - last_message) / 1e6).toFixed(1)} s ago` +
    (trouble ? `; ${trouble.what}: ${cut(trouble.text)}` : "")),
  "/debug/streams": ({ totals, streams }) => [
    `${totals.streams} streams, ${totals.full} full, closed ${JSON.stringify(totals.closed)}, missed ${JSON.stringify(totals.missed)}`,
    ...streams.map(({ peer, full_seconds, oldest_unsent_seconds, bytes, symbols_total }) =>
      `${peer}: full for ${full_seconds?.toFixed(1) ?? 0} s, behind ${oldest_unsent_seconds?.toFixed(1) ?? 0} s, ${bytes} B, ${symbols_total} symbols`),
  ],
  "/debug/symbols": ({ totals, stalest, now }) => [
    JSON.stringify(totals.states),
    ...stalest.map(({ symbol, feed, state, recv }) => `stalest: ${symbol} of ${feed}, ${state}, ${((now - recv) / 1e6).toFixed(1)} s old`),
  ],
};

/**
 * Looks at all that a page's steps name, and tells it line by line; returns what was seen. `before` is a time when all was
 * well, to compare with.
 */
export async function follow(alert, { prometheus, admin, span, before, tell }) {
  const seen = { lines: [], panels: {} };
  for (const [index, step] of steps(alert).entries()) {
    tell(`    ${index + 1}. ${step}`);
    const { panels, debug, top } = places(step);
    const note = (where, line) => {
      seen.lines.push({ step: index + 1, where, line });
      tell(`       ${where}: ${line}`);
    };
    for (const panel of panels) {
      const series = await panelSeries(prometheus, panel, span, before);
      seen.panels[panel.title] = { step: index + 1, series };
      const { unit } = panel.fieldConfig.defaults;
      const said = series.slice(0, 6).map(({ legend, now, before }) => `${legend} ${shown(now, unit)} (was ${shown(before, unit)})`.trim());
      note(panel.title, said.join(", ") || "nothing");
    }
    for (const path of debug) {
      const answer = await (await fetch(`http://${admin}${path}?limit=3`)).json();
      for (const line of DEBUG[path](answer)) note(path, line);
    }
    if (top) {
      const { stdout } = await promisify(execFile)(gatewayBinary, ["top", "--once", "--admin", admin]);
      for (const line of stdout.split("\n").filter((line) => line.trim()).slice(0, 14)) note("top", line);
    }
  }
  return seen;
}
